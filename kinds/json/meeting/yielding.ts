// Chains of patches past a change, and undo patches that give way to it. Pure.
//
// `transform` takes the steps of one patch in sequence, carrying the other patch along. Chains use that: their
// patches go through the transform as one patch, with a mark behind each to separate them afterwards. The mark
// is a `test` step that the transform passes through unchanged.
import { endsInList, type JsonOp, type Step } from '../step.ts';
import { transform } from './transform.ts';

/** The mark behind each patch of a chain. */
const END_OF_PATCH: Step = { op: 'test', path: [], value: null, never: true };

/**
 * Transforms a chain of patches, each made on the result of the one before it, past `change`, which was made at
 * the start of the chain and committed first.
 */
export function rebase(chain: readonly JsonOp[], change: JsonOp): JsonOp[] {
  if (chain.length === 0) return [];
  const steps = chain.flatMap((op) => [...op.steps, END_OF_PATCH]);
  const known = chain.every((op) => op.known);
  return split(transform({ steps, known }, change).steps).map((part) => ({ steps: part, known }));
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
 * `before` and then `entries` are a chain; returns the entries.
 */
export function yieldTo(before: readonly JsonOp[], entries: readonly JsonOp[], change: JsonOp): JsonOp[] {
  // The effect of the change on the view: the part that pending edits have not overwritten.
  let seen = change;
  for (const op of before) seen = transform({ ...seen, steps: uncontested(seen.steps, op).kept }, op);
  const yielded = entries.map((entry) => {
    const { kept, other } = uncontested(entry.steps, seen);
    seen = other;
    return { ...entry, steps: kept };
  });
  return rebase([...before, ...yielded], change).slice(before.length);
}

/**
 * The steps that do not write where `other` has written, and `other` transformed past them. A step that is left out
 * takes nothing of `other` away: steps behind it at the same place are contested too.
 */
function uncontested(steps: readonly Step[], other: JsonOp): { kept: Step[]; other: JsonOp } {
  const kept = steps.filter((step) => {
    if (isContested(step, other)) return false;
    other = transform(other, { steps: [step], known: true });
    return true;
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
  const { steps } = transform({ steps: [probe], known: true }, other);
  return steps.some((left) => left.op === 'test' && left.never === true);
}
