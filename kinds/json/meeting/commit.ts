// Commits a patch that was made on an older version. Each step is transformed and applied before the next
// is looked at, so that the document tells which tokens are indices. Owns the error code of a failed
// commit.
import type { Applied, KindFailure, KindLimits, Result, TooOld } from '../../kind.ts';
import { refuseWork } from '../../work.ts';
import { type ApplyFailure, applySteps } from '../apply.ts';
import type { JsonState, JsonUndo } from '../state.ts';
import type { JsonOp, Step } from '../step.ts';
import { work } from '../work.ts';
import { settle } from './settle.ts';
import { CARRIED_MAX, carriedOf, meet } from './transform.ts';

export function commit(
  state: JsonState,
  op: JsonOp,
  past: readonly JsonOp[],
  limits: KindLimits,
): Result<Applied<JsonOp, JsonUndo>> | TooOld {
  const refused = refuseWork(work(op, past), limits);
  if (refused !== undefined) return refused;
  const carried = past.length === 0 ? [] : past.flatMap(carriedOf);
  const steps = carried.length === 0 ? op.steps.entries() : transformed(state, op, carried);
  const applied = applySteps(state, steps, limits);
  return applied.ok ? applied : failed(applied, carried.length > 0);
}

/** Yields each step in the form that applies after the steps before it have been applied to `state`. */
function* transformed(
  state: JsonState,
  { steps, known }: JsonOp,
  past: readonly Step[],
): Generator<readonly [number, Step]> {
  let carried = past;
  for (const [index, written] of steps.entries()) {
    const behind = index + 1 < steps.length;
    // Steps behind a fruitless step may name its places, and their meaning depends on which of these are
    // lists.
    const fruitless = behind && !known && meet(written, carried, undefined, 0) === undefined;
    const step = behind && !known ? settle(written, carried, state, fruitless) : written;
    const next: Step[] | undefined = behind ? [] : undefined;
    const mine = meet(step, carried, next, past.length + CARRIED_MAX);
    if (mine !== undefined) yield [index, mine];
    carried = next ?? carried;
  }
}

/**
 * Transforming removes every step whose place went away, so a place that is missing now was missing at
 * `base`. This is wrong for a few patches that copy a value, or move a value onto one around it.
 */
function failed({ code, message }: ApplyFailure, concurrent: boolean): KindFailure {
  if (code === 'path') return { ok: false, code: 'bad-op', message };
  if (code === 'deep') return { ok: false, code: concurrent ? 'conflict' : 'bad-op', message };
  return { ok: false, code, message };
}
