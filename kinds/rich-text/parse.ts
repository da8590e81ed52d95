// Checks the shape of a Delta from outside, without any document. It owns every `bad-op` that the patch
// alone can show, and never throws.
import { isInexact } from '../../protocol/plain-value.ts';
import type { KindFailure, Result } from '../kind.ts';
import type { Attributes } from './attributes.ts';
import { type Delta, joinSteps, type Step } from './delta.ts';

/**
 * Returns a patch in working form, or `bad-op`. An endless `depth` is for patches that were committed
 * earlier: they may hold empty embeds and numbers beyond ±(2^53 − 1), which the server once accepted. Empty
 * attribute maps are dropped and neighbours of one sort are joined, which does not change how a patch
 * applies or meets others; the order of steps is kept. The result may share structure with `wire`, which
 * must not be changed any more.
 */
export function parseDelta(wire: unknown, depth: number): Result<Delta> {
  if (!Array.isArray(wire)) return bad('a patch is an array of insert, retain and delete');
  const steps: unknown[] = wire;
  for (let i = 0; i < steps.length; i++) {
    const problem = stepProblem(steps[i], depth);
    if (problem !== undefined) return bad(`step ${i}: ${problem}`);
  }
  return { ok: true, value: tidy(wire as Step[]) };
}

function stepProblem(step: unknown, depth: number): string | undefined {
  if (!isPlainObject(step)) return 'not an object';
  let action: string | undefined;
  let attributes: unknown;
  for (const key of Object.keys(step)) {
    if (step[key] === undefined) continue;
    if (key === 'attributes') attributes = step[key];
    else if (key !== 'insert' && key !== 'retain' && key !== 'delete') return 'unknown field';
    else if (action !== undefined) return 'more than one of insert, retain and delete';
    else action = key;
  }
  if (action === undefined) return 'none of insert, retain and delete';
  const value = step[action];
  if (action === 'insert') {
    if (typeof value === 'string') {
      if (value.length === 0) return 'empty insert';
      if (!isWellFormed(value)) return 'lone surrogate in text';
    } else if (!isPlainObject(value)) {
      return 'an insert is text or an object';
    } else {
      if (depth !== Number.POSITIVE_INFINITY && isEmptyMap(value as Attributes)) return 'empty embed';
      // The array is level 1, its step is level 2, the embed is level 3.
      const problem = valueProblem(value, depth - 2);
      if (problem !== undefined) return problem;
    }
  } else if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    return `${action} is not a positive integer`;
  }
  if (attributes === undefined) return undefined;
  if (action === 'delete') return 'attributes on a delete';
  if (!isPlainObject(attributes)) return 'attributes are not an object';
  if (action === 'insert') {
    for (const name of Object.keys(attributes)) {
      if (attributes[name] === null) return 'null attribute on an insert';
    }
  }
  return valueProblem(attributes, depth - 2);
}

/** Returns the problem of a JSON value that may nest `depth` levels of arrays and objects, or undefined. */
function valueProblem(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'string':
      return isWellFormed(value) ? undefined : 'lone surrogate in a value';
    case 'number':
      if (!Number.isFinite(value)) return 'number is not finite';
      return isInexact(value) && depth !== Number.POSITIVE_INFINITY ? 'number beyond ±(2^53 − 1)' : undefined;
    case 'object':
      break;
    default:
      return 'not a JSON value';
  }
  if (value === null) return undefined;
  if (depth < 1) return 'nested too deeply';
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) {
      const problem = valueProblem(item, depth - 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if (!isPlainObject(value)) return 'not a JSON value';
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') return 'forbidden key';
    if (!isWellFormed(key)) return 'lone surrogate in a key';
    const problem = valueProblem(value[key], depth - 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Returns the same array if nothing needs tidying, which is the usual case. */
function tidy(steps: Step[]): Delta {
  let before: Step | undefined;
  for (const step of steps) {
    if (!isTidy(step) || (before !== undefined && joinSteps(before, step) !== undefined))
      return tidied(steps);
    before = step;
  }
  return steps;
}

function isTidy(step: Step): boolean {
  for (const key in step) if (step[key as keyof Step] === undefined) return false;
  return step.attributes === undefined || !isEmptyMap(step.attributes);
}

function tidied(steps: Step[]): Delta {
  const out: Step[] = [];
  for (const step of steps) {
    const { insert, retain, delete: length, attributes } = step;
    const bare: Step =
      insert !== undefined
        ? { insert }
        : retain !== undefined
          ? { retain }
          : length !== undefined
            ? { delete: length }
            : step;
    const next = attributes === undefined || isEmptyMap(attributes) ? bare : { ...bare, attributes };
    const last = out[out.length - 1];
    const joined = last === undefined ? undefined : joinSteps(last, next);
    if (joined === undefined) out.push(next);
    else out[out.length - 1] = joined;
  }
  return out;
}

const isEmptyMap = (map: Attributes): boolean => {
  for (const _ in map) return false;
  return true;
};

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const LONE_SURROGATE = /\p{Surrogate}/u;
const isWellFormed = (text: string): boolean => {
  if (text.length === 1) {
    const code = text.charCodeAt(0);
    return code < 0xd800 || code > 0xdfff;
  }
  return !LONE_SURROGATE.test(text);
};

const bad = (message: string): KindFailure => ({ ok: false, code: 'bad-op', message });
