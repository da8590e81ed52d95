// Deltas as values: building, composing and transforming arrays of insert/retain/delete steps. The results
// are those of quill-delta (5.x), without its deep copies, which cost most of its time. This file never
// sees a document; runs.ts and rich-text.ts do.
import type { Json } from '../../protocol/messages.ts';
import { type Attributes, composeAttributes, sameAttributes, transformAttributes } from './attributes.ts';

export interface Embed {
  readonly [name: string]: Json;
}

/**
 * One step of a Delta. It has exactly one of `insert`, `retain` and `delete`. Lengths are UTF-16 code
 * units, and an embed has length 1. Steps are immutable.
 */
export interface Step {
  readonly insert?: string | Embed;
  readonly retain?: number;
  readonly delete?: number;
  readonly attributes?: Attributes;
}

/** A patch or a document (inserts only). Immutable. */
export type Delta = readonly Step[];

/**
 * Transforms `op` past `past`; both were made on one document. With `pastHasPriority` the inserts of `past`
 * stand first and its attributes win. quill-delta: `past.transform(op, priority)`.
 */
export function transformDelta(op: Delta, past: Delta, pastHasPriority: boolean): Delta {
  const out = new DeltaBuilder();
  let i = 0;
  let pastTaken = 0;
  let j = 0;
  let opTaken = 0;
  for (;;) {
    const b = op[j];
    // The steps of `past` behind the last step of `op` could only add a plain retain, which is chopped
    // anyway.
    if (b === undefined) break;
    const a = past[i];
    if (a?.insert !== undefined && (pastHasPriority || b.insert === undefined)) {
      out.retain(stepLength(a), undefined);
      i++;
      continue;
    }
    if (b.insert !== undefined) {
      out.push(b);
      j++;
      continue;
    }
    const bRest = stepLength(b) - opTaken;
    const aRest = a === undefined ? bRest : stepLength(a) - pastTaken;
    const length = Math.min(aRest, bRest);
    if (a?.delete !== undefined) {
      // `past` has deleted this range already: nothing is left to delete or to format.
    } else if (b.delete !== undefined) {
      out.delete(length);
    } else {
      out.retain(length, transformAttributes(b.attributes, a?.attributes, pastHasPriority));
    }
    if (length === bRest) {
      j++;
      opTaken = 0;
    } else {
      opTaken += length;
    }
    if (a !== undefined) {
      if (length === aRest) {
        i++;
        pastTaken = 0;
      } else {
        pastTaken += length;
      }
    }
  }
  return out.chopped();
}

/**
 * Returns one patch that has the effect of `first` followed by `second`. quill-delta:
 * `first.compose(second)`.
 */
export function composeDelta(first: Delta, second: Delta): Delta {
  const out = new DeltaBuilder();
  let i = 0;
  let firstTaken = 0;
  let j = 0;
  let secondTaken = 0;
  for (;;) {
    const a = first[i];
    const b = second[j];
    if (b?.insert !== undefined) {
      out.push(b);
      j++;
      continue;
    }
    if (a?.delete !== undefined) {
      out.push(a);
      i++;
      continue;
    }
    if (a === undefined && b === undefined) break;
    const aRest = a === undefined ? Number.POSITIVE_INFINITY : stepLength(a) - firstTaken;
    const bRest = b === undefined ? Number.POSITIVE_INFINITY : stepLength(b) - secondTaken;
    const length = Math.min(aRest, bRest);
    if (b?.delete !== undefined) {
      if (a?.insert === undefined) out.delete(length);
    } else if (a?.insert !== undefined) {
      const attributes = composeAttributes(a.attributes, b?.attributes, false);
      out.insert(
        typeof a.insert === 'string' ? a.insert.slice(firstTaken, firstTaken + length) : a.insert,
        attributes,
      );
    } else {
      out.retain(length, composeAttributes(a?.attributes, b?.attributes, true));
    }
    if (a !== undefined) {
      if (length === aRest) {
        i++;
        firstTaken = 0;
      } else {
        firstTaken += length;
      }
    }
    if (b !== undefined) {
      if (length === bRest) {
        j++;
        secondTaken = 0;
      } else {
        secondTaken += length;
      }
    }
  }
  return out.chopped();
}

