// Cuts the patch out of the frame of a submit, without decoding the patch. The owner of the document decodes it,
// once. The scan proves that the frame would decode, and that the patch has only values that the contract allows.
// A frame for which the scan cannot prove that is decoded as a whole, as every other message is.
//
// Bounds: the scan reads each byte once, allocates nothing for the patch, and stops at `depth` levels.
import {
  JSON_OP,
  LOOSE_JSON_OP,
  MSGPACK_OP,
  type OpEncoding,
  UPDATE_OP,
} from '../../actors/link/link-messages.ts';
import { MsgpackWalk } from '../../protocol/msgpack-check.ts';

/** The patch of a submit as bytes of its frame, in the place of a decoded `op`. */
export class CutPatch {
  readonly encoding: OpEncoding;
  readonly bytes: Uint8Array;

  constructor(encoding: OpEncoding, bytes: Uint8Array) {
    this.encoding = encoding;
    this.bytes = bytes;
  }
}

/** A submit that was not decoded as a whole. */
export type SubmitFrame = {
  readonly type: 'submit';
  readonly doc: string;
  readonly seq: number;
  readonly base: number | null | undefined;
  readonly op: CutPatch;
};

/**
 * Reads a submit from a text frame of valid UTF-8. Undefined if the frame is anything else, or if it must be
 * decoded as a whole.
 * @param depth levels that the patch may nest
 */
export function cutJsonSubmit(frame: Uint8Array, depth: number): SubmitFrame | undefined {
  const scan = new JsonScan(frame);
  if (!scan.takes(OPENING_BRACE)) return undefined;
  const found = new Members();
  do {
    const member = scan.memberName();
    if (member === undefined || !scan.takes(COLON)) return undefined;
    scan.skipSpace();
    switch (member) {
      case 'type':
        if (scan.plainText() !== 'submit') return undefined;
        found.type++;
        break;
      case 'doc':
        found.doc = found.isFirst(found.doc) ? scan.plainText() : undefined;
        if (found.doc === undefined) return undefined;
        break;
      case 'seq':
        found.seq = found.isFirst(found.seq) ? scan.natural() : undefined;
        if (found.seq === undefined) return undefined;
        break;
      case 'base':
        found.base = found.isFirst(found.base) ? (scan.takesNull() ? null : scan.natural()) : undefined;
        if (found.base === undefined) return undefined;
        break;
      case 'op': {
        if (!found.isFirst(found.op)) return undefined;
        const start = scan.at;
        scan.isLoose = false;
        if (!scan.value(depth)) return undefined;
        found.op = new CutPatch(scan.isLoose ? LOOSE_JSON_OP : JSON_OP, frame.subarray(start, scan.at));
        break;
      }
      default:
        throw new Error(member satisfies never);
    }
  } while (scan.takes(COMMA));
  if (!scan.takes(CLOSING_BRACE) || !scan.isAtEnd()) return undefined;
  return found.submit();
}

/**
 * Does the same for a binary frame in MessagePack. The bytes of a yjs update are cut out without their header.
 */
export function cutMsgpackSubmit(frame: Uint8Array, depth: number): SubmitFrame | undefined {
  const walk = new MsgpackWalk(frame);
  const count = walk.mapHeader();
  if (count === undefined) return undefined;
  const found = new Members();
  for (let i = 0; i < count; i++) {
    switch (walk.shortText()) {
      case 'type':
        if (walk.shortText() !== 'submit') return undefined;
        found.type++;
        break;
      case 'doc':
        found.doc = found.isFirst(found.doc) ? walk.shortText() : undefined;
        if (found.doc === undefined) return undefined;
        break;
      case 'seq':
        found.seq = found.isFirst(found.seq) ? walk.natural() : undefined;
        if (found.seq === undefined) return undefined;
        break;
      case 'base':
        found.base = found.isFirst(found.base) ? (walk.takesNil() ? null : walk.natural()) : undefined;
        if (found.base === undefined) return undefined;
        break;
      case 'op': {
        if (!found.isFirst(found.op)) return undefined;
        found.op = cutMsgpackOp(walk, depth);
        if (found.op === undefined) return undefined;
        break;
      }
      default:
        return undefined;
    }
  }
  return walk.at === frame.length ? found.submit() : undefined;
}

