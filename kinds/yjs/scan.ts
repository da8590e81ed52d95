// Reads one Yjs update (v1 encoding) without building anything. It checks that the update decodes to its
// last byte, and that every client that merges or applies it later will succeed. It keeps no reference to
// the bytes. Its cost is their number: it checks the lengths in them before it reads on.
//
// It is stricter than Yjs's own decoder against updates that would harm other clients than the sender:
// - lengths of 0, clocks beyond 2^53 - 1, a struct that depends on itself or a later one of its own client
//   (Y.applyUpdate throws half way through, for every reader of the document, for ever);
// - two sections of one client (Y.applyUpdate forgets the first);
// - values nested too deeply (they are written again by recursion), `__proto__` in a value (lost when
//   written again), a sub-document without options (throws when decoded).

/** The structs of one client: bytes `from` to `to` of the update, clocks `clock` to `end`. */
export interface Section {
  readonly client: number;
  readonly from: number;
  readonly to: number;
  /** Number of structs. */
  readonly count: number;
  readonly clock: number;
  readonly end: number;
}

/** A struct of a section. */
export interface Place {
  /** Bytes of the update, from the first of the struct to the one behind it. */
  readonly from: number;
  readonly to: number;
  readonly clock: number;
  readonly end: number;
  /** Number of structs before it in its section. */
  readonly index: number;
  readonly isSkip: boolean;
}

export interface Scan {
  /** The sections in the order of the update. Yjs writes higher clients first, and merging relies on it. */
  readonly sections: readonly Section[];
  /** Position at which the deletes begin. */
  readonly deletes: number;
}

/**
 * Takes the ids in an update, as half-open ranges of clocks, in the order of the update. Structs in a row are one
 * range, and a skip ends a range.
 */
export interface IdTaker {
  structs(client: number, from: number, to: number): void;
  deletes(client: number, from: number, to: number): void;
  /** Clocks of a client whose structs are to be told, in rising order. */
  wanted?(client: number): readonly number[];
  /** Takes the struct with a clock that is wanted. */
  found?(client: number, clock: number, place: Place): void;
}

/**
 * Returns the parts of an update. Throws an Error that says what is wrong with the update; `ids` may have taken some of
 * its ids before.
 */
export function scanUpdate(bytes: Uint8Array, depth: number, ids?: IdTaker): Scan {
  const reader = new Reader(bytes, depth);
  const sections: Section[] = [];
  for (let left = reader.varUint(); left > 0; left--) {
    sections.push(readStructs(reader, ids));
  }
  const deletes = reader.at;
  for (let clients = reader.varUint(); clients > 0; clients--) {
    const client = reader.varUint();
    for (let ranges = reader.varUint(); ranges > 0; ranges--) {
      const clock = reader.varUint();
      const length = reader.varUint();
      if (length === 0) throw new Error('an empty deletion');
      const after = clockAfter(clock, length);
      ids?.deletes(client, clock, after);
    }
  }
  if (reader.at !== bytes.length) throw new Error('bytes are left over');
  return { sections, deletes };
}

const HAS_ORIGIN = 0x80;
const HAS_RIGHT_ORIGIN = 0x40;
const HAS_PARENT_KEY = 0x20;
const CONTENT = 0x1f;
const SKIP = 10;

const NONE: readonly number[] = [];

function readStructs(reader: Reader, ids: IdTaker | undefined): Section {
  const start = reader.at;
  const count = reader.varUint();
  const client = reader.varUint();
  const first = reader.varUint();
  const wanted = ids?.wanted?.(client) ?? NONE;
  let nextWanted = 0;
  let clock = first;
  let from = clock;
  for (let i = 0; i < count; i++) {
    const structAt = reader.at;
    const info = reader.byte();
    const content = info & CONTENT;
    let length: number;
    if (content === 0 || info === SKIP) {
      length = reader.varUint();
    } else {
      if ((info & HAS_ORIGIN) !== 0) readDependency(reader, client, clock);
      if ((info & HAS_RIGHT_ORIGIN) !== 0) readDependency(reader, client, clock);
      if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) === 0) {
        if (reader.varUint() === 1) reader.text();
        else readDependency(reader, client, clock);
        if ((info & HAS_PARENT_KEY) !== 0) reader.text();
      }
      length = readContent(reader, content);
    }
    if (length === 0) throw new Error('an empty struct');
    if (info === SKIP && from < clock) ids?.structs(client, from, clock);
    const after = clockAfter(clock, length);
    for (; nextWanted < wanted.length && (wanted[nextWanted] ?? 0) < after; nextWanted++) {
      const place = { from: structAt, to: reader.at, clock, end: after, index: i, isSkip: info === SKIP };
      if ((wanted[nextWanted] ?? 0) >= clock) ids?.found?.(client, wanted[nextWanted] ?? 0, place);
    }
    clock = after;
    if (info === SKIP) from = clock;
  }
  if (from < clock) ids?.structs(client, from, clock);
  return { client, from: start, to: reader.at, count, clock: first, end: clock };
}

function readDependency(reader: Reader, client: number, clock: number): void {
  const on = reader.varUint();
  if (reader.varUint() >= clock && on === client) throw new Error('a struct depends on a later one');
}

