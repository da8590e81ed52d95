// Transforms the most frequent patch, one insert or one delete at one place, past many patches of the same
// sort. Only its place moves, so only a number is carried along. The result is exactly that of
// `transformDelta` patch by patch, and all other patches are left to `transformDelta`.
import { type Delta, transformDelta } from './delta.ts';
import { stepsUs, versionUs } from './work.ts';

/**
 * Transforms `op` past all of `past`, which were committed one after the other before it. Undefined if that
 * would take more than `workMs` by the estimates of work.ts. The work is counted on the way, because `op`
 * may grow: each insert into a range that it deletes or formats splits a step in two.
 */
export function transformPast(op: Delta, past: readonly Delta[], workMs: number): Delta | undefined {
  let current = op;
  let leftUs = workMs * 1000;
  let weighed = { steps: op.length, us: versionUs(op) };
  for (let next = 0; next < past.length; ) {
    const shifted = shift(current, past, next);
    current = shifted.op;
    next = shifted.next;
    const meets = past[next];
    if (meets === undefined) break;
    if (current.length > 2 * weighed.steps) weighed = { steps: current.length, us: versionUs(current) };
    leftUs -= (weighed.us * current.length) / Math.max(1, weighed.steps) + stepsUs(meets);
    if (leftUs < 0) return undefined;
    current = transformDelta(current, meets, true);
    next++;
  }
  return current;
}

/** Carries `op` past patches from `next` on, up to the first patch that needs more than a new place. */
function shift(op: Delta, past: readonly Delta[], next: number): { op: Delta; next: number } {
  const step = placeStep(op);
  if (step === undefined) return { op, next };
  const start = placeOf(op);
  const deleted = step.delete ?? 0;
  let at = start;
  for (; next < past.length; next++) {
    const other = past[next];
    const otherStep = other === undefined ? undefined : placeStep(other);
    if (other === undefined || otherStep === undefined) break;
    const otherAt = placeOf(other);
    if (otherStep.delete !== undefined) {
      const end = otherAt + otherStep.delete;
      if (end <= at) at -= otherStep.delete;
      else if (deleted > 0 ? otherAt < at + deleted : otherAt < at) {
        // An insert inside a deleted range moves to the place of that range. Two deletes that overlap need
        // more.
        if (deleted > 0) break;
        at = otherAt;
      }
    } else {
      const inserted = typeof otherStep.insert === 'string' ? otherStep.insert.length : 1;
      if (otherAt <= at) at += inserted;
      else if (otherAt < at + deleted) break;
    }
  }
  if (at === start) return { op, next };
  return { op: at === 0 ? [step] : [{ retain: at }, step], next };
}

/**
 * The one insert or delete of a patch that has at most a plain retain before it. Undefined for any other
 * patch.
 */
function placeStep(op: Delta): Delta[number] | undefined {
  if (op.length === 0 || op.length > 2) return undefined;
  const last = op[op.length - 1];
  if (last === undefined || (last.insert === undefined && last.delete === undefined)) return undefined;
  if (op.length === 1) return last;
  const first = op[0];
  return first?.retain !== undefined && first.attributes === undefined ? last : undefined;
}

const placeOf = (op: Delta): number => (op.length === 2 ? (op[0]?.retain ?? 0) : 0);