function cutMsgpackOp(walk: MsgpackWalk, depth: number): CutPatch | undefined {
  const { bytes, at: start } = walk;
  const first = bytes[start] ?? 0;
  // In this subprotocol a text is never a patch, and the answer to it says why.
  if ((first >= 0xa0 && first <= 0xbf) || (first >= 0xd9 && first <= 0xdb)) return undefined;
  if (walk.value(depth) !== undefined) return undefined;
  if (first >= 0xc4 && first <= 0xc6)
    return new CutPatch(UPDATE_OP, bytes.subarray(start + 1 + (1 << (first - 0xc4)), walk.at));
  if (walk.protoKey || walk.badText || walk.hasOddNumber || walk.hasBytes) return undefined;
  return new CutPatch(MSGPACK_OP, bytes.subarray(start, walk.at));
}

/** The members that were found so far, each at most once. */
class Members {
  type = 0;
  doc: string | undefined;
  seq: number | undefined;
  base: number | null | undefined;
  op: CutPatch | undefined;

  isFirst(value: unknown): boolean {
    return value === undefined;
  }

  submit(): SubmitFrame | undefined {
    const { type, doc, seq, base, op } = this;
    if (type !== 1 || doc === undefined || seq === undefined || op === undefined) return undefined;
    return { type: 'submit', doc, seq, base, op };
  }
}

const NAMES = ['type', 'doc', 'seq', 'base', 'op'] as const;
type Name = (typeof NAMES)[number];
const NAME_BYTES = NAMES.map((name) => Buffer.from(name));

/** A natural number of more digits may not be exact, so it is left to the decoder. */
const MOST_DIGITS = 15;
/** Keys of one object that are compared with each other. An object of more keys is loose. */
const MOST_KEYS = 8;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

/** `"`, `\`, `b`, `f`, `n`, `r`, `t`: the escapes that JSON.stringify writes too. */
const SHORT_ESCAPES = new Set([QUOTE, BACKSLASH, 0x62, LETTER_F, LETTER_N, 0x72, LETTER_T]);
const SLASH = 0x2f;

/**
 * A scan over JSON text. Its methods that return false or undefined have met something that is no JSON, or that
 * the decoder must judge: lone surrogates, numbers in exponential form or with many digits, deep nesting.
 */
