// The documents of one socket about which nothing is handled for now, with the frames that came about them meanwhile, in
// their order. Other documents of the socket go on. It does not know what a document waits for.
import type { ClientConnection, HeldFrames } from './client-connection.ts';

type Frames = HeldFrames['frames'];

interface Held {
  readonly frames: Frames;
  readonly changed: (() => void) | undefined;
}

/** The messages that wait. Others may have a field `doc` too, but it has no meaning for them. */
const ABOUT_A_DOCUMENT: ReadonlySet<unknown> = new Set(['open', 'submit', 'presence', 'close']);

export class HeldDocuments {
  readonly #documents = new Map<string, Held>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#documents.size === 0;
  }

  /** Bytes of all frames that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  names(): Iterable<string> {
    return this.#documents.keys();
  }

  /** Begins to hold. `changed` is called when something before the frames that wait has been answered. */
  hold(doc: string, changed?: () => void): void {
    this.#documents.set(doc, { frames: [], changed });
  }

  /** Keeps a copy of the frame if its document is held. False if it is not. */
  takes({ type, doc }: Record<string, unknown>, frame: Uint8Array, isText: boolean): boolean {
    const held = typeof doc === 'string' ? this.#documents.get(doc) : undefined;
    if (held === undefined || !ABOUT_A_DOCUMENT.has(type)) return false;
    // The memory of the frame may be used again.
    held.frames.push({ frame: Uint8Array.from(frame), isText });
    this.#bytes += frame.length;
    return true;
  }

  /** Reports that a request about the document has been answered, or that its subscription has ended. */
  changed(doc: string): void {
    this.#documents.get(doc)?.changed?.();
  }

  /** Ends the hold. The caller handles the frames. */
  release(doc: string): Frames {
    const frames = this.#documents.get(doc)?.frames ?? [];
    this.#documents.delete(doc);
    for (const { frame } of frames) this.#bytes -= frame.length;
    return frames;
  }

  holds(doc: string): boolean {
    return this.#documents.has(doc);
  }

  /** Puts frames back whose document is held again. */
  takeBack(doc: string, frames: Frames): void {
    for (const each of frames) {
      this.#bytes += each.frame.length;
      this.#documents.get(doc)?.frames.push(each);
    }
  }
}

/**
 * Ends the hold of the connection's document: carries out `first`, and then handles the frames in their order, until one
 * of them has the document held again.
 */
export function handleHeld(
  connection: ClientConnection,
  doc: string,
  first: () => void,
  handle: (connection: ClientConnection, frame: Uint8Array, isText: boolean) => void,
): void {
  const frames = connection.waiting?.release(doc) ?? [];
  if (connection.waiting?.isEmpty) connection.waiting = undefined;
  first();
  for (const [at, { frame, isText }] of frames.entries()) {
    if (connection.closed) return;
    // Frames that wait again are not decoded again.
    if (connection.waiting?.holds(doc)) {
      connection.waiting.takeBack(doc, frames.slice(at));
      return;
    }
    handle(connection, frame, isText);
  }
}
