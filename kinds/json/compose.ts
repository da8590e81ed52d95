// Putting two patches of one author together. Owns what may be merged without changing how the
// patch meets others: only a value that is overwritten before anyone saw it.
import { endsInList, type JsonOp, type Step, samePointer } from './step.ts';

/** Steps of `first`, then of `second`; a place written twice in a row is written once. */
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
  // An element is found again under its number, not under `-`.
  if (last.op === 'add' && !endsInList(last.path) && last.path.at(-1) === '-') return undefined;
  return { ...last, value: next.value };
}
