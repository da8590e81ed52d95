// The input that the garbage run sends to a server: messages that are wrong in one way each, and bytes that
// are no WebSocket frames. Makes them; sends nothing.
import { randomBytes } from 'node:crypto';
import { Packr } from 'msgpackr';
import { below, pick, type Random } from '../clients/random-edits.ts';

/** A payload to send as one WebSocket message. */
export interface BadMessage {
  readonly what: string;
  readonly payload: string | Uint8Array;
}

/** Strange values; one of them takes the place of a valid value. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 53,
  1e308,
  '',
  'x'.repeat(300),
  '../..',
  'acme/..',
  '\ud800',
  '\u0000',
  [],
  {},
  [[[[[[]]]]]],
  { toString: 1 },
  { length: -1 },
];

/** Valid templates, of which one part is then made wrong. */
function templates(doc: string, random: Random): Record<string, unknown>[] {
  const seq = 1 + below(random, 1000);
  return [
    { type: 'hello', client: 'garbage-client' },
    { type: 'open', doc, kind: 'json', since: 0, history: 'x' },
    { type: 'submit', doc, seq, base: 0, op: [{ op: 'add', path: '/a', value: 1 }] },
    { type: 'submit', doc, seq, op: [{ op: 'move', from: '/a/b', path: '/a/b/c' }] },
    { type: 'submit', doc, seq, op: [{ insert: 'x' }, { retain: -5 }] },
    { type: 'submit', doc, seq, op: [{ op: 'replace', path: '/__proto__/polluted', value: true }] },
    { type: 'submit', doc, seq: 0, op: [] },
    { type: 'presence', doc, data: { name: 'x' } },
    { type: 'close', doc },
    { type: 'ping', id: { deep: [] } },
    { type: 'constructor' },
    { type: '__proto__' },
  ];
}

/** One message that a server must answer with a code or a close in every case. */
export function badMessage(random: Random, encoding: 'json' | 'msgpack', doc: string): BadMessage {
  const message = { ...pick(random, templates(doc, random)) };
  const field = pick(random, Object.keys(message));
  const dice = random();
  if (dice < 0.35) message[field] = pick(random, STRANGE);
  else if (dice < 0.45) delete message[field];
  else if (dice < 0.5) message.op = nested(150 + below(random, 300));
  else if (dice < 0.52) message.op = [{ op: 'add', path: '/big', value: 'x'.repeat(300_000) }];
  else if (dice < 0.55) message.op = randomBytes(below(random, 200));
  else if (dice < 0.7) return { what: 'truncated', payload: truncated(random, encoded(encoding, message)) };
  else if (dice < 0.85) return { what: 'flipped', payload: flipped(random, encoded(encoding, message)) };
  else if (dice < 0.9) return { what: 'noise', payload: noise(random, encoding) };
  else if (encoding === 'msgpack') return pick(random, MSGPACK_BOMBS);
  else return pick(random, JSON_BOMBS);
  return { what: `a strange ${field}`, payload: encoded(encoding, message) };
}

