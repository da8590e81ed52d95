// Reads a document's value from JSON text and writes it back, in pieces of about a millisecond. A document
// of many megabytes takes tenths of a second, and other documents have their turns between two pieces. Owns
// where the text is cut; JSON.parse and JSON.stringify do the rest.

import { parseJson } from '../../../protocol/json-text.ts';
import type { Json } from '../../../protocol/messages.ts';
import { memberBytes, setOwn } from '../value.ts';
import {
  type Container,
  type Held,
  HeldList,
  HeldMembers,
  isContainer,
  type ListBuilder,
  type Members,
  membersOf,
  type PlainMembers,
  putMember,
} from './held.ts';
import type { Size, Sizes } from './sizes.ts';

/** A list or object of the text whose end has not been reached. */
interface Open {
  readonly items: ListBuilder | undefined;
  members: Members;
  /** Position behind the opening bracket. */
  readonly start: number;
  /** The text before this position has been read. */
  from: number;
  /** Position behind the latest comma of this container, or `start`. */
  element: number;
  /** Position of the latest colon of this container. */
  colon: number;
  /** True once a part of the container has been read into this object. */
  isCut: boolean;
  bytes: number;
  containers: number;
  height: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const LIST = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** @param text the JSON text; the generator throws if it is not JSON */
export function* readPieces(
  text: string,
  sizes: Sizes,
): Generator<undefined, { readonly value: Held; readonly size: Size }, undefined> {
  const reader = new Reader(text, sizes);
  while (reader.next()) yield;
  return reader.end();
}

class Reader {
  readonly #text: string;
  readonly #sizes: Sizes;
  /**
   * The containers that are open, outermost first. The first entry stands around the text, which is its one
   * element.
   */
  readonly #open: Open[];
  #at = 0;

  constructor(text: string, sizes: Sizes) {
    this.#text = text;
    this.#sizes = sizes;
    this.#open = [opened(sizes.listBuilder(), 0)];
  }

  /** Reads the next piece. False after the last piece. */
  next(): boolean {
    const text = this.#text;
    const until = this.#at + this.#sizes.pieceBytes;
    for (; this.#at < text.length && this.#at < until; this.#at++) {
      switch (text.charCodeAt(this.#at)) {
        case QUOTE:
          this.#at = endOfString(text, this.#at);
          break;
        case LIST:
          this.#open.push(opened(this.#sizes.listBuilder(), this.#at + 1));
          break;
        case OBJECT:
          this.#open.push(opened(undefined, this.#at + 1));
          break;
        case COLON:
          this.#top.colon = this.#at;
          break;
        case COMMA:
          this.#comma();
          break;
        case LIST_END:
          this.#close(true);
          break;
        case OBJECT_END:
          this.#close(false);
          break;
        default:
          break;
      }
    }
    return this.#at < text.length;
  }

  end(): { readonly value: Held; readonly size: Size } {
    const root = this.#top;
    this.#read(root, this.#text.length);
    const list = root.items?.list();
    const value = Array.isArray(list) && list.length === 1 ? list[0] : undefined;
    if (this.#open.length !== 1 || value === undefined) throw new SyntaxError('not one JSON value');
    // The brackets and the separator of the first entry are not part of the text.
    return {
      value,
      size: { bytes: root.bytes - 3, containers: root.containers - 1, height: root.height },
    };
  }

  get #top(): Open {
    const top = this.#open.at(-1);
    if (top === undefined) throw new SyntaxError('a closing bracket has no opening bracket');
    return top;
  }

  #comma(): void {
    const open = this.#top;
    if (this.#at - open.from > this.#sizes.pieceBytes) this.#read(open, this.#at);
    open.element = this.#at + 1;
  }

  #close(isList: boolean): void {
    const closed = this.#top;
    if (isList !== (closed.items !== undefined)) throw new SyntaxError('brackets do not match');
    // A small container is read together with its surroundings.
    if (!closed.isCut && this.#at - closed.start <= this.#sizes.pieceBytes) {
      this.#open.pop();
      return;
    }
    this.#read(closed, this.#at);
    this.#open.pop();
    const size: Size = { bytes: closed.bytes, containers: closed.containers, height: closed.height + 1 };
    const value = this.#sizes.assembled(closed.items?.list() ?? closed.members, size);
    const around = this.#top;
    const isFirst = around.element === around.start;
    if (around.isCut && around.element <= around.from) throw new SyntaxError('a comma is missing');
    this.#read(around, isFirst ? around.start : around.element - 1);
    if (around.items !== undefined) {
      around.items.push(value);
      around.bytes += 1;
    } else {
      const key: unknown = JSON.parse(this.#text.slice(around.element, around.colon));
      if (typeof key !== 'string') throw new SyntaxError('a key is not a string');
      putMember(around.members, key, value);
      around.bytes += memberBytes(key);
    }
    add(around, size);
    this.#bucket(around);
    around.from = this.#at + 1;
    around.element = this.#at + 1;
  }

  /** Reads the part of `open` between its last read position and `end`. */
  #read(open: Open, end: number): void {
    const all = this.#text.slice(open.from, end).trim();
    const isFirst = open.from === open.start;
    open.from = end;
    open.isCut = true;
    if (all === '') return;
    if (!isFirst && !all.startsWith(',')) throw new SyntaxError('a comma is missing');
    const text = isFirst ? all : all.slice(1).trim();
    if (text === '') throw new SyntaxError('a value is missing');
    const sizes = this.#sizes;
    if (open.items !== undefined) {
      for (const item of parseJson(`[${text}]`) as Json[]) {
        const { value, size } = sizes.hold(item);
        open.items.push(value);
        open.bytes += 1;
        add(open, size);
      }
      return;
    }
    const members = parseJson(`{${text}}`) as { [key: string]: Json };
    for (const key of Object.keys(members)) {
      const { value, size } = sizes.hold(members[key] ?? null);
      putMember(open.members, key, value);
      open.bytes += memberBytes(key);
      add(open, size);
    }
    this.#bucket(open);
  }

