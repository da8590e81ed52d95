// The time of an editor's next edit. Knows no documents.
import type { Random } from './random-edits.ts';

export type Pace =
  /** An edit as soon as the last one has its answer. */
  | { readonly type: 'closed' }
  /** Edits come at random, `perSecond` on average, independent of answers. */
  | { readonly type: 'open'; readonly perSecond: number }
  /**
   * Edits come evenly, `perSecond` of them. `phase` (0 … 1) is the part of an interval by which they are
   * later than those of other editors.
   */
  | { readonly type: 'steady'; readonly perSecond: number; readonly phase: number };

/** A timer that fires early by less than this part of an interval was set for this edit. */
const EARLY = 0.1;

/** Milliseconds until the next edit is due. Late edits are skipped, not made up for. */
export function untilNextEdit(pace: Exclude<Pace, { type: 'closed' }>, random: Random): number {
  if (pace.type === 'open') return -Math.log(1 - random()) * (1000 / pace.perSecond);
  const interval = 1000 / pace.perSecond;
  const at = performance.now() / interval - pace.phase;
  const left = Math.floor(at) + 1 - at;
  return (left < EARLY ? left + 1 : left) * interval;
}
