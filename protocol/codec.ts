// The two subprotocols as codecs. Each frame holds one message, and both subprotocols carry the same
// messages. This file encodes and decodes only; the receiver checks the content of a message.
import { Packr } from 'msgpackr';
import { base64ToBytes, bytesToBase64 } from './base64.ts';
import { parseJson } from './json-text.ts';
import type { ClientMessage, ServerMessage, Wire } from './messages.ts';
import { SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK } from './messages.ts';
import { checkMsgpack } from './msgpack-check.ts';

/** A frame that cannot be decoded in its subprotocol. The receiver closes the sender's socket with 4400. */
export class FrameError extends Error {
  override name = 'FrameError';
}

export interface Codec {
  readonly subprotocol: typeof SUBPROTOCOL_JSON | typeof SUBPROTOCOL_MSGPACK;
  /** True for binary frames, false for text frames. */
  readonly binary: boolean;
  encode(message: ClientMessage | ServerMessage): string | Uint8Array<ArrayBuffer>;
  /** Size of a decoded value in this encoding. */
  encodedBytes(value: unknown): number;
  /**
   * Returns the map in the frame. Throws FrameError. In JSON, bytes of kind yjs stay base64 text: see
   * `wireBytes`.
   */
  decode(frame: string | Uint8Array): Record<string, unknown>;
}

/** Levels that a frame may nest beyond `limits.depth`: message, ops, op. */
const FRAME_DEPTH = 512;

export const jsonCodec: Codec = {
  subprotocol: SUBPROTOCOL_JSON,
  binary: false,
  encode: (message) => JSON.stringify(withBytesAsText(message)),
  encodedBytes: (value) => encoder.encode(JSON.stringify(value)).length,
  decode(frame) {
    try {
      return asMap(parseJson(typeof frame === 'string' ? frame : utf8.decode(frame)));
    } catch (error) {
      if (error instanceof FrameError) throw error;
      throw new FrameError('not JSON');
    }
  },
};

export const msgpackCodec: Codec = {
  subprotocol: SUBPROTOCOL_MSGPACK,
  binary: true,
  encode: (message) => new Uint8Array(packr.pack(message)),
  encodedBytes: (value) => packr.pack(value).length,
  decode(frame) {
    if (typeof frame === 'string') throw new FrameError('a text frame in a binary subprotocol');
    const found = checkMsgpack(frame, FRAME_DEPTH);
    if (typeof found === 'string') throw new FrameError(found);
    let value: unknown;
    try {
      value = packr.unpack(frame);
    } catch {
      throw new FrameError('not MessagePack');
    }
    return asMap(found.protoKey || found.badText ? restore(value, found.badText) : value);
  },
};

/** Decodes one value in MessagePack that `MsgpackWalk` has found in order, without a finding. */
export const unpackValue = (bytes: Uint8Array): unknown => packr.unpack(bytes);

export const CODECS: readonly Codec[] = [jsonCodec, msgpackCodec];

/**
 * Bytes of a patch or snapshot of kind yjs, from either subprotocol. Undefined if the value is neither
 * bytes nor base64.
 */
export function wireBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? base64ToBytes(value) : undefined;
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true });
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: 'number',
  encodeUndefinedAsNil: true,
  copyBuffers: true,
});

function asMap(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new FrameError('a frame holds one map');
  }
  return value as Record<string, unknown>;
}

const asText = (wire: Wire): Wire => (wire instanceof Uint8Array ? bytesToBase64(wire) : wire);

function withBytesAsText(message: ClientMessage | ServerMessage): ClientMessage | ServerMessage {
  switch (message.type) {
    case 'submit':
      return message.op instanceof Uint8Array ? { ...message, op: asText(message.op) } : message;
    case 'commit':
      return { ...message, ops: message.ops.map((entry) => ({ ...entry, op: asText(entry.op) })) };
    case 'opened':
      return 'ops' in message
        ? { ...message, ops: message.ops.map((entry) => ({ ...entry, op: asText(entry.op) })) }
        : { ...message, snapshot: asText(message.snapshot) };
    default:
      return message;
  }
}

/**
 * Puts back two faults that msgpackr hides, so that the receiver can refuse them: a key `__proto__`
 * (msgpackr decodes it as `__proto_`), and text that is not UTF-8 (msgpackr decodes it with U+FFFD; this
 * function returns a lone surrogate).
 */
function restore(value: unknown, badText: boolean): unknown {
  if (typeof value === 'string') return restoreText(value, badText);
  if (Array.isArray(value)) return value.map((element) => restore(element, badText));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const restored: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    Object.defineProperty(restored, key === '__proto_' ? '__proto__' : restoreText(key, badText), {
      value: restore(member, badText),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return restored;
}

const restoreText = (text: string, badText: boolean): string =>
  badText && text.includes('\ufffd') ? '\ud800' : text;
