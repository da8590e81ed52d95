// Transforms concurrent JSON Patches: the table of docs/protocol.md, step against step, from paths alone.
// Owns which step wins and which has no effect; never looks at a document.
//
// `steps` (committing later) go past each earlier step one by one. Once a later step has been applied, an
// earlier step is carried: rewritten for the document after that later step. Carried steps serve only the
// later steps behind; they speak about places, and their values do not matter.

import {
  endsInList,
  isNoIndex,
  type JsonOp,
  meets,
  type Pointer,
  type RemoveStep,
  type Step,
  samePointer,
  sameToken,
  type TransferStep,
  toIndex,
  within,
  withToken,
} from '../step.ts';
import { fromFull, isLost, pastStep, toFull } from './pointers.ts';

/**
 * The number of carried steps may exceed the original number by this many. Beyond the limit, the steps that
 * copies and fruitless moves would add are left out, and a later step that names a place created by one of
 * them may miss it.
 */
export const CARRIED_MAX = 256;

/** Transforms `op` past `past`, which must have been applied, or recalled with its note. */
export function transform(op: JsonOp, past: JsonOp): JsonOp {
  const out: Step[] = [];
  let changed = false;
  let carried = carriedOf(past);
  for (let i = 0; i < op.steps.length; i++) {
    const step = op.steps[i];
    if (step === undefined) break;
    const next: Step[] | undefined = i + 1 < op.steps.length ? [] : undefined;
    const mine = meet(step, carried, next, past.steps.length + CARRIED_MAX);
    if (mine !== undefined) out.push(mine);
    changed ||= mine !== step;
    carried = next ?? carried;
  }
  return changed ? { steps: out, known: op.known } : op;
}

/**
 * Transforms `past` past `op`, for transforming the patches that build on `op`. The result must never be
 * applied.
 */
export function carry(past: JsonOp, op: JsonOp): JsonOp {
  let carried = carriedOf(past);
  for (const step of op.steps) {
    const next: Step[] = [];
    meet(step, carried, next, past.steps.length + CARRIED_MAX);
    carried = next;
  }
  return { steps: carried, known: true };
}

/** The steps of a committed patch. Throws if the list indices of the patch are not known. */
export function carriedOf(past: JsonOp): readonly Step[] {
  if (!past.known && past.steps.length > 0)
    throw new Error('the patch to transform past has not been applied, so its list indices are not known');
  return past.steps;
}

/** Tells whether the steps of a patch, met with newer ones, say that it applied at its base. */
export class Doubt {
  /**
   * A step may have named a place that its base did not have: what it names now, a newer step has made, or it has
   * lost its place. As long as this is false, each place of the patch is missing now exactly if it was missing then.
   */
  isThere = false;
  /** The number of steps that have been met. */
  seen = 0;
}

/**
 * Transforms `step` past all of `carried`. Undefined if it then has no effect. `next` collects the steps of
 * `carried` as they are after `step`, for the step behind it: at most `most` of them, if `carried` has no
 * more. `doubt` collects whether the base is in doubt.
 */
export function meet(
  step: Step,
  carried: readonly Step[],
  next: Step[] | undefined,
  most: number,
  doubt?: Doubt,
): Step | undefined {
  let mine: Step | undefined = step;
  for (let i = 0; i < carried.length; i++) {
    const earlier = carried[i];
    if (earlier === undefined) break;
    const before: Step | undefined = mine;
    if (before === undefined) {
      if (next === undefined) return undefined;
      next.push(earlier);
      continue;
    }
    mine = pastEarlier(before, earlier);
    if (doubt?.isThere === false) doubt.isThere = leavesDoubt(before, earlier, mine);
    if (next === undefined) continue;
    const mayGrow = next.length + carried.length - i < most;
    if (doubt !== undefined && before.op === 'copy' && !mayGrow) doubt.isThere = true;
    carryStep(earlier, before, mine, next, mayGrow);
  }
  return mine;
}

/** True if `after`, which is `mine` past `earlier`, does not tell whether `mine` had its places before `earlier`. */
function leavesDoubt(mine: Step, earlier: Step, after: Step | undefined): boolean {
  if (earlier.op === 'test') return false;
  if (after === undefined) return true;
  switch (mine.op) {
    case 'test':
      return after !== mine && after === NEVER_TEST && mine.path.some(isNoIndex);
    case 'add':
      return false;
    case 'remove':
      return mayMake(earlier, mine.path);
    case 'replace':
      return after.op === 'add' || mayMake(earlier, mine.path);
    case 'move':
    case 'copy':
      return mayMake(earlier, mine.from);
    default:
      return mine satisfies never;
  }
}

