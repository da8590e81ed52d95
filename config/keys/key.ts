// The building blocks of keys of the configuration: a validator with a default, and the key's metadata. The
// keys themselves are in schema.ts.
import { z } from 'zod';
import { DURATION_HINT, readDuration, readSize, SIZE_HINT, showDuration, showSize } from './units.ts';

/** The metadata of a key besides its type. `expected` completes the sentence "expected …". */
export interface KeyMeta {
  readonly description: string;
  readonly expected: string;
  readonly default: unknown;
  readonly form: 'duration' | 'size' | 'text' | 'plain';
  /** The value is never shown. */
  readonly secret?: true;
  /**
   * The value may hold a password. It is shown without the password, and a refused value is not shown at all.
   */
  readonly url?: true;
}

/** The schemas that are keys, each with its metadata. */
export const keys = z.registry<KeyMeta>();

export function key<S extends z.ZodType>(schemaOfKey: S, meta: KeyMeta): S {
  keys.add(schemaOfKey, meta);
  return schemaOfKey;
}

/** A key: its path with dots, such as `limits.frameBytes`, or `faults[].atMs` within a list of maps. */
export interface Key extends KeyMeta {
  readonly path: string;
}

/** The keys of a schema, in its order. Throws for a part without a description. */
export function keysIn(part: z.core.$ZodType, path = ''): Key[] {
  const meta = keys.get(part as z.ZodType);
  if (meta !== undefined) return [{ path, ...meta }];
  if (part instanceof z.ZodPrefault) return keysIn(part.unwrap(), path);
  if (part instanceof z.ZodArray) return keysIn(part.element, `${path}[]`);
  if (!(part instanceof z.ZodObject)) throw new Error(`the schema has no description of ${path}`);
  return Object.entries<z.core.$ZodType>(part.shape).flatMap(([name, child]) =>
    keysIn(child, path === '' ? name : `${path}.${name}`),
  );
}

export function duration(byDefault: number, min: number, max: number, description: string) {
  return key(z.preprocess(readDuration, z.int().min(min).max(max)).default(byDefault), {
    description,
    expected: `${DURATION_HINT}; ${range(min, max, showDuration)}`,
    default: byDefault,
    form: 'duration',
  });
}

export function durationOrForEver(min: number, max: number, description: string) {
  return key(z.preprocess(readDuration, z.int().min(min).max(max).nullable()).default(null), {
    description,
    expected: `null, or ${DURATION_HINT}; ${range(min, max, showDuration)}`,
    default: null,
    form: 'duration',
  });
}

export function size(byDefault: number, min: number, max: number, description: string) {
  return key(z.preprocess(readSize, z.int().min(min).max(max)).default(byDefault), {
    description,
    expected: `${SIZE_HINT}; ${range(min, max, showSize)}`,
    default: byDefault,
    form: 'size',
  });
}

export function count(byDefault: number, min: number, max: number, description: string) {
  return key(z.int().min(min).max(max).default(byDefault), {
    description,
    expected: `an integer ${range(min, max)}`,
    default: byDefault,
    form: 'plain',
  });
}

export function countOrNone(byDefault: number | null, min: number, max: number, description: string) {
  return key(z.int().min(min).max(max).nullable().default(byDefault), {
    description,
    expected: `null, or an integer ${range(min, max)}`,
    default: byDefault,
    form: 'plain',
  });
}

export function sizeOrNone(min: number, max: number, description: string) {
  return key(z.preprocess(readSize, z.int().min(min).max(max).nullable()).default(null), {
    description,
    expected: `null, or ${SIZE_HINT}; ${range(min, max, showSize)}`,
    default: null,
    form: 'size',
  });
}

export function ratio(byDefault: number, min: number, max: number, description: string) {
  return key(z.number().min(min).max(max).default(byDefault), {
    description,
    expected: `a number ${range(min, max)}`,
    default: byDefault,
    form: 'plain',
  });
}

export function flag(byDefault: boolean, description: string) {
  return key(z.boolean().default(byDefault), {
    description,
    expected: 'true or false',
    default: byDefault,
    form: 'plain',
  });
}

export function choice<const T extends readonly string[]>(byDefault: T[number], all: T, description: string) {
  return key(z.enum(all).default(byDefault as never), {
    description,
    expected: all.length === 1 ? String(all[0]) : `one of ${all.join(', ')}`,
    default: byDefault,
    form: 'plain',
  });
}

export function text(byDefault: string, pattern: RegExp, expected: string, description: string) {
  return key(z.string().regex(pattern).default(byDefault), {
    description,
    expected,
    default: byDefault,
    form: 'text',
  });
}

export function textOrNull(pattern: RegExp, expected: string, description: string) {
  return key(z.string().regex(pattern).nullable().default(null), {
    description,
    expected: `null, or ${expected}`,
    default: null,
    form: 'text',
  });
}

/**
 * Completes the sentence "found a URL …" without showing any part of the URL. Undefined if nothing is wrong.
 */
export type UrlProblemOf = (url: string) => string | undefined;

/** A URL, or the word that is the default. */
export function url(byDefault: string, problemOf: UrlProblemOf, expected: string, description: string) {
  const meta = { description, expected, default: byDefault, form: 'text', url: true } as const;
  return key(
    checkedUrl((value) => (value === byDefault ? undefined : problemOf(value))).default(byDefault),
    meta,
  );
}

export function urlOrNull(problemOf: UrlProblemOf, expected: string, description: string) {
  const meta = {
    description,
    expected: `null, or ${expected}`,
    default: null,
    form: 'text',
    url: true,
  } as const;
  return key(checkedUrl(problemOf).nullable().default(null), meta);
}

function checkedUrl(problemOf: UrlProblemOf) {
  return z.string().superRefine((value, context) => {
    const problem = problemOf(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: `a URL ${problem}` });
  });
}

/** Text that is never shown. */
export function secret(minLength: number, description: string) {
  return key(z.string().min(minLength).nullable().default(null), {
    description,
    expected: `null, or ${minLength > 1 ? `at least ${minLength} characters` : 'text'}`,
    default: null,
    form: 'text',
    secret: true,
  });
}

export function list<T extends z.ZodType>(item: T, expected: string, description: string) {
  return key(z.array(item).default([]), { description, expected, default: [], form: 'plain' });
}

function range(min: number, max: number, show: (value: number) => string = String): string {
  return `from ${show(min)} to ${show(max)}`;
}
