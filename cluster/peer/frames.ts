// Frames as bytes: 4-byte length of the payload, 1-byte type, 4-byte stream (0 where a type has no stream),
// payload; big-endian. The reader bounds its input and copies each byte once. The meaning of the types is up
// to the modules that use frames.
import type { Frame } from './wire.ts';

export const CONTROL = 1;
export const BATCH = 2;
export const OPEN_STREAM = 3;
export const CLOSE_STREAM = 4;
export const GOODBYE = 5;
export const HEARTBEAT = 6;
export const HELLO = 16;
export const PROOF = 17;
export const REFUSE = 18;

export const HEADER_BYTES = 9;
/** A payload up to this size is copied behind its header. A larger one is written as it is. */
const COPIED_BYTES = 4096;

export const NO_PAYLOAD = new Uint8Array(0);

/** Returns the buffers to write. */
export function encodeFrame(
  type: number,
  stream: number,
  payload: Uint8Array<ArrayBuffer>,
): readonly Uint8Array[] {
  const copied = payload.length <= COPIED_BYTES;
  const head = Buffer.allocUnsafe(HEADER_BYTES + (copied ? payload.length : 0));
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt8(type, 4);
  head.writeUInt32BE(stream, 5);
  if (!copied) return [head, payload];
  head.set(payload, HEADER_BYTES);
  return [head];
}

export class FrameReader {
  /** Larger payloads are refused. The limit may be raised between frames. */
  limit: number;
  readonly #onFrame: (frame: Frame) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #payload: Uint8Array<ArrayBuffer> | undefined;
  #payloadFilled = 0;

  constructor(limit: number, onFrame: (frame: Frame) => void) {
    this.limit = limit;
    this.#onFrame = onFrame;
  }

  /** False if a frame is too large. Nothing more can be read then. */
  push(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFilled < HEADER_BYTES) {
        const taken = Math.min(HEADER_BYTES - this.#headerFilled, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + taken), this.#headerFilled);
        this.#headerFilled += taken;
        at += taken;
      }
      if (this.#headerFilled < HEADER_BYTES) return true;
      if (this.#payload === undefined) {
        const length = this.#header.readUInt32BE(0);
        if (length > this.limit) return false;
        this.#payload = new Uint8Array(length);
        this.#payloadFilled = 0;
      }
      const taken = Math.min(this.#payload.length - this.#payloadFilled, chunk.length - at);
      this.#payload.set(chunk.subarray(at, at + taken), this.#payloadFilled);
      this.#payloadFilled += taken;
      at += taken;
      if (this.#payloadFilled === this.#payload.length) this.#emit(this.#payload);
    }
    return true;
  }

  #emit(payload: Uint8Array<ArrayBuffer>): void {
    this.#payload = undefined;
    this.#headerFilled = 0;
    this.#onFrame({ type: this.#header.readUInt8(4), stream: this.#header.readUInt32BE(5), payload });
  }
}
