// When an editor makes its next edit. Knows no documents.
import type { Random } from './random-edits.ts';

export type Pace =
  /** As soon as the last edit has its answer. */
  | { readonly type: 'closed' }
  /** Edits come at random, `perSecond` on average, however long answers take. */
  | { readonly type: 'open'; readonly perSecond: number }
  /** Edits come evenly, `perSecond` of them; `phase` (0 … 1): the part of an interval by which they are later than others'. */
  | { readonly type: 'steady'; readonly perSecond: number; readonly phase: number };

/** A timer that is early by less than this part of an interval was for this edit. */
const EARLY = 0.1;

/** Milliseconds until the next edit is due. What is late is left out, not made up for. */
export function untilNextEdit(pace: Exclude<Pace, { type: 'closed' }>, random: Random): number {
  if (pace.type === 'open') return -Math.log(1 - random()) * (1000 / pace.perSecond);
  const interval = 1000 / pace.perSecond;
  const at = performance.now() / interval - pace.phase;
  const left = Math.floor(at) + 1 - at;
  return (left < EARLY ? left + 1 : left) * interval;
}
