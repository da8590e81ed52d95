// The form in which a document's value is kept in memory: JSON, except that long lists are chunked, so that
// a step in a list costs the same at any length. Owns the operations that both forms of a list share and
// the way between held and plain values; knows neither steps nor sizes.
import jsonpatch from 'fast-json-patch';
import type { Json } from '../../protocol/messages.ts';
import { ChunkedList } from './chunked-list.ts';
import { escapeToken } from './step.ts';
import { setOwn } from './value.ts';

export type Members = { [key: string]: Held };
export type List = Held[] | HeldList;
export type Container = List | Members;
/** A value in a document. Every JSON value is one too. */
export type Held = null | boolean | number | string | Container;

/** The class of chunked lists. It has a name of its own because the type of held values is recursive. */
export class HeldList extends ChunkedList<Held> {
  /** JSON.stringify calls this. */
  toJSON(): Held[] {
    const out: Held[] = [];
    for (const items of this.chunks()) out.push(...items);
    return out;
  }
}

/**
 * The sizes from which a document's value is no longer held plainly. They change costs only, never results.
 */
export interface HeldShape {
  /** Most elements of a plain list. A longer list is chunked. */
  readonly plainItems: number;
  /** Most elements of a chunk. */
  readonly fanOut: number;
  /**
   * A container of at least this many bytes has its size kept from the beginning. A smaller container is
   * walked.
   */
  readonly largeBytes: number;
  /** Bytes of a document's text that are read or written at once. */
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

/** Returns an own member, or undefined if there is none. */
export const memberOf = (members: Members, key: string): Held | undefined =>
  Object.hasOwn(members, key) ? members[key] : undefined;

export function itemOf(list: List, index: number): Held {
  return list instanceof HeldList ? list.at(index) : (list[index] ?? null);
}

// fast-json-patch looks paths up through prototypes, accepts any index and reads `01` as 1. Therefore
// callers find and check the place, and fast-json-patch gets only the last token.

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

/** True if `value` equals `other` by RFC 6902 section 4.6: key order means nothing. */
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
