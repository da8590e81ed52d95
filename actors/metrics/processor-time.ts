// The processor time of one thread, as Linux tells it. Other systems do not tell it for a thread.
import { closeSync, openSync, readSync } from 'node:fs';

export interface ProcessorTime {
  /** Time on a processor since the thread began. Undefined once the thread has ended. */
  seconds(): number | undefined;
  close(): void;
}

/**
 * `thread`: `thread-self` for the thread that calls, or `self/task/N` for another thread of this process.
 * Undefined if the system does not tell it.
 */
export function openProcessorTime(thread: string): ProcessorTime | undefined {
  // The first of three numbers in the file is the nanoseconds on a processor.
  const buffer = Buffer.alloc(64);
  let file: number;
  try {
    file = openSync(`/proc/${thread}/schedstat`, 'r');
  } catch {
    return undefined;
  }
  return {
    seconds: () => {
      try {
        const length = readSync(file, buffer, 0, buffer.length, 0);
        return Number.parseInt(buffer.toString('latin1', 0, length), 10) / 1e9;
      } catch {
        return undefined;
      }
    },
    close: () => closeSync(file),
  };
}