class JsonScan {
  at = 0;
  /**
   * The text differs from what JSON.stringify would write for its value: by space, escapes, the form of a number,
   * repeated keys, or keys that JSON.parse would put in another order.
   */
  isLoose = false;
  private readonly bytes: Uint8Array;
  /** Starts and ends of the keys of the objects around the place. */
  private readonly keys: number[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  skipSpace(): void {
    const { bytes } = this;
    for (;;) {
      const byte = bytes[this.at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.isLoose = true;
      this.at++;
    }
  }

  /** Skips space and this byte, if it comes next. */
  takes(byte: number): boolean {
    this.skipSpace();
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  isAtEnd(): boolean {
    this.skipSpace();
    return this.at === this.bytes.length;
  }

  /** The name of a top-level member. Undefined for a name that is not one of a submit, or has an escape. */
  memberName(): Name | undefined {
    if (!this.takes(QUOTE)) return undefined;
    for (const [index, name] of NAME_BYTES.entries()) {
      if (this.bytes[this.at + name.length] !== QUOTE || !this.has(name)) continue;
      this.at += name.length + 1;
      return NAMES[index];
    }
    return undefined;
  }

  /** A string of printable ASCII without escapes. */
  plainText(): string | undefined {
    const { bytes } = this;
    if (bytes[this.at] !== QUOTE) return undefined;
    const start = this.at + 1;
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.at = at + 1;
        return textOf(bytes, start, at);
      }
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return undefined;
    }
    return undefined;
  }

  natural(): number | undefined {
    const { bytes } = this;
    const start = this.at;
    let value = 0;
    for (;;) {
      const byte = bytes[this.at] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      value = value * 10 + (byte - ZERO);
      this.at++;
    }
    const digits = this.at - start;
    if (digits === 0 || digits > MOST_DIGITS || (digits > 1 && bytes[start] === ZERO)) return undefined;
    const next = bytes[this.at] ?? 0;
    // A fraction or an exponent: the number may be natural all the same.
    return next === POINT || (next | 0x20) === 0x65 ? undefined : value;
  }

  takesNull(): boolean {
    if (!this.has(NULL)) return false;
    this.at += NULL.length;
    return true;
  }

  /** Scans a value that nests at most `depth` levels. */
  value(depth: number): boolean {
    const { bytes } = this;
    const byte = bytes[this.at];
    switch (byte) {
      case QUOTE:
        return this.text();
      case OPENING_BRACE:
        return depth > 0 && this.object(depth);
      case OPENING_BRACKET:
        return depth > 0 && this.list(depth);
      case LETTER_T:
        return this.literal(TRUE);
      case LETTER_F:
        return this.literal(FALSE);
      case LETTER_N:
        return this.literal(NULL);
      default:
        return this.number();
    }
  }

  private list(depth: number): boolean {
    this.at++;
    if (this.takes(CLOSING_BRACKET)) return true;
    do {
      this.skipSpace();
      if (!this.value(depth - 1)) return false;
    } while (this.takes(COMMA));
    return this.takes(CLOSING_BRACKET);
  }

  private object(depth: number): boolean {
    this.at++;
    if (this.takes(CLOSING_BRACE)) return true;
    const { keys } = this;
    const first = keys.length;
    do {
      this.skipSpace();
      const start = this.at;
      if (this.bytes[start] !== QUOTE || !this.text()) return false;
      if (!this.isLoose) this.noteKey(first, start + 1, this.at - 1);
      if (!this.takes(COLON)) return false;
      this.skipSpace();
      if (!this.value(depth - 1)) return false;
    } while (this.takes(COMMA));
    keys.length = first;
    return this.takes(CLOSING_BRACE);
  }

  /** JSON.parse puts keys that are numbers first, and keeps the last of equal keys. */
  private noteKey(first: number, start: number, end: number): void {
    const { bytes, keys } = this;
    const byte = bytes[start] ?? 0;
    const isNumeric = start < end && byte >= ZERO && byte <= NINE;
    if (isNumeric || keys.length - first >= 2 * MOST_KEYS) {
      this.isLoose = true;
      return;
    }
    for (let i = first; i < keys.length; i += 2) {
      const other = keys[i] ?? 0;
      if ((keys[i + 1] ?? 0) - other !== end - start) continue;
      let same = 0;
      while (start + same < end && bytes[start + same] === bytes[other + same]) same++;
      if (start + same === end) this.isLoose = true;
    }
    keys.push(start, end);
  }

  private text(): boolean {
    const { bytes } = this;
    const { length } = bytes;
    let at = this.at + 1;
    while (at < length) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.at = at + 1;
        return true;
      }
      if (byte < 0x20) return false;
      if (byte !== BACKSLASH) {
        at++;
        continue;
      }
      const letter = bytes[at + 1] ?? 0;
      if (letter === LETTER_U) {
        if (!this.isUnit(at + 2)) return false;
        this.isLoose = true;
        at += 6;
      } else {
        if (letter === SLASH) this.isLoose = true;
        else if (!SHORT_ESCAPES.has(letter)) return false;
        at += 2;
      }
    }
    return false;
  }

  /** True if four hexadecimal digits stand here that are not half of a surrogate pair. */
  private isUnit(at: number): boolean {
    let unit = 0;
    for (let i = at; i < at + 4; i++) {
      const byte = this.bytes[i] ?? 0;
      const letter = byte | 0x20;
      if (byte >= ZERO && byte <= NINE) unit = unit * 16 + byte - ZERO;
      else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
      else return false;
    }
    return unit < 0xd800 || unit > 0xdfff;
  }

  private number(): boolean {
    const { bytes } = this;
    const start = this.at;
    if (bytes[start] === MINUS) this.at++;
    const first = this.at;
    if (!this.digits() || this.at - first > MOST_DIGITS) return false;
    if (bytes[first] === ZERO && this.at - first > 1) return false;
    const isFraction = bytes[this.at] === POINT;
    if (isFraction) {
      this.at++;
      if (!this.digits()) return false;
    }
    // Only a fraction or -0 may be written in another way.
    if (!this.isLoose && (isFraction || (first > start && bytes[first] === ZERO))) {
      const text = textOf(bytes, start, this.at);
      this.isLoose = String(Number(text)) !== text;
    }
    return ((bytes[this.at] ?? 0) | 0x20) !== 0x65;
  }

  /** Skips digits. False if there is none. */
  private digits(): boolean {
    const start = this.at;
    for (;;) {
      const byte = this.bytes[this.at] ?? 0;
      if (byte < ZERO || byte > NINE) return this.at > start;
      this.at++;
    }
  }

  private literal(word: Uint8Array): boolean {
    if (!this.has(word)) return false;
    this.at += word.length;
    return true;
  }

  private has(word: Uint8Array): boolean {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word[i]) return false;
    return true;
  }
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
