// The form in which a document's value is kept in memory: JSON, except that long lists are chunked and large
// objects are in buckets, so that a step costs the same at any size. Owns the operations that both forms of a list, or of an object, share and
// the way between held and plain values; knows neither steps nor sizes.
import jsonpatch from 'fast-json-patch';
import type { Json } from '../../../protocol/messages.ts';
import { escapeToken } from '../step.ts';
import { setOwn } from '../value.ts';
import { BucketedMembers } from './bucketed-members.ts';
import { ChunkedList, groupLength } from './chunked-list.ts';

export type PlainMembers = { [key: string]: Held };
export type Members = PlainMembers | HeldMembers;
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

/** The class of objects in buckets. It has a name of its own for the same reason. */
export class HeldMembers extends BucketedMembers<Held> {
  static of(members: PlainMembers): HeldMembers {
    const held = new HeldMembers();
    for (const key of Object.keys(members)) held.set(key, members[key] ?? null);
    return held;
  }

  /** JSON.stringify calls this. */
  toJSON(): PlainMembers {
    const out: PlainMembers = {};
    for (const [key, value] of this.entries()) setOwn(out, key, value);
    return out;
  }
}

/** A list whose elements come one by one. It is held as its length demands. */
export class ListBuilder {
  readonly #shape: HeldShape;
  /** All elements of a list that is short so far; otherwise those of the last group. */
  #items: Held[] = [];
  #groups: Held[][] | undefined;

  constructor(shape: HeldShape) {
    this.#shape = shape;
  }

  push(item: Held): void {
    this.#items.push(item);
    const { plainItems, fanOut } = this.#shape;
    const size = groupLength(fanOut);
    if (this.#groups !== undefined) {
      if (this.#items.length < size) return;
      this.#groups.push(this.#items);
      this.#items = [];
    } else if (this.#items.length > plainItems) {
      this.#groups = [];
      const all = this.#items;
      let from = 0;
      for (; from + size <= all.length; from += size) this.#groups.push(all.slice(from, from + size));
      this.#items = all.slice(from);
    }
  }

  /** Call it once, after the last element. */
  list(): List {
    if (this.#groups === undefined) return this.#items;
    if (this.#items.length > 0) this.#groups.push(this.#items);
    return new HeldList([], this.#shape.fanOut, this.#groups);
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
  /**
   * An object of more bytes than this is in buckets. Bytes stand for members, because a plain object does not
   * know their number.
   */
  readonly plainBytes: number;
  /** Bytes of a document's text that are read or written at once. */
  readonly pieceBytes: number;
}

export const HELD_SHAPE: HeldShape = {
  plainItems: 1024,
  fanOut: 64,
  largeBytes: 1024,
  plainBytes: 64 * 1024,
  pieceBytes: 32 * 1024,
};

export const isContainer = (value: Held | undefined): value is Container =>
  typeof value === 'object' && value !== null;

export const isList = (value: Held | undefined): value is List =>
  Array.isArray(value) || value instanceof HeldList;

export const hasMember = (members: Members, key: string): boolean =>
  members instanceof HeldMembers ? members.has(key) : Object.hasOwn(members, key);

/** Returns an own member, or undefined if there is none. */
export function memberOf(members: Members, key: string): Held | undefined {
  if (members instanceof HeldMembers) return members.get(key);
  return Object.hasOwn(members, key) ? members[key] : undefined;
}

export function* membersOf(members: Members): Generator<readonly [key: string, value: Held], undefined> {
  if (members instanceof HeldMembers) yield* members.entries();
  else for (const key of Object.keys(members)) yield [key, members[key] ?? null];
}

const countOf = (members: Members): number =>
  members instanceof HeldMembers ? members.size : Object.keys(members).length;

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

/** Sets a member that a path names. */
export function setMember(members: Members, key: string, value: Held): void {
  if (members instanceof HeldMembers) members.set(key, value);
  else jsonpatch.applyOperation(members, { op: 'add', path: `/${escapeToken(key)}`, value });
}

/** Sets a member of any name. */
export function putMember(members: Members, key: string, value: Held): void {
  if (members instanceof HeldMembers) members.set(key, value);
  else setOwn(members, key, value);
}

export function removeMember(members: Members, key: string): void {
  if (members instanceof HeldMembers) members.delete(key);
  else jsonpatch.applyOperation(members, { op: 'remove', path: `/${escapeToken(key)}` });
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
  for (const [key, member] of membersOf(value)) setOwn(out, key, plain(member));
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
  if (countOf(value) !== Object.keys(other).length) return false;
  for (const [key, member] of membersOf(value))
    if (!Object.hasOwn(other, key) || !holds(member, other[key] ?? null)) return false;
  return true;
}
