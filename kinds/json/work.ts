// Estimates the cost of a JSON Patch from the number of its steps, tokens and values. Owns the constants,
// which `npm run work` measures; never looks at a document.
import type { Json } from '../../protocol/messages.ts';
import type { Work } from '../kind.ts';
import { isAmbiguous, type JsonOp, type Pointer, type Step } from './step.ts';

/** Microseconds for transforming one step past one step of the history. */
const PAIR_US = 0.15;
/** Added for a step that may name a list index: the index is looked up and may have to be shifted. */
const INDEXED_PAIR_US = 0.55;
/** Added for each token of a pointer. */
const TOKEN_PAIR_US = 0.02;
/** Added for each token that may be an index. */
const AMBIGUOUS_PAIR_US = 0.03;
/** Added for a `-`, whose number is found by a binary search. */
const END_PAIR_US = 0.4;

/** Microseconds for reading, applying and encoding one step, without its value. */
const STEP_US = 3;
/** Added for each token of a pointer. */
const TOKEN_US = 0.1;
/** Added for each scalar, list and object of a value. */
const VALUE_US = 0.15;
/** Added for each list or object. */
const CONTAINER_US = 0.8;
/** Added for each member of an object. */
const MEMBER_US = 0.5;

/** Estimates the cost of `op` past `past`. O(steps of both + values of `op`). */
export function work(op: JsonOp, past: readonly JsonOp[]): Work {
  let pairUs = 0;
  let applyUs = 0;
  for (const step of op.steps) {
    for (const pointer of pointersOf(step)) {
      pairUs += pairUsOf(pointer);
      applyUs += TOKEN_US * pointer.length;
    }
    applyUs += STEP_US;
    if (step.op === 'add' || step.op === 'replace' || step.op === 'test') applyUs += valueUs(step.value);
  }
  let pastSteps = 0;
  for (const { steps } of past) pastSteps += steps.length;
  return { transformMs: (pairUs * pastSteps) / 1000, applyMs: applyUs / 1000 };
}

const pointersOf = (step: Step): readonly Pointer[] =>
  step.op === 'move' || step.op === 'copy' ? [step.from, step.path] : [step.path];

function pairUsOf(pointer: Pointer): number {
  let us = PAIR_US + TOKEN_PAIR_US * pointer.length;
  let indexed = false;
  for (const token of pointer) {
    if (typeof token === 'string' && !isAmbiguous(token)) continue;
    indexed = true;
    us += AMBIGUOUS_PAIR_US;
  }
  if (indexed) us += INDEXED_PAIR_US;
  if (pointer.at(-1) === '-') us += END_PAIR_US;
  return us;
}

function valueUs(value: Json): number {
  if (typeof value !== 'object' || value === null) return VALUE_US;
  let us = VALUE_US + CONTAINER_US;
  if (Array.isArray(value)) for (const item of value) us += valueUs(item);
  else for (const key of Object.keys(value)) us += MEMBER_US + valueUs(value[key] ?? null);
  return us;
}
