// The kind `rich-text`: documents are Quill Deltas of inserts, patches are Deltas. It owns which patches
// fit a document, how they commit, and the final newline. It never composes a patch into the whole
// document: the state is always current, and the cost of an edit depends on the edit's size.
//
// No patch cuts a surrogate pair: an edit that begins or ends between the two halves is `bad-op`.
// Transforming moves an edge only to the edge of an insert or a delete, so two patches that keep this rule
// never produce one that breaks it. No document ever holds half a character, and text survives UTF-8.
import type { Wire } from '../../protocol/messages.ts';
import type { Applied, DocumentKind, KindFailure, KindLimits, Result } from '../kind.ts';
import { refuseWork, tooFarBehind, tooMuchWork } from '../work.ts';
import {
  composeDelta,
  consumedLength,
  type Delta,
  DeltaBuilder,
  isPlainRetain,
  lengthChange,
  stepLength,
  transformDelta,
} from './delta.ts';
import { parseDelta } from './parse.ts';
import { Runs } from './runs.ts';
import { transformPast } from './shift.ts';
import { deleteUs, formatUs, work } from './work.ts';

export type { Attributes } from './attributes.ts';
export type { Delta, Embed, Step } from './delta.ts';
export type { Runs } from './runs.ts';

/**
 * Transforms `past` past `op`; both were made on one version, and `past` was committed first. An optimistic
 * client applies the result to a view that holds `op` already. This is the mirror of
 * `richTextKind.transform`.
 */
export const transformAgainst = (past: Delta, op: Delta): Delta => transformDelta(past, op, false);

/** Lengths and indices are UTF-16 code units. The undo of a patch is its inverse. */
export const richTextKind: DocumentKind<Runs, Delta, Delta> = {
  name: 'rich-text',

  create: () => {
    const state = new Runs();
    state.insert(0, '\n', undefined);
    return state;
  },

  load: (snapshot) => {
    const parsed = parseDelta(snapshot, Number.POSITIVE_INFINITY);
    if (!parsed.ok) throw new Error(`not a rich-text snapshot: ${parsed.message}`);
    if (parsed.value.some((step) => step.insert === undefined)) {
      throw new Error('not a rich-text snapshot: only inserts make a document');
    }
    const state = new Runs();
    edit(state, parsed.value);
    return state;
  },

  snapshot: (state) => toWire(state.toDelta()),
  size: (state) => state.bytes,
  memory: (state) => 2 * state.bytes,

  parse: (wire, limits) => parseDelta(wire, limits.depth),
  wire: toWire,
  isAsSent: (wire, _parsed, op) => op === wire,
  note: () => undefined,
  recall: (wire) => {
    const parsed = parseDelta(wire, Number.POSITIVE_INFINITY);
    if (!parsed.ok) throw new Error(`not a rich-text patch: ${parsed.message}`);
    return parsed.value;
  },

  work,
  transform: (op, past) => transformDelta(op, past, true),

  commit: (state, op, past, limits) => {
    const refused = refuseWork(work(op, past), limits);
    if (refused !== undefined) return refused;
    let baseLength = state.length;
    for (const earlier of past) baseLength -= lengthChange(earlier);
    if (consumedLength(op) > baseLength) return bad('the patch reaches past the end of the document');
    const transformed = transformPast(op, past, limits.workMs);
    if (transformed === undefined) return tooFarBehind(limits.workMs);
    let current = transformed;
    if (isPlainRetain(current[current.length - 1])) current = current.slice(0, -1);
    if (!affordable(state, current, limits.workMs)) return tooMuchWork(limits.workMs);
    const sizeBefore = state.bytes;
    let applied = applyTyping(state, current) ?? apply(state, current);
    if (applied.ok && !state.endsWithNewline()) {
      edit(state, applied.value.undo);
      applied = apply(state, withFinalNewline(current, state.length));
    }
    return applied.ok ? withinLimits(state, applied.value, sizeBefore, limits) : applied;
  },

  apply,
  revert: edit,
  compose: composeDelta,

  invert: (op, before) => {
    const inverse = inverseOf(before, op);
    if (!inverse.ok) throw new RangeError(inverse.message);
    return inverse.value;
  },

  isEmpty: (op) => op.every(isPlainRetain),
};

function apply(state: Runs, op: Delta): Result<Applied<Delta, Delta>> {
  const inverse = inverseOf(state, op);
  if (!inverse.ok) return inverse;
  edit(state, op);
  return { ok: true, value: { op, undo: inverse.value } };
}

