// Walks over the structure of a MessagePack frame before the frame is decoded. The walk accepts only the
// types of the wire contract, lengths within the frame, bounded nesting, and no byte left over. A frame
// that passes can be decoded without allocating more than a small multiple of its size. The walk builds no
// values.

/** Facts about a frame that its decoder or its receiver must know. */
export interface MsgpackFindings {
  /** A map has a key `__proto__`. */
  readonly protoKey: boolean;
  /** A string is not UTF-8. An encoder that lets lone surrogates through writes such strings. */
  readonly badText: boolean;
}

/**
 * Checks one whole frame. Returns the findings, or a sentence that says what is wrong.
 * @param depth deepest nesting of arrays and maps; the outermost map counts as one
 */
export function checkMsgpack(frame: Uint8Array, depth: number): MsgpackFindings | string {
  const walk = new MsgpackWalk(frame);
  const wrong = walk.value(depth);
  if (wrong !== undefined) return wrong;
  if (walk.at !== frame.length) return 'bytes after the end of the message';
  return walk;
}

/** A walk that stands at `at`. Its other fields have its findings so far. */
export class MsgpackWalk implements MsgpackFindings {
  at = 0;
  protoKey = false;
  badText = false;
  /** A number is not finite, or beyond ±(2^53 − 1). */
  hasOddNumber = false;
  hasBytes = false;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The number of members of the map that begins here. Undefined if no map of up to 65,535 members does. */
  mapHeader(): number | undefined {
    const byte = this.bytes[this.at] ?? 0;
    const isFixed = byte >= 0x80 && byte <= 0x8f;
    if (!isFixed && byte !== 0xde) return undefined;
    this.at++;
    if (isFixed) return byte & 0x0f;
    const count = this.#length(2);
    return count < 0 ? undefined : count;
  }

  /** The text that begins here. Undefined if no text of up to 255 printable ASCII characters does. */
  shortText(): string | undefined {
    const { bytes } = this;
    const byte = bytes[this.at] ?? 0;
    const isFixed = byte >= 0xa0 && byte <= 0xbf;
    if (!isFixed && byte !== 0xd9) return undefined;
    const start = this.at + (isFixed ? 1 : 2);
    const end = start + (isFixed ? byte & 0x1f : (bytes[this.at + 1] ?? 0));
    if (end > bytes.length) return undefined;
    let text = '';
    for (let at = start; at < end; at++) {
      const code = bytes[at] as number;
      if (code < 0x20 || code > 0x7e) return undefined;
      text += String.fromCharCode(code);
    }
    this.at = end;
    return text;
  }

  /** The integer that begins here. Undefined if no integer of 0 … 2^32 − 1 does. */
  natural(): number | undefined {
    const byte = this.bytes[this.at] ?? 0xc0;
    if (byte <= 0x7f) {
      this.at++;
      return byte;
    }
    if (byte < 0xcc || byte > 0xce) return undefined;
    this.at++;
    const value = this.#length(1 << (byte - 0xcc));
    return value < 0 ? undefined : value;
  }

  takesNil(): boolean {
    if (this.bytes[this.at] !== 0xc0) return false;
    this.at++;
    return true;
  }

  /** Skips a value. Returns a sentence if it is wrong. */
  value(depth: number): string | undefined {
    const { bytes } = this;
    if (this.at >= bytes.length) return TRUNCATED;
    const byte = bytes[this.at++] as number;
    if (byte <= 0x7f || byte >= 0xe0) return undefined;
    if (byte <= 0x8f) return this.#map(byte & 0x0f, depth);
    if (byte <= 0x9f) return this.#array(byte & 0x0f, depth);
    if (byte <= 0xbf) return this.#text(byte & 0x1f);
    switch (byte) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return undefined;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        this.hasBytes = true;
        return this.#skip(this.#length(1 << (byte - 0xc4)));
      case 0xd9:
        return this.#text(this.#length(1));
      case 0xda:
        return this.#text(this.#length(2));
      case 0xdb:
        return this.#text(this.#length(4));
      case 0xca:
        return this.#wideNumber(byte, 4);
      // Integers beyond 2^53 - 1 are decoded as doubles that are not safe integers. The receiver refuses
      // them.
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.#wideNumber(byte, 8);
      case 0xcc:
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xdc:
        return this.#array(this.#length(2), depth);
      case 0xdd:
        return this.#array(this.#length(4), depth);
      case 0xde:
        return this.#map(this.#length(2), depth);
      case 0xdf:
        return this.#map(this.#length(4), depth);
      default:
        return 'extension types are not part of the contract';
    }
  }

  #array(count: number, depth: number): string | undefined {
    if (count < 0 || count > this.bytes.length - this.at) return TRUNCATED;
    if (depth <= 0) return TOO_DEEP;
    for (let i = 0; i < count; i++) {
      const wrong = this.value(depth - 1);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #map(count: number, depth: number): string | undefined {
    if (count < 0 || count * 2 > this.bytes.length - this.at) return TRUNCATED;
    if (depth <= 0) return TOO_DEEP;
    for (let i = 0; i < count; i++) {
      const key = this.bytes[this.at] ?? 0;
      const isString = (key >= 0xa0 && key <= 0xbf) || (key >= 0xd9 && key <= 0xdb);
      if (!isString) return 'a map key is not a string';
      const start = this.at;
      const wrong = this.value(0) ?? this.#noteKey(start) ?? this.value(depth - 1);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #wideNumber(byte: number, size: number): string | undefined {
    const { bytes, at } = this;
    const wrong = this.#skip(size);
    if (wrong !== undefined) return wrong;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
    const value =
      byte === 0xca
        ? view.getFloat32(0)
        : byte === 0xcb
          ? view.getFloat64(0)
          : Number(byte === 0xcf ? view.getBigUint64(0) : view.getBigInt64(0));
    if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) this.hasOddNumber = true;
    return undefined;
  }

  #noteKey(start: number): undefined {
    const end = this.at;
    if (end - start >= PROTO.length && end - start <= PROTO.length + 5) {
      for (let i = 1; i <= PROTO.length; i++) {
        if (this.bytes[end - i] !== PROTO.charCodeAt(PROTO.length - i)) return undefined;
      }
      this.protoKey = true;
    }
    return undefined;
  }

  #text(count: number): string | undefined {
    const start = this.at;
    const wrong = this.#skip(count);
    if (wrong !== undefined || this.badText) return wrong;
    for (let i = start; i < this.at; i++) {
      if ((this.bytes[i] as number) >= 0x80) {
        this.badText = !isUtf8(this.bytes.subarray(i, this.at));
        break;
      }
    }
    return undefined;
  }

  /** Reads a big-endian length. Returns -1 if the frame ends before it. */
  #length(size: number): number {
    if (this.at + size > this.bytes.length) return -1;
    let length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + (this.bytes[this.at++] as number);
    return length;
  }

  #skip(count: number): string | undefined {
    if (count < 0 || count > this.bytes.length - this.at) return TRUNCATED;
    this.at += count;
    return undefined;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const PROTO = '__proto__';
const TRUNCATED = 'the frame ends in the middle of a value';
const TOO_DEEP = 'nested too deep';
