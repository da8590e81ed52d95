// Messages that all readers of a document get at the same time, as WebSocket frames. The frames are made once for each
// address: readers of y-websocket have none, and readers of Hocuspocus that name the document alike share theirs.
import { headerLength, writeHeader } from '../../protocol/websocket-frame.ts';

/** The bytes before each message of a conversation. Empty for y-websocket. */
export interface Address {
  readonly key: string;
  readonly part: Uint8Array;
}

/** A message is its types, and bytes with their length before them. */
export class SharedFrames {
  readonly #types: readonly number[];
  readonly #payloads: readonly Uint8Array[];
  readonly #made = new Map<string, Buffer>();

  /** `types`: numbers below 128. Each of `payloads` becomes one message in one frame. */
  constructor(types: readonly number[], payloads: readonly Uint8Array[]) {
    this.#types = types;
    this.#payloads = payloads;
  }

  /** The frames in a row. They must not be changed. */
  framesFor({ key, part }: Address): Buffer {
    let frames = this.#made.get(key);
    if (frames === undefined) {
      frames = framesOf(part, this.#types, this.#payloads);
      this.#made.set(key, frames);
    }
    return frames;
  }
}

/** The begin of a frame whose payload follows, in parts of `bytes` together. */
export function frameHead(part: Uint8Array, types: readonly number[], bytes: number): Buffer {
  const message = part.length + types.length + varUintBytes(bytes) + bytes;
  const head = Buffer.allocUnsafe(headerLength(message) + message - bytes);
  writeHead(head, 0, part, types, bytes, message);
  return head;
}

function framesOf(part: Uint8Array, types: readonly number[], payloads: readonly Uint8Array[]): Buffer {
  let total = 0;
  for (const { length } of payloads) {
    const message = part.length + types.length + varUintBytes(length) + length;
    total += headerLength(message) + message;
  }
  const frames = Buffer.allocUnsafe(total);
  let at = 0;
  for (const payload of payloads) {
    const { length } = payload;
    const message = part.length + types.length + varUintBytes(length) + length;
    at = writeHead(frames, at, part, types, length, message);
    frames.set(payload, at);
    at += length;
  }
  return frames;
}

function writeHead(
  into: Buffer,
  from: number,
  part: Uint8Array,
  types: readonly number[],
  bytes: number,
  message: number,
): number {
  let at = writeHeader(into, from, message, true);
  into.set(part, at);
  at += part.length;
  for (const type of types) into[at++] = type;
  let left = bytes;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) into[at++] = 0x80 | (left & 0x7f);
  into[at++] = left;
  return at;
}

function varUintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) bytes++;
  return bytes;
}
