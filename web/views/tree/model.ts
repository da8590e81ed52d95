// A `json` document as a tree: the description of a value, the value that a person's words mean, and the
// patches that edit it. Pure.
import type { Json, JsonStep } from '../../../client/index.ts';
import { parseJson } from '../../../protocol/json-text.ts';

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

/** The parts of an object or a list with their keys, in order; empty for any other value. */
export function partsOf(value: Json): (readonly [Key, Json])[] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item] as const);
  return isContainer(value) ? Object.entries(value) : [];
}

/** A value in one line: a text as it is, an object or a list by the number of its parts. */
export function summaryOf(value: Json): string {
  const count = partsOf(value).length;
  const counted = (one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
  if (Array.isArray(value)) return counted('item', 'items');
  if (isContainer(value)) return counted('member', 'members');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The words that a person edits: a text without quotes, any other value as JSON. */
export const wordsOf = (value: Json): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2);

/**
 * The value that typed words mean. If the old value is a text, the new one is a text. Otherwise the words are
 * read as JSON if they are JSON, else as a text.
 */
export function typedValue(words: string, before: Json): Json {
  return typeof before === 'string' ? words : jsonOrText(words);
}

export function jsonOrText(words: string): Json {
  try {
    return parseJson(words) as Json;
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
 * Finds the items of a list that are still there: for each item of `after` the index that it had in `before`,
 * undefined for a new item. Equal items at both ends are the same; between them items are matched one by one.
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
