// Composes two patches of one author. Owns which steps may be merged without changing how the patch meets
// others: only a value that is overwritten before any other client saw it.
import { endsInList, type JsonOp, type Step, samePointer } from './step.ts';

/** Returns the steps of `first`, then of `second`. A place that is written twice in a row is written once. */
export function compose(first: JsonOp, second: JsonOp): JsonOp {
  const known = first.known && second.known;
  const last = first.steps.at(-1);
  const [next, ...rest] = second.steps;
  const merged = last === undefined || next === undefined ? undefined : merge(last, next);
  if (merged === undefined) return { steps: [...first.steps, ...second.steps], known };
  return { steps: [...first.steps.slice(0, -1), merged, ...rest], known };
}

function merge(last: Step, next: Step): Step | undefined {
  if (next.op !== 'replace') return undefined;
  if (last.op !== 'replace' && last.op !== 'add') return undefined;
  if (!samePointer(last.path, next.path)) return undefined;
  // A later step can name the new element by its number, not by `-`.
  if (last.op === 'add' && !endsInList(last.path) && last.path.at(-1) === '-') return undefined;
  return { ...last, value: next.value };
}
