// Helpers of the tests of frames.
import { FrameError } from '../../../protocol/codec.ts';

/** The same bytes in the middle of a larger buffer, as frames of one read are. */
export function amidst(frame: Uint8Array): Uint8Array {
  const buffer = Buffer.alloc(frame.length + 4096, 0x41);
  buffer.set(frame, 1024);
  return buffer.subarray(1024, 1024 + frame.length);
}

export function outcome<T>(read: () => T): T | FrameError {
  try {
    return read();
  } catch (error) {
    if (error instanceof FrameError) return error;
    throw error;
  }
}