/** A message above any sensible frame limit. */
export function oversize(encoding: 'json' | 'msgpack', bytes: number): string | Uint8Array {
  return encoded(encoding, { type: 'submit', doc: 'acme/x', seq: 1, op: [{ insert: 'x'.repeat(bytes) }] });
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

const packr = new Packr({ useRecords: false });

function encoded(encoding: 'json' | 'msgpack', message: Record<string, unknown>): string | Uint8Array {
  return encoding === 'json' ? JSON.stringify(message) : new Uint8Array(packr.pack(message));
}

function truncated(random: Random, payload: string | Uint8Array): string | Uint8Array {
  return payload.slice(0, below(random, payload.length));
}

function flipped(random: Random, payload: string | Uint8Array): string | Uint8Array {
  const at = below(random, payload.length);
  if (typeof payload === 'string') {
    return payload.slice(0, at) + String.fromCharCode(32 + below(random, 95)) + payload.slice(at + 1);
  }
  const copy = payload.slice();
  copy[at] = below(random, 256);
  return copy;
}

function noise(random: Random, encoding: 'json' | 'msgpack'): string | Uint8Array {
  const bytes = new Uint8Array(randomBytes(1 + below(random, 400)));
  return encoding === 'json' ? Buffer.from(bytes).toString('latin1') : bytes;
}

const JSON_BOMBS: readonly BadMessage[] = [
  { what: 'deep arrays', payload: '['.repeat(200_000) },
  { what: 'deep objects', payload: '{"a":'.repeat(50_000) },
  { what: 'long number', payload: `{"type":"ping","id":${'9'.repeat(50_000)}}` },
  { what: 'many keys', payload: `{${Array.from({ length: 20_000 }, (_, at) => `"k${at}":0`).join()}}` },
  { what: 'same keys', payload: `{"type":"ping",${'"type":"open",'.repeat(5000)}"type":"ping"}` },
  { what: '__proto__', payload: '{"__proto__":{"type":"ping"},"type":"open","doc":{"__proto__":[]}}' },
  { what: 'array', payload: '[]' },
  { what: 'null', payload: 'null' },
  { what: 'empty', payload: '' },
];

/** Lengths that promise far more than the frame holds, and types that the contract does not have. */
const MSGPACK_BOMBS: readonly BadMessage[] = [
  { what: 'array of 4 G', payload: Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff) },
  { what: 'map of 4 G', payload: Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff) },
  { what: 'text of 4 G', payload: Uint8Array.of(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61) },
  { what: 'bytes of 4 G', payload: Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff, 0x00) },
  { what: 'extension', payload: Uint8Array.of(0xc7, 0x08, 0xff, 0, 0, 0, 0, 0, 0, 0, 0) },
  { what: 'record definition', payload: Uint8Array.of(0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01) },
  { what: 'never used byte', payload: Uint8Array.of(0xc1) },
  { what: 'deep arrays', payload: new Uint8Array(200_000).fill(0x91) },
  {
    what: 'arrays of 4 G within each other',
    payload: new Uint8Array(5 * 1000).map((_, at) => (at % 5 === 0 ? 0xdd : 0xff)),
  },
  { what: 'number as key', payload: Uint8Array.of(0x81, 0x01, 0x02) },
  { what: 'the same key twice', payload: Uint8Array.of(0x82, 0xa1, 0x61, 0x01, 0xa1, 0x61, 0x02) },
  {
    what: 'text that is not UTF-8',
    payload: Uint8Array.of(0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xa2, 0xff, 0xfe),
  },
  { what: 'trailing bytes', payload: Uint8Array.of(0x80, 0x80) },
  { what: 'empty', payload: new Uint8Array(0) },
];

/** Bytes for a socket that has been upgraded, each breaking RFC 6455 in its own way. */
export const BAD_WIRE: readonly { readonly what: string; readonly bytes: Uint8Array }[] = [
  { what: 'reserved opcode', bytes: frame(0x83, 'x') },
  { what: 'reserved control opcode', bytes: frame(0x8b, 'x') },
  { what: 'reserved bits', bytes: frame(0xf1, '{}') },
  { what: 'not masked', bytes: Uint8Array.of(0x81, 0x02, 0x7b, 0x7d) },
  { what: 'length of 2^63', bytes: Uint8Array.of(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4) },
  {
    what: 'length of 2^40, then silence',
    bytes: Uint8Array.of(0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5),
  },
  { what: 'continuation of nothing', bytes: frame(0x80, 'x') },
  { what: 'text within a fragmented text', bytes: Buffer.concat([frame(0x01, 'a'), frame(0x81, 'b')]) },
  { what: 'fragmented ping', bytes: frame(0x09, 'x') },
  { what: 'ping of 200 bytes', bytes: frame(0x89, 'x'.repeat(200)) },
  { what: 'text that is not UTF-8', bytes: frame(0x81, Uint8Array.of(0xc3, 0x28, 0xff)) },
  { what: 'half a character', bytes: frame(0x81, Uint8Array.of(0xf0, 0x9f, 0x98)) },
  { what: 'close with one byte', bytes: frame(0x88, 'x') },
  { what: 'close with a code nobody may send', bytes: frame(0x88, Uint8Array.of(0x03, 0xed)) },
  {
    what: 'ten thousand empty fragments',
    bytes: Buffer.concat([frame(0x01, ''), ...new Array<Buffer>(10_000).fill(frame(0x00, ''))]),
  },
  { what: 'ten thousand pings', bytes: Buffer.concat(new Array<Buffer>(10_000).fill(frame(0x89, 'p'))) },
  { what: 'half a header', bytes: Uint8Array.of(0x81) },
];

/** A masked frame; `first` holds FIN, the reserved bits and the opcode. */
function frame(first: number, payload: string | Uint8Array): Buffer {
  const data = Buffer.from(payload);
  const mask = Buffer.of(1, 2, 3, 4);
  const length =
    data.length < 126 ? Buffer.of(0x80 | data.length) : Buffer.of(0xfe, data.length >> 8, data.length & 255);
  const masked = data.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([Buffer.of(first), length, mask, masked]);
}
