// The processor time that this thread has used. If a machine has more threads at work than processors, a
// thread waits for a processor in the midst of a patch, and that time counts as no document's work. Linux
// reports the time for each thread; elsewhere the clock stands in for it. The turns of a worker use it
// (turns.ts).
import { openProcessorTime } from '../metrics/processor-time.ts';

/**
 * Linux is asked after this much time has passed, because each question costs microseconds. In between the
 * clock is exact enough.
 */
const ASKED_AFTER_MS = 3;

export interface ThreadTime {
  /** Milliseconds of this thread from any zero, never going back. */
  readonly spentMs: () => number;
  readonly close: () => void;
}

/** Call it in the thread whose time is wanted. `nowMs` is a clock that never goes back. */
export function threadTime(nowMs: () => number): ThreadTime {
  const processor = openProcessorTime('thread-self');
  if (processor === undefined) return { spentMs: nowMs, close: () => undefined };
  const onProcessorMs = (): number => 1e3 * (processor.seconds() ?? 0);
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
    close: () => processor.close(),
  };
}
