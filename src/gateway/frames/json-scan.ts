// Scans JSON text as bytes, without building its values. It proves that JSON.parse takes the text, that its values are
// those that the contract allows, and whether JSON.stringify would write the same text.

/** A natural number of more digits may not be exact, so it is left to the decoder. */
const MOST_DIGITS = 15;
/** Keys of one object that are compared with each other. An object of more keys is loose. */
const MOST_KEYS = 8;

const QUOTE = 0x22;
export const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
export const COLON = 0x3a;
const OPENING_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSING_BRACKET = 0x5d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
export const OPENING_BRACE = 0x7b;
export const CLOSING_BRACE = 0x7d;

/** `"`, `\`, `b`, `f`, `n`, `r`, `t`: the escapes that JSON.stringify writes too. */
const SHORT_ESCAPES = new Set([QUOTE, BACKSLASH, 0x62, LETTER_F, LETTER_N, 0x72, LETTER_T]);
const SLASH = 0x2f;

/** A name of members, ready to be compared. */
export interface Named<Name extends string> {
  readonly name: Name;
  readonly bytes: Uint8Array;
}

export const named = <Name extends string>(...names: readonly Name[]): readonly Named<Name>[] =>
  names.map((name) => ({ name, bytes: Buffer.from(name) }));

/**
 * A scan over JSON text. Its methods that return false or undefined have met something that is no JSON, or that
 * the decoder must judge: lone surrogates, numbers in exponential form or with many digits, deep nesting.
 */
export class JsonScan {
  at = 0;
  /**
   * The text differs from what JSON.stringify would write for its value: by space, escapes, the form of a number,
   * repeated keys, or keys that JSON.parse would put in another order.
   */
  isLoose = false;
  readonly #bytes: Uint8Array;
  /** Starts and ends of the keys of the objects around the place. */
  readonly #keys: number[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  skipSpace(): void {
    const bytes = this.#bytes;
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
    if (this.#bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  isAtEnd(): boolean {
    this.skipSpace();
    return this.at === this.#bytes.length;
  }

  /** Skips space and the name of a member. Undefined if it is none of `names`, or is written with escapes. */
  memberName<Name extends string>(names: readonly Named<Name>[]): Name | undefined {
    if (!this.takes(QUOTE)) return undefined;
    for (const { name, bytes } of names) {
      if (this.#bytes[this.at + bytes.length] !== QUOTE || !this.#has(bytes)) continue;
      this.at += bytes.length + 1;
      return name;
    }
    return undefined;
  }

  /** A string of printable ASCII without escapes. */
  plainText(): string | undefined {
    const bytes = this.#bytes;
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
    const bytes = this.#bytes;
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
    if (!this.#has(NULL)) return false;
    this.at += NULL.length;
    return true;
  }

  /** Scans a value that nests at most `depth` levels. */
  value(depth: number): boolean {
    const bytes = this.#bytes;
    const byte = bytes[this.at];
    switch (byte) {
      case QUOTE:
        return this.#text();
      case OPENING_BRACE:
        return depth > 0 && this.#object(depth);
      case OPENING_BRACKET:
        return depth > 0 && this.#list(depth);
      case LETTER_T:
        return this.#literal(TRUE);
      case LETTER_F:
        return this.#literal(FALSE);
      case LETTER_N:
        return this.#literal(NULL);
      default:
        return this.#number();
    }
  }

  #list(depth: number): boolean {
    this.at++;
    if (this.takes(CLOSING_BRACKET)) return true;
    do {
      this.skipSpace();
      if (!this.value(depth - 1)) return false;
    } while (this.takes(COMMA));
    return this.takes(CLOSING_BRACKET);
  }

  #object(depth: number): boolean {
    this.at++;
    if (this.takes(CLOSING_BRACE)) return true;
    const keys = this.#keys;
    const first = keys.length;
    do {
      this.skipSpace();
      const start = this.at;
      if (this.#bytes[start] !== QUOTE || !this.#text()) return false;
      if (!this.isLoose) this.#noteKey(first, start + 1, this.at - 1);
      if (!this.takes(COLON)) return false;
      this.skipSpace();
      if (!this.value(depth - 1)) return false;
    } while (this.takes(COMMA));
    keys.length = first;
    return this.takes(CLOSING_BRACE);
  }

  /** JSON.parse puts keys that are numbers first, and keeps the last of equal keys. */
  #noteKey(first: number, start: number, end: number): void {
    const bytes = this.#bytes;
    const keys = this.#keys;
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

  #text(): boolean {
    const bytes = this.#bytes;
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
        if (!this.#isUnit(at + 2)) return false;
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
  #isUnit(at: number): boolean {
    let unit = 0;
    for (let i = at; i < at + 4; i++) {
      const byte = this.#bytes[i] ?? 0;
      const letter = byte | 0x20;
      if (byte >= ZERO && byte <= NINE) unit = unit * 16 + byte - ZERO;
      else if (letter >= 0x61 && letter <= 0x66) unit = unit * 16 + letter - 0x57;
      else return false;
    }
    return unit < 0xd800 || unit > 0xdfff;
  }

  #number(): boolean {
    const bytes = this.#bytes;
    const start = this.at;
    if (bytes[start] === MINUS) this.at++;
    const first = this.at;
    if (!this.#digits() || this.at - first > MOST_DIGITS) return false;
    if (bytes[first] === ZERO && this.at - first > 1) return false;
    const isFraction = bytes[this.at] === POINT;
    if (isFraction) {
      this.at++;
      if (!this.#digits()) return false;
    }
    // Only a fraction or -0 may be written in another way.
    if (!this.isLoose && (isFraction || (first > start && bytes[first] === ZERO))) {
      const text = textOf(bytes, start, this.at);
      this.isLoose = String(Number(text)) !== text;
    }
    return ((bytes[this.at] ?? 0) | 0x20) !== 0x65;
  }

  /** Skips digits. False if there is none. */
  #digits(): boolean {
    const start = this.at;
    for (;;) {
      const byte = this.#bytes[this.at] ?? 0;
      if (byte < ZERO || byte > NINE) return this.at > start;
      this.at++;
    }
  }

  #literal(word: Uint8Array): boolean {
    if (!this.#has(word)) return false;
    this.at += word.length;
    return true;
  }

  #has(word: Uint8Array): boolean {
    for (let i = 0; i < word.length; i++) if (this.#bytes[this.at + i] !== word[i]) return false;
    return true;
  }
}

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');

const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
