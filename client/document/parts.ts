// Divides an edit that is too large for one patch into several patches with the same effect, sent one after
// the other. Decides nothing about kinds, which know whether and where a patch can be cut.
import { TroupeError } from '../errors.ts';
import type { OtAlgebra, OtHooks } from '../ot/ot-algebra.ts';

/** Composed and divided edits keep to this share of `opBytes`: rebasing may make a patch longer. */
export const LASTING_SHARE = 0.5;

export interface Part<Op> {
  readonly op: Op;
  /** Bytes as sent. */
  readonly bytes: number;
}

/**
 * The patch itself, or if it is above `opBytes`, smaller patches with the same effect on the state. Throws
 * TroupeError: `too-large` if it cannot be divided, or the reason why the patch does not fit the state.
 */
export function partsOf<State, Op, Undo, Patch>(
  algebra: OtAlgebra<State, Op, Undo, Patch>,
  state: State,
  op: Op,
  hooks: Pick<OtHooks<Op>, 'measure' | 'opBytes'>,
): Part<Op>[] {
  const measure = (part: Op): number => hooks.measure(algebra.kind.wire(part));
  const whole = { op, bytes: measure(op) };
  const opBytes = hooks.opBytes();
  if (whole.bytes <= opBytes) return [whole];
  const parts = divide(algebra, whole, opBytes * LASTING_SHARE, measure);
  if (parts !== undefined && canFollow(algebra, state, parts)) return parts;
  throw new TroupeError('too-large', `an edit of ${whole.bytes} bytes is above the limit of ${opBytes}`);
}

/** Parts of at most `mostBytes` each. Undefined if the patch cannot be cut so small. */
function divide<State, Op, Undo, Patch>(
  algebra: OtAlgebra<State, Op, Undo, Patch>,
  whole: Part<Op>,
  mostBytes: number,
  measure: (op: Op) => number,
): Part<Op>[] | undefined {
  if (whole.bytes <= mostBytes) return [whole];
  const parts: Part<Op>[] = [];
  for (const op of algebra.halve(whole.op) ?? []) {
    const divided = divide(algebra, { op, bytes: measure(op) }, mostBytes, measure);
    if (divided === undefined) return undefined;
    parts.push(...divided);
  }
  return parts.length === 0 ? undefined : parts;
}

/**
 * Whether the parts together have the effect of the whole, tried on the state, which is left as it was. False
 * if the server would add to one of them, which would shift the next. Throws TroupeError if they do not fit.
 */
function canFollow<State, Op, Undo, Patch>(
  algebra: OtAlgebra<State, Op, Undo, Patch>,
  state: State,
  parts: readonly Part<Op>[],
): boolean {
  const undos: Undo[] = [];
  try {
    return parts.every(({ op }, index) => {
      const applied = algebra.kind.apply(state, op);
      if (!applied.ok) throw new TroupeError(applied.code, applied.message);
      undos.push(applied.value.undo);
      return index === parts.length - 1 || algebra.isComplete(state);
    });
  } finally {
    for (const undo of undos.toReversed()) algebra.kind.revert(state, undo);
  }
}
