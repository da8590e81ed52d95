// The algebra of `rich-text` for an optimistic client: both sides of a transform, the difference of two
// documents, and the movement of positions. Pure.

import { equal } from '../../kinds/json/value.ts';
import { composeDelta, isPlainRetain, type Delta as Steps, stepLength } from '../../kinds/rich-text/delta.ts';
import { richTextDifference } from '../../kinds/rich-text/difference.ts';
import { type Runs, richTextKind, transformAgainst } from '../../kinds/rich-text/rich-text.ts';
import type { Json, Wire } from '../../protocol/messages.ts';
import { Delta } from './delta.ts';
import type { OtAlgebra, Rebase } from './ot-algebra.ts';
import { halve } from './rich-text-split.ts';

export type { Steps };

export const richTextAlgebra: OtAlgebra<Runs, Steps, Steps, Delta> = {
  kind: richTextKind,
  compose: composeDelta,
  isEmpty: richTextKind.isEmpty,

  rebase,
  // The earlier committed has priority, so an entry that comes later gives way.
  yieldTo: (before, entries, change) => rebase([...before, ...entries], change).chain.slice(before.length),

  // A commit does not end in a plain retain.
  same: (committed, predicted) =>
    same(committed, isPlainRetain(predicted.at(-1)) ? predicted.slice(0, -1) : predicted),

  applyInvertibly(state, op) {
    const applied = richTextKind.apply(state, op);
    return applied.ok ? { ok: true, value: { ...applied.value, inverse: applied.value.undo } } : applied;
  },

  difference: (before, after) => richTextDifference(before as Steps, after as Steps),

  halve,
  isComplete: (state) => state.endsWithNewline(),
  composable: () => true,
  viewChange,
  patch: (op) => toDelta(richTextKind.wire(op)),
};

function same(a: Steps, b: Steps): boolean {
  return equal(richTextKind.wire(a) as Json, richTextKind.wire(b) as Json);
}

/** A snapshot or a patch as the class that editors know. */
export function toDelta(wire: Wire): Delta {
  return new Delta(wire as Delta['ops']);
}

function rebase(chain: readonly Steps[], change: Steps): { chain: Steps[]; change: Steps } {
  const moved: Steps[] = [];
  for (const op of chain) {
    moved.push(richTextKind.transform(op, change));
    change = transformAgainst(change, op);
  }
  return { chain: moved, change };
}

/**
 * The short change, if it is right: an editor then keeps its own pending text, and its cursor in it. It is
 * right if both orders lead to the same patch. If they do not (the server added a newline at the end), the
 * exact change takes the view apart and puts it together again.
 */
function viewChange({ change, short, exact, pendingBefore, pendingAfter }: Rebase<Steps>): Steps {
  if (short === undefined) return exact();
  const there = [...pendingBefore, short].reduce(composeDelta);
  const here = [change, ...pendingAfter].reduce(composeDelta);
  return same(there, here) ? short : exact();
}

/**
 * The new place of a position after a patch. With `pushed` an insert exactly there moves it along, as it
 * moves its author's caret; otherwise the position stays in front of the insert.
 */
export function positionAfter(position: number, op: Steps, pushed: boolean): number {
  let at = 0;
  let moved = position;
  for (const step of op) {
    if (at > moved || (at === moved && step.insert === undefined)) break;
    const length = stepLength(step);
    if (step.delete !== undefined) {
      moved -= Math.min(length, moved - at);
    } else if (step.insert !== undefined) {
      if (at < moved || pushed) moved += length;
      at += length;
    } else {
      at += length;
    }
  }
  return moved;
}

/**
 * The place before the patch of a position in the text after it. For a position inside an insert, the place
 * where the insert was made.
 */
export function positionBefore(position: number, op: Steps): number {
  let after = 0;
  let before = 0;
  for (const step of op) {
    if (after >= position && step.insert === undefined) break;
    const length = stepLength(step);
    if (step.delete !== undefined) {
      before += length;
    } else if (step.insert !== undefined) {
      if (position <= after + length) return before;
      after += length;
    } else {
      if (position <= after + length) return before + position - after;
      after += length;
      before += length;
    }
  }
  return before + Math.max(0, position - after);
}
