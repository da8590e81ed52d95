// Commits a patch that was made on an older version. Each step is transformed and applied before the next
// is looked at, so that the document tells which tokens are indices. Owns the error code of a failed
// commit, and when the document at the base of the patch is looked at.
import type {
  Applied,
  Fit,
  Hindsight,
  KindFailure,
  KindLimits,
  NeedsBase,
  Result,
  TooOld,
} from '../../kind.ts';
import { refuseWork, tooFarBehind } from '../../work.ts';
import { type ApplyFailure, applySteps } from '../apply.ts';
import { type JsonState, type JsonUndo, revert } from '../state.ts';
import type { JsonOp, Step } from '../step.ts';
import { work } from '../work.ts';
import { fitBefore } from './at-base.ts';
import { settle } from './settle.ts';
import { CARRIED_MAX, carriedOf, Doubt, meet } from './transform.ts';

export function commit(
  state: JsonState,
  op: JsonOp,
  past: readonly JsonOp[],
  limits: KindLimits,
  hindsight: Hindsight<JsonUndo> = { undos: [] },
): Result<Applied<JsonOp, JsonUndo>> | TooOld | NeedsBase {
  const estimate = work(op, past);
  const refused = refuseWork(estimate, limits);
  if (refused !== undefined) return refused;
  const carried = past.length === 0 ? [] : past.flatMap(carriedOf);
  if (carried.length === 0) {
    const applied = applySteps(state, op.steps.entries(), limits);
    return applied.ok ? applied : failed(applied, 'bad-op');
  }
  const doubt = new Doubt();
  const applied = applySteps(state, transformed(state, op, carried, doubt), limits);
  // A step that has no place now may have had one at the base.
  const hasNoPlace = !applied.ok && (applied.code === 'path' || applied.code === 'deep');
  if (!hasNoPlace && !doubt.isThere) return applied.ok ? applied : failed(applied, 'conflict');
  const own = applied.ok ? [applied.value.undo] : [];
  const leftMs = limits.workMs - estimate.transformMs - estimate.applyMs;
  const fit = fitSince(past, hindsight, own, state, op, leftMs * 1000) ?? tooFarBehind(limits.workMs);
  // A test that fails, or a limit, decides before the steps behind it are looked at.
  const looked = hasNoPlace ? op.steps.length : doubt.seen;
  const isRight = 'steps' in fit && fit.steps >= looked;
  if (isRight) return applied.ok ? applied : failed(applied, 'conflict');
  if (applied.ok) revert(state, applied.value.undo);
  return 'steps' in fit ? { ok: false, code: 'bad-op', message: `at its base, ${fit.message}` } : fit;
}

const NEEDS_BASE: NeedsBase = {
  ok: false,
  code: 'needs-base',
  message: 'the patch can only be judged on the document at its base',
};

/**
 * Tells how far `op` applies at its base. `own` undoes what `op` itself has done to `state`. Undefined if it would take
 * more than `mostUs` microseconds.
 */
function fitSince(
  past: readonly JsonOp[],
  { undos, fit }: Hindsight<JsonUndo>,
  own: readonly JsonUndo[],
  state: JsonState,
  op: JsonOp,
  mostUs: number,
): Fit | NeedsBase | undefined {
  if (fit !== undefined) return fit;
  return undos.length < past.length ? NEEDS_BASE : fitBefore([...undos, ...own], state, op, mostUs);
}

/**
 * Yields each step in the form that applies after the steps before it have been applied to `state`. Puts into
 * `doubt` whether the document at the base must be looked at.
 */
function* transformed(
  state: JsonState,
  { steps, known }: JsonOp,
  past: readonly Step[],
  doubt: Doubt,
): Generator<readonly [number, Step]> {
  let carried = past;
  for (const [index, written] of steps.entries()) {
    const behind = index + 1 < steps.length;
    // Steps behind a fruitless step may name its places, and their meaning depends on which of these are
    // lists.
    const fruitless = behind && !known && meet(written, carried, undefined, 0) === undefined;
    const step = behind && !known ? settle(written, carried, state, fruitless) : written;
    const next: Step[] | undefined = behind ? [] : undefined;
    doubt.seen = index + 1;
    const mine = meet(step, carried, next, past.length + CARRIED_MAX, doubt);
    if (mine !== undefined) yield [index, mine];
    carried = next ?? carried;
  }
}

function failed({ code, message }: ApplyFailure, noPlace: 'bad-op' | 'conflict'): KindFailure {
  return { ok: false, code: code === 'path' || code === 'deep' ? noPlace : code, message };
}