/** True if there may have been no value at `place` before `step`, and is one after it. */
function mayMake(step: Step, place: Pointer): boolean {
  if (step.op !== 'add' && step.op !== 'copy' && step.op !== 'move') return false;
  const { path } = step;
  // The last token differs for most steps that do not meet.
  if (path.length !== place.length || !sameToken(path.at(-1), place.at(-1)) || endsInList(path)) return false;
  return samePointer(fullTarget(step, undefined), place);
}

const NEVER_TEST = { op: 'test', path: [], value: null, never: true } as const satisfies Step;

/** Transforms `mine` past `earlier`. Undefined if it then has no effect. */
function pastEarlier(mine: Step, earlier: Step): Step | undefined {
  if (earlier.op === 'test') return mine;
  switch (mine.op) {
    case 'test': {
      if (mine.never) return mine;
      const path = pastStep(mine.path, 'value', earlier, true);
      return isLost(path) ? NEVER_TEST : moved(mine, path);
    }
    case 'remove': {
      const path = pastStep(mine.path, 'value', earlier, true);
      return isLost(path) ? undefined : moved(mine, path);
    }
    case 'replace': {
      const path = pastStep(mine.path, 'value', earlier, true);
      if (!isLost(path)) return moved(mine, path);
      if (path === 'inside' || endsInList(earlier.path)) return undefined;
      return { op: 'add', path: mine.path, value: mine.value };
    }
    case 'add': {
      if (earlier.op === 'move' && isMember(earlier.from) && samePointer(mine.path, earlier.from))
        return { op: 'replace', path: earlier.path, value: mine.value };
      const path = pastStep(mine.path, 'slot', earlier, true);
      return isLost(path) ? undefined : moved(mine, path);
    }
    case 'move':
    case 'copy':
      return transferPast(mine, earlier);
    default:
      return mine satisfies never;
  }
}

function moved<S extends Step>(step: S, path: Pointer): S {
  return path === step.path ? step : { ...step, path };
}

const isMember = (pointer: Pointer): boolean => !endsInList(pointer);

/** True for a move onto itself. */
const isIdle = (step: Step): boolean => step.op === 'move' && !step.end && samePointer(step.from, step.path);

function transferPast(mine: TransferStep, earlier: Step): Step | undefined {
  const { op } = mine;
  if (isIdle(mine)) {
    const from = pastStep(mine.from, 'value', earlier, true);
    if (isLost(from)) return undefined;
    return from === mine.from ? mine : { op, from, path: from };
  }
  const source = op === 'move' ? classified(mine.from, mine, earlier) : mine.from;
  const full = op === 'move' ? toFull(mine.path, source) : mine.path;
  const from = pastStep(source, 'value', earlier, true);
  const place = pastStep(full, 'slot', earlier, true);
  if (isLost(from) || isLost(place)) return undefined;
  if (op === 'move' && place.length > from.length && within(place, from)) return undefined;
  if (from === source && place === full) return mine;
  return { ...mine, from, path: op === 'move' ? fromFull(place, from) : place };
}

/**
 * Turns the last token of a move's `from` into an index if `earlier` knows its container to be a list. If
 * `earlier` does not lead into that container, the form does not matter: a shift by toFull would be undone
 * by fromFull.
 */
function classified(from: Pointer, move: TransferStep, earlier: Step): Pointer {
  const depth = from.length - 1;
  if (typeof from[depth] !== 'string' || !meets(move.path, from)) return from;
  const index = toIndex(from[depth]);
  if (index < 0 || index === Number.POSITIVE_INFINITY) return from;
  const leads = (pointer: Pointer): boolean => typeof pointer[depth] === 'number' && meets(pointer, from);
  const known =
    typeof move.path[depth] === 'number' ||
    leads(fullTarget(earlier, undefined)) ||
    (earlier.op === 'move' && leads(earlier.from));
  return known ? withToken(from, depth, index) : from;
}

/**
 * The place that a step changes, in the document before the step. `other` is a step that may know its lists
 * better.
 */
function fullTarget(step: Step, other: Step | undefined): Pointer {
  if (step.op !== 'move') return step.path;
  return toFull(step.path, other === undefined ? step.from : classified(step.from, step, other));
}

/**
 * Adds to `out` the steps that have the effect of `earlier` once `mine` has been applied; `after` is `mine`
 * past `earlier`. Then `mine, out` leads to the same places as `earlier, after`.
 */
