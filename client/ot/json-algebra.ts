// The algebra of `json` for an optimistic client: predictions, inverses, and the change of the view. Pure.

import { jsonDifference } from '../../kinds/json/difference.ts';
import { type JsonOp, type JsonState, type JsonUndo, jsonKind } from '../../kinds/json/json.ts';
import { rebase, yieldTo } from '../../kinds/json/meeting/yielding.ts';
import { wireOf } from '../../kinds/json/parse.ts';
import type { Step } from '../../kinds/json/step.ts';
import { equal } from '../../kinds/json/value.ts';
import type { Applied, Result } from '../../kinds/kind.ts';
import type { Json } from '../../protocol/messages.ts';
import type { JsonStep } from '../api.ts';
import type { OtAlgebra, Rebase } from './ot-algebra.ts';

export const jsonAlgebra: OtAlgebra<JsonState, JsonOp, JsonUndo, readonly JsonStep[]> = {
  kind: jsonKind,
  compose: jsonKind.compose,
  isEmpty: jsonKind.isEmpty,
  rebase: (chain, change) => ({ chain: rebase(chain, change), change: undefined }),
  yieldTo,
  same: (committed, predicted) => {
    const expected = asCommitted(predicted);
    return expected !== undefined && equal(wireOf(committed), wireOf(expected));
  },
  applyInvertibly,
  difference: (before, after) => jsonDifference(before as Json, after as Json),
  // A JSON Patch applies whole or not at all.
  halve: () => undefined,
  isComplete: () => true,
  composable: (op) => op.steps.every((step) => step.op !== 'test'),
  viewChange,
  patch: toPatch,
};

/** A patch in the form that applications write. */
export function toPatch(op: JsonOp): readonly JsonStep[] {
  return wireOf(op) as JsonStep[];
}

// ---- predictions

/** A pending patch as it would commit. Undefined if only the server can know that. */
function asCommitted(op: JsonOp): JsonOp | undefined {
  const steps: Step[] = [];
  for (const step of op.steps) {
    if (step.op === 'copy' || step.op === 'move') return undefined;
    if (step.op === 'test') continue;
    steps.push(step.op === 'add' ? { op: 'add', path: step.path, value: step.value } : step);
  }
  return { steps, known: op.known };
}

function applyInvertibly(
  state: JsonState,
  op: JsonOp,
): Result<Applied<JsonOp, JsonUndo> & { inverse: JsonOp }> {
  const tried = jsonKind.apply(state, op);
  if (!tried.ok) return tried;
  jsonKind.revert(state, tried.value.undo);
  const inverse = jsonKind.invert(tried.value.op, state);
  const applied = jsonKind.apply(state, op);
  return applied.ok ? { ok: true, value: { ...applied.value, inverse } } : applied;
}

/** The change itself if it and the pending edits do not touch each other, in either order. */
function viewChange({ change, exact, pendingBefore, pendingAfter }: Rebase<JsonOp>): JsonOp {
  const plain = [change, ...pendingBefore].every(({ steps }) =>
    steps.every((step) => step.op === 'add' || step.op === 'replace' || step.op === 'remove'),
  );
  if (!plain || pendingAfter.length < pendingBefore.length) return exact();
  const yielded = yieldTo([], pendingBefore, change);
  const untouched = pendingBefore.every(
    (op, i) => sameSteps(op, yielded[i]) && sameSteps(op, pendingAfter[i]),
  );
  return untouched && pendingBefore.every((op) => jsonKind.transform(change, op) === change)
    ? change
    : exact();
}

const sameSteps = (a: JsonOp, b: JsonOp | undefined): boolean =>
  b !== undefined && equal(wireOf(a), wireOf(b));
