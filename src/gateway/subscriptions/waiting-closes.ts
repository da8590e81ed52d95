// Closes that wait. The messages about one document are answered in the order sent, so a close waits until its open and
// the submits before it have their answers, and everything behind it waits for its `closed`. Owners know nothing of that:
// they are told of the close when nothing is without an answer. Each answer, each end of a subscription and each refusal
// reports itself by `HeldDocuments.changed`.
import type { Clock } from '../../../actors/clock.ts';
import type { ClientConnection } from '../client-connection.ts';
import { HeldDocuments, handleHeld } from '../held-documents.ts';

type Message = Record<string, unknown>;

export interface WaitingClosesParts {
  readonly after: Clock['after'];
  /** Carries out a close that need not wait. */
  readonly close: (connection: ClientConnection, message: Message) => void;
  /** Handles a frame that was held. */
  readonly handle: (connection: ClientConnection, frame: Uint8Array, isText: boolean) => void;
}

export class WaitingCloses {
  readonly #parts: WaitingClosesParts;

  constructor(parts: WaitingClosesParts) {
    this.#parts = parts;
  }

  /** Takes a close of a document for which `isAnswered` is false. */
  wait(connection: ClientConnection, doc: string, message: Message): void {
    connection.waiting ??= new HeldDocuments();
    const held = connection.waiting;
    let isDue = false;
    held.hold(doc, () => {
      if (isDue || !isAnswered(connection, doc)) return;
      isDue = true;
      // The answer that was reported has not been written yet.
      this.#parts.after(0, () => {
        isDue = false;
        if (connection.closed || connection.waiting !== held || !isAnswered(connection, doc)) return;
        const { close, handle } = this.#parts;
        handleHeld(connection, doc, () => close(connection, message), handle);
      });
    });
  }
}

/** True if no open and no submit of the document waits for its answer. */
export function isAnswered({ open }: ClientConnection, doc: string): boolean {
  const current = open.get(doc);
  if (current === undefined) return true;
  return current.before === undefined && current.opened && (current.unanswered?.size ?? 0) === 0;
}