/** Returns how many clock ticks the content takes. */
function readContent(reader: Reader, content: number): number {
  switch (content) {
    case 1: // deleted
      return reader.varUint();
    case 2: {
      // JSON
      const count = reader.varUint();
      for (let i = 0; i < count; i++) reader.json(true);
      return count;
    }
    case 3: // binary
      reader.skip(reader.varUint());
      return 1;
    case 4: // text
      return reader.text();
    case 5: // embed
      reader.json(false);
      return 1;
    case 6: // format
      reader.text();
      reader.json(false);
      return 1;
    case 7: {
      // a shared type; elements (3) and hooks (5) have names
      const type = reader.varUint();
      if (type > 6) throw new Error('an unknown shared type');
      if (type === 3 || type === 5) reader.text();
      return 1;
    }
    case 8: {
      // any
      const count = reader.varUint();
      for (let i = 0; i < count; i++) reader.any(0);
      return count;
    }
    case 9: // sub-document: its id and options
      reader.text();
      if (reader.peek() !== ANY_OBJECT) throw new Error('a sub-document without options');
      reader.any(0);
      return 1;
    default:
      throw new Error('unknown content');
  }
}

function clockAfter(clock: number, length: number): number {
  const after = clock + length;
  if (after > Number.MAX_SAFE_INTEGER) throw new Error('a clock beyond 2^53 - 1');
  return after;
}

const ANY_OBJECT = 118;
const JSON_TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Reader {
  readonly #bytes: Uint8Array;
  readonly #depth: number;
  at = 0;

  constructor(bytes: Uint8Array, depth: number) {
    this.#bytes = bytes;
    this.#depth = depth;
  }

  peek(): number | undefined {
    return this.#bytes[this.at];
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error('the bytes end too early');
    return byte;
  }

  skip(count: number): void {
    if (count > this.#bytes.length - this.at) throw new Error('the bytes end too early');
    this.at += count;
  }

  varUint(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 0x80;
    do {
      byte = this.byte();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (value > Number.MAX_SAFE_INTEGER || factor > 2 ** 63) throw new Error('a number beyond 2^53 - 1');
    } while (byte >= 0x80);
    return value;
  }

  /** Skips a text and returns its length in UTF-16 code units. */
  text(): number {
    const length = this.varUint();
    if (length > this.#bytes.length - this.at) throw new Error('the bytes end too early');
    const end = this.at + length;
    let units = 0;
    while (this.at < end) {
      const lead = this.byte();
      if (lead >= 0x80) units += this.#multibyte(lead, end);
      units++;
    }
    return units;
  }

  /**
   * Skips the rest of a character of several bytes. Returns 1 if the character is a surrogate pair in
   * UTF-16, otherwise 0.
   */
  #multibyte(lead: number, end: number): number {
    const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    const second = this.#bytes[this.at];
    if (lead < 0xc2 || lead > 0xf4 || this.at + more > end || second === undefined) throw new Error(NOT_UTF8);
    // The bytes must be the shortest form, with no surrogates and nothing beyond U+10FFFF.
    const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < lowest || second > highest) throw new Error(NOT_UTF8);
    this.at++;
    for (let i = 1; i < more; i++) if ((this.byte() & 0xc0) !== 0x80) throw new Error(NOT_UTF8);
    return more === 3 ? 1 : 0;
  }

  /** Skips a text that holds JSON. */
  json(orUndefined: boolean): void {
    const length = this.varUint();
    const from = this.at;
    this.skip(length);
    const text = JSON_TEXT.decode(this.#bytes.subarray(from, this.at));
    if (orUndefined && text === 'undefined') return;
    let level = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      // Brackets in strings count as well, until the parsed value is checked. There are rarely more than a
      // few.
      if ((code === 0x5b || code === 0x7b) && ++level > this.#depth) {
        checkDepth(JSON.parse(text), this.#depth);
        return;
      }
    }
    JSON.parse(text);
  }

  /** Skips a value in lib0's `any` encoding, `level` containers down. */
  any(level: number): void {
    switch (this.byte()) {
      case 127: // undefined
      case 126: // null
      case 121: // false
      case 120: // true
        return;
      case 125:
        this.#varInt();
        return;
      case 124: // float32
        this.skip(4);
        return;
      case 123: // float64
      case 122: // bigint
        this.skip(8);
        return;
      case 119:
        this.text();
        return;
      case ANY_OBJECT: {
        this.#enter(level);
        for (let left = this.varUint(); left > 0; left--) {
          this.#key();
          this.any(level + 1);
        }
        return;
      }
      case 117: {
        this.#enter(level);
        for (let left = this.varUint(); left > 0; left--) this.any(level + 1);
        return;
      }
      case 116:
        this.skip(this.varUint());
        return;
      default:
        throw new Error('an unknown value');
    }
  }

  #enter(level: number): void {
    if (level >= this.#depth) throw new Error(TOO_DEEP);
  }

  #varInt(): void {
    let byte = this.byte();
    let value = byte & 0x3f;
    let factor = 0x40;
    while (byte >= 0x80) {
      byte = this.byte();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (value > Number.MAX_SAFE_INTEGER || factor > 2 ** 63) throw new Error('a number beyond 2^53 - 1');
    }
  }

  #key(): void {
    const from = this.at;
    if (this.text() !== PROTO.length) return;
    const start = this.at - PROTO.length;
    // A key of this many characters but more bytes is not ASCII, so it is another key.
    if (start - from > 1) return;
    for (let i = 0; i < PROTO.length; i++) if (this.#bytes[start + i] !== PROTO.charCodeAt(i)) return;
    throw new Error('a forbidden key');
  }
}

const PROTO = '__proto__';
const NOT_UTF8 = 'a text is not UTF-8';
const TOO_DEEP = 'a value is nested too deeply';

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth < 1) throw new Error(TOO_DEEP);
  for (const item of Object.values(value)) checkDepth(item, depth - 1);
}