function carryStep(earlier: Step, mine: Step, after: Step | undefined, out: Step[], mayGrow: boolean): void {
  if (mine.op === 'test' || isIdle(mine) || earlier.op === 'test') {
    out.push(earlier);
    return;
  }
  if (mine.op === 'move' || mine.op === 'copy') {
    if (after === undefined) {
      if (mayGrow) out.push(undone(mine));
      out.push(earlier);
      return;
    }
    if (mine.op === 'copy' && mayGrow) mirror(earlier, mine, out);
  }
  switch (earlier.op) {
    case 'remove': {
      const path = pastStep(earlier.path, 'value', mine, false);
      if (!isLost(path) && !(isMember(earlier.path) && overwrites(mine, earlier.path, earlier)))
        out.push(moved(earlier, path));
      return;
    }
    case 'replace': {
      const path = pastStep(earlier.path, 'value', mine, false);
      if (!isLost(path) && !overwrites(mine, earlier.path, earlier)) out.push(moved(earlier, path));
      return;
    }
    case 'add':
    case 'copy': {
      const value = earlier.op === 'add' ? earlier.value : null;
      if (isMember(earlier.path)) {
        if (overwrites(mine, earlier.path, earlier) || removes(mine, earlier.path)) return;
        if (mine.op === 'move' && samePointer(mine.from, earlier.path)) {
          out.push({ op: 'replace', path: mine.path, value });
          return;
        }
      }
      const path = pastStep(earlier.path, 'slot', mine, false);
      if (!isLost(path)) out.push({ op: 'add', path, value });
      return;
    }
    case 'move':
      carryMove(earlier, mine, out);
      return;
    default:
      earlier satisfies never;
  }
}

function carryMove(earlier: TransferStep, mine: Step, out: Step[]): void {
  const target = fullTarget(earlier, undefined);
  const member = isMember(target);
  const from = pastStep(earlier.from, 'value', mine, false);
  let place = pastStep(target, 'slot', mine, false);
  if (mine.op === 'move' && member && samePointer(mine.from, target)) {
    // `mine` moves the value that `earlier` had put there.
    place = mine.path;
    if (endsInList(place)) out.push({ op: 'remove', path: place });
  }
  // `mine` took away or overwrote the old place, and `earlier` had moved the value out of it before.
  const sourceLeft =
    from === 'inside' ||
    ((mine.op === 'move' || mine.op === 'copy') && overwrites(mine, earlier.from, earlier));
  const sourceGone = isLost(from) || (mine.op === 'move' && samePointer(mine.from, earlier.from));
  const placeTaken =
    isLost(place) || (member && (overwrites(mine, target, earlier) || removes(mine, target)));
  if (sourceLeft || sourceGone) {
    if (placeTaken || isLost(place)) return;
    if (sourceLeft) out.push({ op: 'add', path: place, value: null });
    else if (member) out.push({ op: 'remove', path: place });
    return;
  }
  if (placeTaken || isLost(place)) out.push({ op: 'remove', path: from });
  else out.push({ op: 'move', from, path: fromFull(place, from) });
}

/** True if `step` puts another value exactly at `place`, instead of the old one. */
function overwrites(step: Step, place: Pointer, other: Step): boolean {
  switch (step.op) {
    case 'replace':
      return samePointer(step.path, place);
    case 'add':
    case 'copy':
    case 'move':
      return isMember(place) && samePointer(fullTarget(step, other), place);
    default:
      return false;
  }
}

const removes = (step: Step, place: Pointer): boolean =>
  step.op === 'remove' && samePointer(step.path, place);

/** The step that takes back a transfer which has no effect. */
function undone(step: TransferStep): TransferStep | RemoveStep {
  return step.op === 'move'
    ? { op: 'move', from: step.path, path: step.from }
    : { op: 'remove', path: step.path };
}

/** Repeats the effect of `earlier` inside the source of a copy also inside the copy. */
function mirror(earlier: Step, copy: TransferStep, out: Step[]): void {
  const inCopy = (pointer: Pointer): Pointer => [...copy.path, ...pointer.slice(copy.from.length)];
  switch (earlier.op) {
    case 'test':
      return;
    case 'move': {
      const target = fullTarget(earlier, undefined);
      const fromInside = within(earlier.from, copy.from);
      const toInside = target.length > copy.from.length && within(target, copy.from);
      if (fromInside && toInside)
        out.push({
          op: 'move',
          from: inCopy(earlier.from),
          path: fromFull(inCopy(target), inCopy(earlier.from)),
        });
      else if (fromInside && earlier.from.length > copy.from.length)
        out.push({ op: 'remove', path: inCopy(earlier.from) });
      else if (toInside) out.push({ op: 'add', path: inCopy(target), value: null });
      return;
    }
    default: {
      const whole = samePointer(earlier.path, copy.from);
      if (whole && !endsInList(earlier.path)) out.push({ op: 'replace', path: copy.path, value: null });
      else if (whole ? earlier.op === 'replace' : within(earlier.path, copy.from))
        out.push({ ...earlier, path: inCopy(earlier.path) });
    }
  }
}
