// The algebra of `json` for an optimistic client: chains of patches past a change, undo entries that give
// way, and the difference of two values. Pure.
//
// The kind transforms the steps of one patch in sequence, carrying the other patch along. Chains use that:
// their patches go through the transform as one patch, with a mark behind each to separate them afterwards.
// The mark is a `test` step that the transform passes through unchanged.

import { type JsonOp, type JsonState, type JsonUndo, jsonKind } from '../../kinds/json/json.ts';
import { wireOf } from '../../kinds/json/parse.ts';
import { endsInList, type Step, type Token } from '../../kinds/json/step.ts';
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
  difference: (before, after) => ({ steps: differences([], before as Json, after as Json), known: true }),
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

// ---- chains

/** The mark behind each patch of a chain. */
const END_OF_PATCH: Step = { op: 'test', path: [], value: null, never: true };

function rebase(chain: readonly JsonOp[], change: JsonOp): JsonOp[] {
  if (chain.length === 0) return [];
  const steps = chain.flatMap((op) => [...op.steps, END_OF_PATCH]);
  const known = chain.every((op) => op.known);
  return split(jsonKind.transform({ steps, known }, change).steps).map((part) => ({ steps: part, known }));
}

function split(steps: readonly Step[]): Step[][] {
  const parts: Step[][] = [];
  let part: Step[] = [];
  for (const step of steps) {
    if (step === END_OF_PATCH) {
      parts.push(part);
      part = [];
    } else {
      part.push(step);
    }
  }
  return parts;
}

/**
 * In `json` the later write wins, and an undo writes later than any change. To give way, steps that would
 * write where the change has written are left out; the other steps are transformed past it like any patch.
 */
function yieldTo(before: readonly JsonOp[], entries: readonly JsonOp[], change: JsonOp): JsonOp[] {
  // The effect of the change on the view: the part that pending edits have not overwritten.
  let seen = change;
  for (const op of before)
    seen = jsonKind.transform({ ...seen, steps: uncontested(seen.steps, op).kept }, op);
  const yielded = entries.map((entry) => {
    const { kept, other } = uncontested(entry.steps, seen);
    seen = other;
    return { ...entry, steps: kept };
  });
  return rebase([...before, ...yielded], change).slice(before.length);
}

/** The steps that do not write where `other` has written, and `other` transformed past them. */
function uncontested(steps: readonly Step[], other: JsonOp): { kept: Step[]; other: JsonOp } {
  const kept = steps.filter((step) => {
    const contested = isContested(step, other);
    other = jsonKind.transform(other, { steps: [step], known: true });
    return !contested;
  });
  return { kept, other };
}

/** A member that no document has: it is lost exactly when the value around it is lost. */
const INSIDE = '\u0000troupe';

/**
 * Leaving out a contested step moves no index: a step that inserts into a list or removes from it is never
 * contested.
 */
function isContested(step: Step, other: JsonOp): boolean {
  if (step.op === 'test' || (endsInList(step.path) && step.op !== 'replace')) return false;
  const path = step.op === 'move' ? step.from : step.path;
  const probe: Step = { op: 'test', path: [...path, INSIDE], value: null };
  return jsonKind
    .transform({ steps: [probe], known: true }, other)
    .steps.some((left) => left.op === 'test' && left.never === true);
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

// ---- differences

function differences(path: readonly Token[], before: Json, after: Json): Step[] {
  if (equal(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return listDifferences(path, before, after);
  if (isObject(before) && isObject(after)) return memberDifferences(path, before, after);
  return [{ op: 'replace', path, value: after }];
}

type Members = { [key: string]: Json };

/** Tokens that no path may have (JSON-16), though a value may have them as keys. */
const UNNAMEABLE = ['__proto__', 'constructor', 'prototype'];

function memberDifferences(path: readonly Token[], before: Members, after: Members): Step[] {
  const own = (value: Members, key: string) => (Object.hasOwn(value, key) ? value[key] : undefined);
  if (UNNAMEABLE.some((key) => !sameMember(own(before, key), own(after, key))))
    return [{ op: 'replace', path, value: after }];
  const steps: Step[] = [];
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) steps.push({ op: 'remove', path: [...path, key] });
  }
  for (const [key, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, key)) steps.push({ op: 'add', path: [...path, key], value });
    else steps.push(...differences([...path, key], before[key] ?? null, value));
  }
  return steps;
}

const sameMember = (a: Json | undefined, b: Json | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equal(a, b);

/** Equal ends stay; the elements between are matched by position, and the rest is inserted or removed. */
function listDifferences(path: readonly Token[], before: readonly Json[], after: readonly Json[]): Step[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && equal(before[start] ?? null, after[start] ?? null)) start++;
  let end = 0;
  while (end < shorter - start && equal(before.at(-1 - end) ?? null, after.at(-1 - end) ?? null)) end++;
  const steps: Step[] = [];
  const both = shorter - start - end;
  for (let i = start; i < start + both; i++) {
    steps.push(...differences([...path, i], before[i] ?? null, after[i] ?? null));
  }
  for (let i = before.length - end - 1; i >= start + both; i--)
    steps.push({ op: 'remove', path: [...path, i] });
  for (let i = start + both; i < after.length - end; i++) {
    steps.push({ op: 'add', path: [...path, i], value: after[i] ?? null });
  }
  return steps;
}

const isObject = (value: Json): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
