// Checks, copies, compares and measures JSON values. It looks at own properties only, so that a member
// named `__proto__` or `hasOwnProperty` is a member like any other. (fast-json-patch compares through the
// value's own `hasOwnProperty` and copies through text; this file replaces both.)
import type { Json } from '../../protocol/messages.ts';
import { isInexact } from '../../protocol/plain-value.ts';

const LONE_SURROGATE = /\p{Surrogate}/u;

/** True if the string is not well-formed Unicode text. */
export const isMalformed = (text: string): boolean => LONE_SURROGATE.test(text);

/**
 * Returns a copy of `value` if it is JSON by the contract, nested at most `depth` deep (a scalar is 0
 * deep). Otherwise returns undefined and puts the reason into `report.problem`. An endless `depth` is for
 * values that were committed earlier: they may hold numbers beyond ±(2^53 − 1), which the server once
 * accepted.
 */
export function copyChecked(value: unknown, depth: number, report: { problem: string }): Json | undefined {
  switch (typeof value) {
    case 'string':
      if (isMalformed(value)) return refuse(report, 'a string holds a lone surrogate');
      return value;
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value)) return refuse(report, 'a number is not finite');
      if (isInexact(value) && depth !== Number.POSITIVE_INFINITY)
        return refuse(report, 'a number is outside ±(2^53 − 1)');
      return value;
    case 'object':
      if (value === null) return null;
      if (depth <= 0) return refuse(report, 'nested too deep');
      return Array.isArray(value) ? copyList(value, depth, report) : copyObject(value, depth, report);
    default:
      return refuse(report, `${typeof value} is not JSON`);
  }
}

function refuse(report: { problem: string }, problem: string): undefined {
  report.problem = problem;
  return undefined;
}

function copyList(list: readonly unknown[], depth: number, report: { problem: string }): Json[] | undefined {
  const out: Json[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = copyChecked(list[i], depth - 1, report);
    if (item === undefined) return undefined;
    out.push(item);
  }
  return out;
}

function copyObject(
  value: object,
  depth: number,
  report: { problem: string },
): { [key: string]: Json } | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  // An object of another realm has an Object.prototype of its own.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    return refuse(report, 'an object is not plain');
  const out: { [key: string]: Json } = {};
  for (const [key, member] of Object.entries(value)) {
    if (isMalformed(key)) return refuse(report, 'a key holds a lone surrogate');
    const copy = copyChecked(member, depth - 1, report);
    if (copy === undefined) return undefined;
    setOwn(out, key, copy);
  }
  return out;
}

/** Sets an own member, also if its name would reach a setter of Object.prototype. */
export function setOwn<T>(target: { [key: string]: T }, key: string, value: T): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else target[key] = value;
}

/** A deep copy of a value that is known to be JSON. */
export function clone(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone);
  const out: { [key: string]: Json } = {};
  for (const key of Object.keys(value)) setOwn(out, key, clone(value[key] ?? null));
  return out;
}

/** Equality by RFC 6902 section 4.6: key order means nothing. */
export function equal(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => equal(item, b[i] ?? null));
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && equal(a[key] ?? null, b[key] ?? null));
}

/** Bytes of `value` in JSON. Exact, except that each container that is not empty counts one byte too many. */
export function bytesOf(value: Json): number {
  switch (typeof value) {
    case 'string':
      return stringBytes(value);
    case 'number':
      return numberBytes(value);
    case 'boolean':
      return value ? 4 : 5;
    default:
      break;
  }
  if (value === null) return 4;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) bytes += bytesOf(item) + 1;
    return bytes;
  }
  for (const key of Object.keys(value)) bytes += memberBytes(key) + bytesOf(value[key] ?? null);
  return bytes;
}

/** Bytes of a member without its value: key, colon, comma. */
export const memberBytes = (key: string): number => stringBytes(key) + 2;

function numberBytes(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 1e9) {
    let digits = 1;
    for (let rest = value; rest >= 10; rest /= 10) digits++;
    return digits;
  }
  return JSON.stringify(value).length;
}

const PLAIN = /^[ !#-[\]-~]*$/;

function stringBytes(text: string): number {
  if (PLAIN.test(text)) return text.length + 2;
  let bytes = 2;
  for (let i = 0; i < text.length; i++) bytes += unitBytes(text.charCodeAt(i));
  return bytes;
}

function unitBytes(unit: number): number {
  if (unit < 0x20) return unit >= 8 && unit <= 13 && unit !== 11 ? 2 : 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  if (unit < 0x80) return 1;
  // Each half of a surrogate pair counts two bytes; the pair takes four.
  return unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
}