/**
 * Collects steps in quill-delta's normal form: neighbours are joined, and at one place an insert stands
 * before a delete.
 */
export class DeltaBuilder {
  readonly #steps: Step[] = [];

  insert(value: string | Embed, attributes: Attributes | undefined): void {
    this.push(attributes === undefined ? { insert: value } : { insert: value, attributes });
  }

  retain(length: number, attributes: Attributes | undefined): void {
    const steps = this.#steps;
    const last = steps[steps.length - 1];
    if (last?.retain !== undefined && sameAttributes(last.attributes, attributes)) {
      steps[steps.length - 1] = retainStep(last.retain + length, attributes);
    } else {
      steps.push(retainStep(length, attributes));
    }
  }

  delete(length: number): void {
    const steps = this.#steps;
    const last = steps[steps.length - 1];
    if (last?.delete !== undefined) steps[steps.length - 1] = { delete: last.delete + length };
    else steps.push({ delete: length });
  }

  push(step: Step): void {
    if (step.retain !== undefined) {
      this.retain(step.retain, step.attributes);
      return;
    }
    if (step.delete !== undefined) {
      this.delete(step.delete);
      return;
    }
    const steps = this.#steps;
    let at = steps.length;
    if (steps[at - 1]?.delete !== undefined) at--;
    const before = steps[at - 1];
    const joined = before === undefined ? undefined : joinInserts(before, step);
    if (joined !== undefined) steps[at - 1] = joined;
    else if (at === steps.length) steps.push(step);
    else steps.splice(at, 0, step);
  }

  /** The steps without a plain retain at the end. The builder must not be used after it. */
  chopped(): Delta {
    if (isPlainRetain(this.#steps[this.#steps.length - 1])) this.#steps.pop();
    return this.#steps;
  }
}

/** Joins two neighbours of one sort into one step. Undefined if they must stay two. */
export function joinSteps(a: Step, b: Step): Step | undefined {
  if (a.delete !== undefined && b.delete !== undefined) return { delete: a.delete + b.delete };
  if (a.retain !== undefined && b.retain !== undefined && sameAttributes(a.attributes, b.attributes)) {
    return retainStep(a.retain + b.retain, a.attributes);
  }
  return joinInserts(a, b);
}

function joinInserts(a: Step, b: Step): Step | undefined {
  if (typeof a.insert !== 'string' || typeof b.insert !== 'string') return undefined;
  if (!sameAttributes(a.attributes, b.attributes)) return undefined;
  const insert = a.insert + b.insert;
  return a.attributes === undefined ? { insert } : { insert, attributes: a.attributes };
}

const retainStep = (length: number, attributes: Attributes | undefined): Step =>
  attributes === undefined ? { retain: length } : { retain: length, attributes };

export const isPlainRetain = (step: Step | undefined): boolean =>
  step?.retain !== undefined && step.attributes === undefined;

/** UTF-16 code units that a step inserts, keeps or deletes. */
export function stepLength(step: Step): number {
  if (step.insert !== undefined) return typeof step.insert === 'string' ? step.insert.length : 1;
  return step.retain ?? step.delete ?? 0;
}

/** Length of the document that a patch walks over. It must not exceed the document's length. */
export function consumedLength(op: Delta): number {
  let length = 0;
  for (const step of op) length += step.retain ?? step.delete ?? 0;
  return length;
}

/** Number of units by which a patch makes a document longer (negative: shorter). */
export function lengthChange(op: Delta): number {
  let change = 0;
  for (const step of op) {
    if (step.insert !== undefined) change += stepLength(step);
    else if (step.delete !== undefined) change -= step.delete;
  }
  return change;
}