/**
 * Returns the patch that takes `op` back, or the reason for which `op` does not fit the document. It reads
 * only the range that `op` touches.
 */
function inverseOf(before: Runs, op: Delta): Result<Delta> {
  if (consumedLength(op) > before.length) return bad('the patch reaches past the end of the document');
  const inverse = new DeltaBuilder();
  let index = 0;
  for (const step of op) {
    const length = stepLength(step);
    if (isPlainRetain(step)) {
      inverse.retain(length, undefined);
      index += length;
      continue;
    }
    if (before.splitsPair(index)) return bad(BEGINS_INSIDE);
    if (step.insert !== undefined) {
      inverse.delete(length);
      continue;
    }
    if (before.splitsPair(index + length)) return bad('an edit ends inside a surrogate pair');
    if (step.attributes !== undefined) before.addInverseFormat(index, length, step.attributes, inverse);
    else before.addInserts(index, length, inverse);
    index += length;
  }
  return { ok: true, value: inverse.chopped() };
}

/**
 * True if the deletes and formats of `op` can be done in `workMs`. It counts pieces before anything is
 * changed, and stops once the limit is passed.
 */
function affordable(state: Runs, op: Delta, workMs: number): boolean {
  let leftUs = workMs * 1000;
  let index = 0;
  for (const step of op) {
    if (step.insert !== undefined) continue;
    const length = stepLength(step);
    if (index + length > state.length) return true;
    if (!isPlainRetain(step)) {
      const us = step.delete === undefined ? formatUs : deleteUs;
      const within = state.everyPiece(index, length, (piece) => {
        leftUs -= us(piece.overhead, piece.text.length);
        return leftUs >= 0;
      });
      if (!within) return false;
    }
    index += length;
  }
  return true;
}

/** Applies a patch that is known to fit. */
function edit(state: Runs, op: Delta): void {
  let index = 0;
  for (const step of op) {
    const length = stepLength(step);
    if (step.insert !== undefined) state.insert(index, step.insert, step.attributes);
    else if (step.delete !== undefined) state.remove(index, length);
    else if (step.attributes !== undefined) state.format(index, length, step.attributes);
    if (step.delete === undefined) index += length;
  }
}

/**
 * The newline comes after everything else in the patch, also after a delete. Text that others type at the
 * end of the last line at the same time then stays in front of the newline.
 */
function withFinalNewline(op: Delta, length: number): Delta {
  const rest = length - consumedLength(op);
  return rest > 0 ? [...op, { retain: rest }, { insert: '\n' }] : [...op, { insert: '\n' }];
}

/**
 * Does the same as `apply` for the most frequent patch: plain text inserted at one place before the final
 * newline, whose inverse needs nothing of the document. Undefined for any other patch.
 */
function applyTyping(state: Runs, op: Delta): Result<Applied<Delta, Delta>> | undefined {
  const step = op[op.length - 1];
  const before = op.length > 1 ? op[0] : undefined;
  if (op.length > 2 || typeof step?.insert !== 'string' || step.attributes !== undefined) return undefined;
  if (before !== undefined && !isPlainRetain(before)) return undefined;
  const place = before?.retain ?? 0;
  if (place >= state.length) return undefined;
  if (state.splitsPair(place)) return bad(BEGINS_INSIDE);
  state.insert(place, step.insert, undefined);
  const gone = { delete: step.insert.length };
  return { ok: true, value: { op, undo: place === 0 ? [gone] : [{ retain: place }, gone] } };
}

const BEGINS_INSIDE = 'an edit begins inside a surrogate pair';

/** A document that is too large already may still shrink. */
function withinLimits(
  state: Runs,
  applied: Applied<Delta, Delta>,
  sizeBefore: number,
  limits: KindLimits,
): Result<Applied<Delta, Delta>> {
  if (state.bytes <= limits.documentBytes || state.bytes <= sizeBefore) return { ok: true, value: applied };
  edit(state, applied.undo);
  return { ok: false, code: 'too-large', message: `the document would exceed ${limits.documentBytes} bytes` };
}

/** A Delta is JSON; its type is narrower and read-only. */
function toWire(delta: Delta): Wire {
  return delta as Wire;
}

const bad = (message: string): KindFailure => ({ ok: false, code: 'bad-op', message });
