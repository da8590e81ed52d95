// The processor time that this thread has used. Where a machine has more to do than processors, a thread waits for
// one in the midst of a patch, and that time is nobody's work. Linux tells it for each thread; elsewhere the clock
// stands in for it. Used by the turns of a worker (turns.ts).
import { closeSync, openSync, readSync } from 'node:fs';

/** Nanoseconds on a processor, the first of three numbers. */
const FILE = '/proc/thread-self/schedstat';
/** Linux is asked (6 us) when so much time has passed; in between the clock is right enough. */
const ASKED_AFTER_MS = 3;

export interface ThreadTime {
  /** Milliseconds of this thread, from any zero, never going back. */
  readonly spentMs: () => number;
  readonly close: () => void;
}

/** To be called in the thread whose time it is. `nowMs`: a clock that never goes back. */
export function threadTime(nowMs: () => number): ThreadTime {
  const file = openFile();
  if (file === undefined) return { spentMs: nowMs, close: () => undefined };
  const buffer = Buffer.alloc(64);
  const onProcessorMs = (): number => {
    const length = readSync(file, buffer, 0, buffer.length, 0);
    return Number.parseInt(buffer.toString('latin1', 0, length), 10) / 1e6;
  };
  let askedAt = nowMs();
  let asked = onProcessorMs();
  let told = asked;
  return {
    spentMs: () => {
      const passed = nowMs() - askedAt;
      if (passed < ASKED_AFTER_MS) told = Math.max(told, asked + passed);
      else {
        askedAt += passed;
        asked = onProcessorMs();
        told = Math.max(told, asked);
      }
      return told;
    },
    close: () => closeSync(file),
  };
}

function openFile(): number | undefined {
  try {
    return openSync(FILE, 'r');
  } catch {
    return undefined;
  }
}