  #bucket(open: Open): void {
    if (open.items !== undefined || open.members instanceof HeldMembers) return;
    if (this.#sizes.tooLarge(open.bytes)) open.members = HeldMembers.of(open.members);
  }
}

const opened = (items: ListBuilder | undefined, start: number): Open => ({
  items,
  members: {},
  start,
  from: start,
  element: start,
  colon: start,
  isCut: false,
  bytes: 2,
  containers: 1,
  height: 0,
});

function add(open: Open, size: Size): void {
  open.bytes += size.bytes;
  open.containers += size.containers;
  open.height = Math.max(open.height, size.height);
}

/** Position of the quote that ends the string which begins at `at`. */
function endOfString(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  throw new SyntaxError('a string has no end');
}

/** Writes the JSON text of a value. The value must not change meanwhile. */
export function* writePieces(value: Held, sizes: Sizes): Generator<undefined, string, undefined> {
  const out: string[] = [];
  yield* write(value, sizes, out);
  return out.join('');
}

function* write(value: Held, sizes: Sizes, out: string[]): Generator<undefined, void, undefined> {
  if (!isContainer(value) || sizes.of(value).bytes <= sizes.pieceBytes) out.push(JSON.stringify(value));
  else if (Array.isArray(value) || value instanceof HeldList) yield* writeList(value, sizes, out);
  else yield* writeMembers(value, sizes, out);
}

function* writeList(
  list: Container & (Held[] | HeldList),
  sizes: Sizes,
  out: string[],
): Generator<undefined> {
  out.push('[');
  let separator = '';
  let run: Held[] = [];
  let runBytes = 0;
  const writeRun = (): void => {
    if (run.length === 0) return;
    out.push(separator, JSON.stringify(run).slice(1, -1));
    separator = ',';
    run = [];
    runBytes = 0;
  };
  for (const items of Array.isArray(list) ? [list] : list.chunks()) {
    for (const item of items) {
      const { bytes } = sizes.of(item);
      if (bytes > sizes.pieceBytes) {
        writeRun();
        out.push(separator);
        separator = ',';
        yield* write(item, sizes, out);
        yield;
      } else {
        run.push(item);
        runBytes += bytes;
        if (runBytes > sizes.pieceBytes) {
          writeRun();
          yield;
        }
      }
    }
  }
  writeRun();
  out.push(']');
}

function* writeMembers(members: Members, sizes: Sizes, out: string[]): Generator<undefined> {
  out.push('{');
  let separator = '';
  let run: PlainMembers = {};
  let runBytes = 0;
  const writeRun = (): void => {
    if (runBytes === 0) return;
    out.push(separator, JSON.stringify(run).slice(1, -1));
    separator = ',';
    run = {};
    runBytes = 0;
  };
  for (const [key, member] of membersOf(members)) {
    const { bytes } = sizes.of(member);
    if (bytes > sizes.pieceBytes) {
      writeRun();
      out.push(separator, JSON.stringify(key), ':');
      separator = ',';
      yield* write(member, sizes, out);
      yield;
    } else {
      setOwn(run, key, member);
      runBytes += memberBytes(key) + bytes;
      if (runBytes > sizes.pieceBytes) {
        writeRun();
        yield;
      }
    }
  }
  writeRun();
  out.push('}');
}
