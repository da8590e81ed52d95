// The patch that leads from one JSON value to another. Pure.
import type { Json } from '../../protocol/messages.ts';
import { Delta } from '../rich-text/quill-delta.ts';
import type { JsonOp, Step, Token } from './step.ts';
import { equal } from './value.ts';

/** It changes only what differs. Its steps share values with `after`. */
export const jsonDifference = (before: Json, after: Json): JsonOp => ({
  steps: differences([], before, after),
  known: true,
});

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

/**
 * Elements that both lists have in the same order stay. Between them, elements are matched by position, and the rest
 * is inserted or removed.
 */
function listDifferences(path: readonly Token[], before: readonly Json[], after: readonly Json[]): Step[] {
  const steps: Step[] = [];
  // The place in the list as the steps so far have left it.
  let place = 0;
  let [gone, come] = [0, 0];
  const bothEnd = { before: before.length, after: after.length, length: 0 };
  for (const common of [...commonElements(before, after), bothEnd]) {
    for (; gone < common.before && come < common.after; gone++, come++, place++)
      steps.push(...differences([...path, place], before[gone] ?? null, after[come] ?? null));
    for (; gone < common.before; gone++) steps.push({ op: 'remove', path: [...path, place] });
    for (; come < common.after; come++, place++)
      steps.push({ op: 'add', path: [...path, place], value: after[come] ?? null });
    gone += common.length;
    come += common.length;
    place += common.length;
  }
  return steps;
}

/** A stretch of equal elements in two lists. */
interface Common {
  readonly before: number;
  readonly after: number;
  readonly length: number;
}

/** Pairs of elements that the search for common elements may compare. Past it only equal ends stay. */
const MOST_PAIRS = 4_000_000;
/** Each distinct element is written as one code unit below the surrogates. */
const MOST_ELEMENTS = 50_000;

function commonElements(before: readonly Json[], after: readonly Json[]): Common[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && equal(before[start] ?? null, after[start] ?? null)) start++;
  let end = 0;
  while (end < shorter - start && equal(before.at(-1 - end) ?? null, after.at(-1 - end) ?? null)) end++;
  const old = before.slice(start, before.length - end);
  const fresh = after.slice(start, after.length - end);
  const common = [{ before: 0, after: 0, length: start }];
  if (old.length * fresh.length <= MOST_PAIRS && old.length + fresh.length <= MOST_ELEMENTS)
    for (const { before: b, after: a, length } of compared(old, fresh))
      common.push({ before: start + b, after: start + a, length });
  common.push({ before: before.length - end, after: after.length - end, length: end });
  return common;
}

function compared(before: readonly Json[], after: readonly Json[]): Common[] {
  if (before.length === 0 || after.length === 0) return [];
  const units = new Map<string, string>();
  const write = (list: readonly Json[]): Delta => {
    const text = list.map((element) => {
      const key = canonical(element);
      const unit = units.get(key) ?? String.fromCharCode(units.size + 1);
      units.set(key, unit);
      return unit;
    });
    return new Delta().insert(text.join(''));
  };
  const common: Common[] = [];
  let [b, a] = [0, 0];
  for (const { retain, delete: gone = 0, insert = '' } of write(before).diff(write(after)).ops) {
    if (typeof retain === 'number') {
      common.push({ before: b, after: a, length: retain });
      b += retain;
      a += retain;
    } else {
      b += gone;
      a += typeof insert === 'string' ? insert.length : 0;
    }
  }
  // A Delta does not contain what is kept at its end.
  if (b < before.length) common.push({ before: b, after: a, length: before.length - b });
  return common;
}

/** A text that is the same for equal values. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join()}}`;
}

const isObject = (value: Json): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
