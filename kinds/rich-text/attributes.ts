// Compares, composes, inverts and transforms attribute maps. The results are exactly those of quill-delta's
// AttributeMap, which clients run on their side, but nothing is cloned: maps are immutable here. This file
// never looks at text or positions.
import type { Json } from '../../protocol/messages.ts';

/** Formatting of a run, by name. In a retain, `null` takes the name away. */
export interface Attributes {
  readonly [name: string]: Json;
}

/**
 * The attributes of a run after `change`, or undefined for none. `keepNull` is for composing two changes
 * instead of a run and a change.
 */
export function composeAttributes(
  base: Attributes | undefined,
  change: Attributes | undefined,
  keepNull: boolean,
): Attributes | undefined {
  if (change === undefined && (base === undefined || keepNull)) return base;
  const from = base ?? NONE;
  const to = change ?? NONE;
  const result: Record<string, Json> = {};
  let any = false;
  for (const name of Object.keys(to)) {
    const value = to[name];
    if (value === undefined || (value === null && !keepNull)) continue;
    result[name] = value;
    any = true;
  }
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (value === undefined || to[name] !== undefined) continue;
    result[name] = value;
    any = true;
  }
  return any ? result : undefined;
}

/** Returns the change that takes `change` back from a run that had `base`. */
export function invertAttributes(change: Attributes, base: Attributes | undefined): Attributes | undefined {
  const from = base ?? NONE;
  const result: Record<string, Json> = {};
  let any = false;
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (value === undefined || change[name] === undefined || change[name] === value) continue;
    result[name] = value;
    any = true;
  }
  for (const name of Object.keys(change)) {
    if (from[name] !== undefined) continue;
    result[name] = null;
    any = true;
  }
  return any ? result : undefined;
}

/**
 * Transforms `change` past `past`, which was made at the same time. With priority, the names of `past` win.
 */
export function transformAttributes(
  change: Attributes | undefined,
  past: Attributes | undefined,
  pastHasPriority: boolean,
): Attributes | undefined {
  if (change === undefined || past === undefined || !pastHasPriority) return change;
  const result: Record<string, Json> = {};
  let any = false;
  for (const name of Object.keys(change)) {
    const value = change[name];
    if (value === undefined || past[name] !== undefined) continue;
    result[name] = value;
    any = true;
  }
  return any ? result : undefined;
}

export function sameAttributes(a: Attributes | undefined, b: Attributes | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameJson(a, b));
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameJson(a[i], b[i])) return false;
    return true;
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  for (const name of names)
    if (!Object.hasOwn(right, name) || !sameJson(left[name], right[name])) return false;
  return true;
}

const NONE: Attributes = {};
