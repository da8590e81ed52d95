// The messages of one client that wait until its document is open, or until earlier updates have an answer, in order. It
// knows how many bytes they take; the conversation has the bound.
import type { SharedMessage } from './wire/body.ts';

/** A message takes as many bytes beside its content. */
const MESSAGE_BYTES = 64;

export class HeldMessages {
  readonly #messages: SharedMessage[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get first(): SharedMessage | undefined {
    return this.#messages[0];
  }

  /** Takes a copy: the memory of a frame may be used again. */
  add(message: SharedMessage): void {
    this.#bytes += sizeOf(message);
    this.#messages.push(copyOf(message));
  }

  /** Removes the first message, or the first of a type. */
  take(type?: SharedMessage['type']): SharedMessage | undefined {
    const at = type === undefined ? 0 : this.#messages.findIndex((message) => message.type === type);
    const [message] = at < 0 ? [] : this.#messages.splice(at, 1);
    if (message !== undefined) this.#bytes -= sizeOf(message);
    return message;
  }

  clear(): void {
    this.#messages.length = 0;
    this.#bytes = 0;
  }
}

function sizeOf(message: SharedMessage): number {
  const bytes =
    message.type === 'step-1' ? message.stateVector : 'update' in message ? message.update : undefined;
  return MESSAGE_BYTES + (bytes?.length ?? 0);
}

function copyOf(message: SharedMessage): SharedMessage {
  switch (message.type) {
    case 'step-1':
      return { type: 'step-1', stateVector: Uint8Array.from(message.stateVector) };
    case 'query-awareness':
      return message;
    default:
      return { ...message, update: Uint8Array.from(message.update) };
  }
}
