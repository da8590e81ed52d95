// How a document's value is held: as JSON, but for long lists, which are chunked so that a step in one
// costs the same however long it is. Owns what the two forms of a list have in common and the way
// between held and plain values; knows neither steps nor sizes.
import jsonpatch from 'fast-json-patch';
import type { Json } from '../../protocol/messages.ts';
import { ChunkedList } from './chunked-list.ts';
import { escapeToken } from './step.ts';
import { setOwn } from './value.ts';

export type Members = { [key: string]: Held };
export type List = Held[] | HeldList;
export type Container = List | Members;
/** A value in a document. JSON is one too. */
export type Held = null | boolean | number | string | Container;

/** The class by a name of its own: the type of held values is recursive. */
export class HeldList extends ChunkedList<Held> {
  /** For JSON.stringify. */
  toJSON(): Held[] {
    const out: Held[] = [];
    for (const items of this.chunks()) out.push(...items);
    return out;
  }
}

/** Where a document begins to be held otherwise than plainly. Results never hang on it, only costs. */
export interface HeldShape {
  /** Most elements of a plain list; a longer one is chunked. */
  readonly plainItems: number;
  /** Most elements of a chunk. */
  readonly fanOut: number;
  /** The size of a container of this many bytes is kept from the beginning; a smaller one is walked. */
  readonly largeBytes: number;
  /** Of a document's text so many bytes are read or written at once. */
  readonly pieceBytes: number;
}

export const HELD_SHAPE: HeldShape = {
  plainItems: 1024,
  fanOut: 64,
  largeBytes: 1024,
  pieceBytes: 32 * 1024,
};

export const isContainer = (value: Held | undefined): value is Container =>
  typeof value === 'object' && value !== null;

export const isList = (value: Held | undefined): value is List =>
  Array.isArray(value) || value instanceof HeldList;

/** An own member; undefined where there is none. */
export const memberOf = (members: Members, key: string): Held | undefined =>
  Object.hasOwn(members, key) ? members[key] : undefined;

export function itemOf(list: List, index: number): Held {
  return list instanceof HeldList ? list.at(index) : (list[index] ?? null);
}

// fast-json-patch looks paths up through prototypes, takes any index and reads `01` as 1, so callers find
// and check the place, and it is given only the last token.

export function setItem(list: List, index: number, value: Held): void {
  if (list instanceof HeldList) list.set(index, value);
  else jsonpatch.applyOperation(list, { op: 'replace', path: `/${index}`, value });
}

export function insertItem(list: List, index: number, value: Held): void {
  if (list instanceof HeldList) list.insert(index, value);
  else jsonpatch.applyOperation(list, { op: 'add', path: `/${index}`, value });
}

export function removeItem(list: List, index: number): void {
  if (list instanceof HeldList) list.remove(index);
  else jsonpatch.applyOperation(list, { op: 'remove', path: `/${index}` });
}

export function setMember(members: Members, key: string, value: Held): void {
  jsonpatch.applyOperation(members, { op: 'add', path: `/${escapeToken(key)}`, value });
}

export function removeMember(members: Members, key: string): void {
  jsonpatch.applyOperation(members, { op: 'remove', path: `/${escapeToken(key)}` });
}

/** A deep copy as JSON. */
export function plain(value: Held): Json {
  if (!isContainer(value)) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof HeldList) {
    const out: Json[] = [];
    for (const items of value.chunks()) for (const item of items) out.push(plain(item));
    return out;
  }
  const out: { [key: string]: Json } = {};
  for (const key of Object.keys(value)) setOwn(out, key, plain(value[key] ?? null));
  return out;
}

/** Whether `value` is `other`, as RFC 6902 section 4.6 has it: key order means nothing. */
export function holds(value: Held, other: Json): boolean {
  if (value === other) return true;
  if (!isContainer(value) || typeof other !== 'object' || other === null) return false;
  if (isList(value)) {
    if (!Array.isArray(other) || value.length !== other.length) return false;
    let at = 0;
    for (const items of Array.isArray(value) ? [value] : value.chunks())
      for (const item of items) if (!holds(item, other[at++] ?? null)) return false;
    return true;
  }
  if (Array.isArray(other)) return false;
  const keys = Object.keys(value);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && holds(value[key] ?? null, other[key] ?? null));
}
