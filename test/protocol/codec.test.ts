// The two codecs: decoding gives the encoded value, frames outside the contract are refused whatever bytes
// come, and a frame of the server is a frame of the contract.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode as rawMsgpack } from 'msgpackr';
import { CODECS, FrameError, jsonCodec, msgpackCodec, wireBytes } from '../../protocol/codec.ts';
import type { ClientMessage, Json } from '../../protocol/messages.ts';
import { isClientId, isSeq, isVersion, parseDocumentName } from '../../protocol/names.ts';
import { notPlain } from '../../protocol/plain-value.ts';
import { websocketFrame } from '../../protocol/websocket-frame.ts';

const RUNS = 300 * Number(process.env.FUZZ_RUNS ?? 1);

/** JSON values with text in all planes. -0 is left out, because JSON has none. */
const value = fc
  .jsonValue({ maxDepth: 5, stringUnit: 'binary' })
  .filter((any) => !JSON.stringify(any).includes('__proto'))
  .map((any) => JSON.parse(JSON.stringify(any)) as Json);

test('SOCK-4 both codecs give back what was encoded', () => {
  fc.assert(
    fc.property(value, fc.nat(), (data, seq) => {
      for (const codec of CODECS) {
        const messages: ClientMessage[] = [
          { type: 'submit', doc: 'acme/a', seq: seq + 1, op: data },
          { type: 'presence', doc: 'acme/a', data },
        ];
        for (const message of messages) assert.deepEqual(codec.decode(codec.encode(message)), message);
      }
    }),
    { numRuns: RUNS },
  );
});

test('VALUE-7 bytes of every length survive both codecs', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (op) => {
      for (const codec of CODECS) {
        const decoded = codec.decode(codec.encode({ type: 'submit', doc: 'acme/a', seq: 1, op }));
        assert.equal(typeof decoded.op === 'string', !codec.binary);
        assert.deepEqual(new Uint8Array(wireBytes(decoded.op) ?? []), op);
      }
    }),
    { numRuns: RUNS },
  );
});

test('SOCK-7 any bytes are a map or a FrameError, in time that their length bounds', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    // Bytes that begin as a message does.
    fc.tuple(value, fc.nat(), fc.nat(255)).map(([data, at, byte]) => {
      const frame = Uint8Array.from(rawMsgpack({ type: 'submit', op: data }));
      frame[at % frame.length] = byte;
      return frame;
    }),
  );
  fc.assert(
    fc.property(bytes, (frame) => {
      for (const codec of CODECS) {
        try {
          const message = codec.decode(frame);
          assert.ok(typeof message === 'object' && message !== null && !Array.isArray(message));
        } catch (error) {
          assert.ok(error instanceof FrameError, String(error));
        }
      }
    }),
    { numRuns: 10 * RUNS },
  );
});

test('VALUE-1 VALUE-5 the receiver sees the values that MessagePack allows and the contract forbids', () => {
  const decode = (...bytes: number[]) => msgpackCodec.decode(Uint8Array.from([0x81, 0xa1, 0x61, ...bytes])).a;
  assert.ok(notPlain(decode(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), 9));
  assert.ok(notPlain(decode(0xa1, 0xff), 9));
  assert.ok(notPlain(decode(0x81, 0xa1, 0xff, 1), 9));
  assert.ok(notPlain(decode(0xc4, 0), 9));
  assert.equal(Number.isSafeInteger(decode(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1)), false);
  assert.equal(Number.isSafeInteger(decode(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0)), false);
  assert.ok(Object.hasOwn(decode(0x81, 0xa9, ...Buffer.from('__proto__'), 1) as object, '__proto__'));
});

test('VALUE-7 base64 is padded, and of the standard alphabet', () => {
  for (const wrong of [
    'A',
    'AA',
    'AAA',
    'A===',
    '====',
    'AA=A',
    '__8=',
    '-_8=',
    'AAA=\n',
    ' AAA=',
    'AA\u0000=',
  ]) {
    assert.equal(wireBytes(wrong), undefined, wrong);
  }
  assert.deepEqual(wireBytes('AAA='), Uint8Array.from([0, 0]));
  assert.deepEqual(wireBytes(''), new Uint8Array());
});

test('NAME-1 NAME-2 SUBMIT-3 names, client ids, seqs and versions', () => {
  assert.deepEqual(parseDocumentName('acme/plan'), { org: 'acme', doc: 'plan' });
  for (const wrong of [
    'acme/plan\n',
    'acme\n/plan',
    'a/../b',
    'a/..',
    'a/.',
    `${'a'.repeat(64)}/b`,
    `a/${'b'.repeat(201)}`,
    'a//b',
  ])
    assert.equal(parseDocumentName(wrong), undefined, wrong);
  assert.ok(
    isClientId('Abc_-019') && !isClientId('Abc_-01') && !isClientId('Abc_-019\n') && !isClientId(12345678),
  );
  assert.ok(
    isSeq(1) &&
      isSeq(Number.MAX_SAFE_INTEGER) &&
      !isSeq(0) &&
      !isSeq(2 ** 53) &&
      !isSeq('1') &&
      !isSeq(Number.NaN),
  );
  assert.ok(isVersion(0) && !isVersion(-1) && !isVersion(0.5) && !isVersion(null));
});

test('SOCK-4 a frame has the header of its length: 7 bits, 16, 64', () => {
  for (const [length, header] of [
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 255, 255]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ] as const) {
    const frame = websocketFrame(new Uint8Array(length).fill(7), false);
    assert.deepEqual([...frame.subarray(0, header.length)], [...header]);
    assert.equal(frame.length, header.length + length);
  }
  assert.equal(websocketFrame(new Uint8Array(1), true)[0], 0x82);
});

test('SUBMIT-14 the size of a patch is that of its encoding', () => {
  assert.equal(jsonCodec.encodedBytes('€'), 5);
  assert.equal(msgpackCodec.encodedBytes('€'), 4);
  assert.equal(msgpackCodec.encodedBytes([1, 2, 3]), 4);
  assert.equal(jsonCodec.encodedBytes([1, 2, 3]), 7);
});
