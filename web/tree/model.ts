// A `json` document as a tree: what a value is called, what a person's words mean as a value, and the patches that edit
// it. Pure.
import type { Json, JsonStep } from '../../client/index.ts';

/** A member's name, or an item's index. */
export type Key = string | number;
export type Path = readonly Key[];

export type TypeName = 'object' | 'list' | 'text' | 'number' | 'true or false' | 'null';

export function typeOf(value: Json): TypeName {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'object') return 'object';
  if (typeof value === 'string') return 'text';
  return typeof value === 'number' ? 'number' : 'true or false';
}

export const isContainer = (value: Json): value is Json[] | { [key: string]: Json } =>
  typeof value === 'object' && value !== null;

/** The parts of an object or a list with their keys, in their order; none of anything else. */
export function partsOf(value: Json): (readonly [Key, Json])[] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item] as const);
  return isContainer(value) ? Object.entries(value) : [];
}

/** In one line: a text as it is, what contains something by how much it contains. */
export function summaryOf(value: Json): string {
  const count = partsOf(value).length;
  const counted = (one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
  if (Array.isArray(value)) return counted('item', 'items');
  if (isContainer(value)) return counted('member', 'members');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What a person gets to edit: a text without quotes, anything else as JSON. */
export const wordsOf = (value: Json): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2);

/** What was typed as the new value of a text stays a text. Other words are JSON where they can be, else a text. */
export function typedValue(words: string, before: Json): Json {
  return typeof before === 'string' ? words : jsonOrText(words);
}

export function jsonOrText(words: string): Json {
  try {
    return JSON.parse(words);
  } catch {
    return words;
  }
}

export function pointerTo(path: Path): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export const replaceAt = (path: Path, value: Json): JsonStep[] => [
  { op: 'replace', path: pointerTo(path), value },
];

export const addItem = (list: Path, value: Json): JsonStep[] => [
  { op: 'add', path: pointerTo([...list, '-']), value },
];

export const addMember = (object: Path, name: string, value: Json): JsonStep[] => [
  { op: 'add', path: pointerTo([...object, name]), value },
];

export const removeAt = (path: Path): JsonStep[] => [{ op: 'remove', path: pointerTo(path) }];

export const moveTo = (from: Path, to: Path): JsonStep[] => [
  { op: 'move', from: pointerTo(from), path: pointerTo(to) },
];

/**
 * Which of a list's items are still there: for each item of `after` the index that it had in `before`, undefined where
 * it is new. What is equal at both ends is the same; between them items are taken one by one.
 */
export function matchItems<Item>(
  before: readonly Item[],
  after: readonly Item[],
  equal: (one: Item, other: Item) => boolean,
): (number | undefined)[] {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && equal(before[start] as Item, after[start] as Item)) start += 1;
  let end = 0;
  while (
    end < most - start &&
    equal(before[before.length - 1 - end] as Item, after[after.length - 1 - end] as Item)
  )
    end += 1;
  return after.map((_, index) => {
    if (index >= after.length - end) return before.length - (after.length - index);
    return index < before.length - end ? index : undefined;
  });
}
