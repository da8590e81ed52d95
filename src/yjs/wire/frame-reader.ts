// Reads the parts of one frame of a Yjs provider. lib0 decodes the numbers; this file checks what lib0 does not: that a
// length ends within the frame, that a number is exact, that a text is UTF-8, and that nothing is left over. Every
// failure is a FrameError. The bytes that it returns are views of the frame, whose memory may be used again.
import { createDecoder, type Decoder, hasContent, readVarUint } from 'lib0/decoding';
import { FrameError } from '../../../protocol/codec.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class FrameReader {
  readonly #decoder: Decoder;

  constructor(bytes: Uint8Array) {
    this.#decoder = createDecoder(bytes);
  }

  get hasMore(): boolean {
    return hasContent(this.#decoder);
  }

  /** An integer from 0 to 2^53 - 1. */
  varUint(): number {
    let value: number;
    try {
      value = readVarUint(this.#decoder);
    } catch (error) {
      throw new FrameError(error instanceof Error ? error.message.toLowerCase() : 'no number');
    }
    if (!Number.isSafeInteger(value)) throw new FrameError('a number beyond 2^53 - 1');
    return value;
  }

  /** Bytes with their length before them: a view of the frame. */
  bytes(): Uint8Array {
    const length = this.varUint();
    const { arr, pos } = this.#decoder;
    if (length > arr.length - pos) throw new FrameError('the frame ends before its bytes');
    this.#decoder.pos = pos + length;
    return arr.subarray(pos, pos + length);
  }

  /** A text with its length in bytes before it. `most`: the most bytes that it may have. */
  text(most = Number.POSITIVE_INFINITY): string {
    const bytes = this.bytes();
    if (bytes.length > most) throw new FrameError(`a text of more than ${most} bytes`);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new FrameError('a text is not UTF-8');
    }
  }

  /** Checks that the frame ends here. */
  end(): void {
    if (this.hasMore) throw new FrameError('bytes are left over');
  }
}
