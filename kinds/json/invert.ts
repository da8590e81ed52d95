// Builds the patch that takes another patch back. The result is a patch of its own: others can be
// transformed past it, and it can go over the wire. The builder applies steps to the state for a trial and
// takes them all back.
import type { Json } from '../../protocol/messages.ts';
import { applySteps } from './apply.ts';
import { isList, plain } from './held/held.ts';
import { toFull } from './meeting/pointers.ts';
import { valueAt } from './place.ts';
import { type JsonState, type JsonUndo, revert } from './state.ts';
import { endsInList, type JsonOp, type Step, within } from './step.ts';

/**
 * Throws if `op` does not apply to `before`. Afterwards `before` is as it was, except for the order of
 * keys.
 */
export function invert(op: JsonOp, before: JsonState): JsonOp {
  const undos: JsonUndo[] = [];
  const backwards: Step[][] = [];
  try {
    for (const step of op.steps) {
      const old = overwritten(step, before);
      const applied = applySteps(before, [[0, step]], undefined);
      if (!applied.ok) throw new Error(`a patch to invert does not apply: ${applied.message}`);
      undos.push(applied.value.undo);
      const [done] = applied.value.op.steps;
      if (done !== undefined) backwards.push(inverse(done, old));
    }
  } finally {
    for (const undo of undos.reverse()) revert(before, undo);
  }
  return { steps: backwards.reverse().flat(), known: true };
}

type Value = Json | undefined;

/** A copy of the value that the step takes away or overwrites. */
function overwritten(step: Step, state: JsonState): Value {
  if (step.op === 'test') return undefined;
  let target = step.path;
  if (step.op !== 'remove' && step.op !== 'replace' && target.length > 0) {
    const source = step.op === 'move' ? valueAt(state.root, step.from.slice(0, -1)) : undefined;
    if (step.op === 'move' && isList(source))
      target = toFull(target, step.from.with(-1, Number(step.from.at(-1))));
    if (isList(valueAt(state.root, target.slice(0, -1)))) return undefined;
  }
  const old = valueAt(state.root, target);
  return old === undefined ? undefined : plain(old);
}

/** `step` has its tokens classified; `old` is the value that stood at its target. */
function inverse(step: Step, old: Value): Step[] {
  switch (step.op) {
    case 'test':
      return [];
    case 'remove':
      return [{ op: 'add', path: step.path, value: old ?? null }];
    case 'replace':
      return [{ op: 'replace', path: step.path, value: old ?? null }];
    case 'add':
    case 'copy':
      if (endsInList(step.path) || old === undefined) return [{ op: 'remove', path: step.path }];
      return [{ op: 'replace', path: step.path, value: old }];
    case 'move': {
      if (endsInList(step.path) || old === undefined)
        return [{ op: 'move', from: step.path, path: step.from }];
      // The value was moved onto a container around it. The old place comes back with that container.
      if (within(step.from, step.path)) return [{ op: 'replace', path: step.path, value: old }];
      return [
        { op: 'move', from: step.path, path: step.from },
        { op: 'add', path: toFull(step.path, step.from), value: old },
      ];
    }
    default:
      return step satisfies never;
  }
}
