// Values on the wire: numbers, keys, depth, text, bytes. A value that a patch may not hold is bad-op, in both
// subprotocols alike. Frames are written by hand if an honest encoder would not write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as rawMsgpack } from 'msgpackr';
import * as Y from 'yjs';
import { type Codec, jsonCodec, msgpackCodec, wireBytes } from '../../../protocol/codec.ts';
import type { WireClient } from '../../support/wire-client.ts';
import { commits, FileNode, inBoth, outcome } from './contract.ts';

const file = new FileNode();

const add = (value: unknown) => [{ op: 'add', path: '/v', value }];
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

/** Sends a submit of one step `add /v` whose value is raw JSON text. */
function submitText(client: WireClient, doc: string, seq: number, value: string): Promise<{ type: string }> {
  client.socket.send(
    `{"type":"submit","doc":"${doc}","seq":${seq},"op":[{"op":"add","path":"/v","value":${value}}]}`,
  );
  return client.answer(doc, seq);
}

/** The same in MessagePack, the value as raw bytes. */
function submitBytes(
  client: WireClient,
  doc: string,
  seq: number,
  value: readonly number[],
): Promise<{ type: string }> {
  const map = (count: number, ...parts: (Uint8Array | readonly number[])[]) => [
    0x80 + count,
    ...parts.flatMap((part) => [...part]),
  ];
  const step = map(
    3,
    rawMsgpack('op'),
    rawMsgpack('add'),
    rawMsgpack('path'),
    rawMsgpack('/v'),
    rawMsgpack('value'),
    value,
  );
  const message = map(
    4,
    rawMsgpack('type'),
    rawMsgpack('submit'),
    rawMsgpack('doc'),
    rawMsgpack(doc),
    rawMsgpack('seq'),
    rawMsgpack(seq),
    rawMsgpack('op'),
    [0x91, ...step],
  );
  client.socket.send(Uint8Array.from(message));
  return client.answer(doc, seq);
}

test('VALUE-1 VALUE-2 VALUE-5 JSON: a number or text outside the contract is bad-op', async (t) => {
  const client = await file.connect(t);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  let seq = 0;
  for (const value of [
    '1e400',
    '-1e400',
    '9007199254740992',
    '-9007199254740993',
    '18446744073709551615',
    '1e16',
    '10000000000000000.0',
    '1e21',
    '-1.5e300',
    '"\\ud800"',
    '"a\\udc00b"',
    '"\\ude00\\ud83d"',
    '{"\\ud800":1}',
    '[["\\udfff"]]',
  ])
    assert.equal(outcome(await submitText(client, doc, ++seq, value)), 'reject bad-op', value);
  for (const value of [
    '9007199254740991',
    '-9007199254740991',
    '3.0',
    '-0.0',
    '1.5e-300',
    '9.007199254740991e15',
    '"\\ud83d\\ude00"',
    '{"a":1,"a":2}',
  ])
    assert.equal((await submitText(client, doc, ++seq, value)).type, 'commit', value);
  assert.deepEqual((await client.open(doc)).snapshot, { v: { a: 2 } });
});

test('VALUE-1 VALUE-5 VALUE-7 MessagePack: the same is bad-op, and bytes are; the socket stays', async (t) => {
  const client = await file.connect(t, msgpackCodec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  const refused: Record<string, number[]> = {
    NaN: [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
    Infinity: [0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
    '-Infinity as float 32': [0xca, 0xff, 0x80, 0, 0],
    '2^53': [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0],
    '2^64 - 1': [0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
    '-2^63': [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
    '2^53 as a float': [0xcb, 0x43, 0x40, 0, 0, 0, 0, 0, 0],
    '10^16': [0xcf, 0, 0x23, 0x86, 0xf2, 0x6f, 0xc1, 0, 0],
    '10^21 as a float': [0xcb, 0x44, 0x4b, 0x1a, 0xe4, 0xd6, 0xe2, 0xef, 0x50],
    '-2^100 as float 32': [0xca, 0xf1, 0x80, 0, 0],
    bin: [0xc4, 2, 1, 2],
    'bin in a list': [0x91, 0xc4, 0],
    'a lone surrogate': [0xa3, 0xed, 0xa0, 0x80],
    'a byte that is no UTF-8': [0xa1, 0xff],
    'a key that is no UTF-8': [0x81, 0xa1, 0xff, 1],
  };
  let seq = 0;
  for (const [what, value] of Object.entries(refused))
    assert.equal(outcome(await submitBytes(client, doc, ++seq, value)), 'reject bad-op', what);
  const taken: number[][] = [
    [0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255],
    [0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 1],
    [0xcb, 0x40, 0x08, 0, 0, 0, 0, 0, 0],
    [0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2],
  ];
  for (const value of taken) assert.equal((await submitBytes(client, doc, ++seq, value)).type, 'commit');
  assert.deepEqual((await client.open(doc)).snapshot, { v: { a: 2 } });
});

inBoth('VALUE-3 a value may nest up to limits.depth; deeper is bad-op, however deep', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  // The written member itself is one level of the document.
  assert.equal((await client.submit(doc, 1, add(nested(99)))).type, 'commit');
  for (const [n, depth] of [100, 101, 102, 103, 300].entries())
    assert.equal(outcome(await client.submit(doc, 2 + n, add(nested(depth)))), 'reject bad-op', `${depth}`);
  client.send({ type: 'presence', doc, data: nested(101), id: 'deep' });
  assert.equal((await client.next('error')).code, 'bad-message');
  assert.equal(
    (await client.submit(doc, 90, [{ op: 'add', path: '/v/0/0/0/0', value: nested(96) }])).type,
    'reject',
  );
});

test('VALUE-3 half a million brackets end neither socket nor node (JSON), or the socket alone (MessagePack)', async (t) => {
  const json = await file.connect(t);
  const doc = file.newDoc();
  await json.open(doc, 'json');
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  assert.equal(outcome(await submitText(json, doc, 1, deep)), 'reject bad-op');
  const msgpack = await file.connect(t, msgpackCodec);
  msgpack.socket.send(
    Uint8Array.from([0x81, 0xa4, ...Buffer.from('type'), ...new Array(500_000).fill(0x91), 0xc0]),
  );
  assert.equal((await msgpack.next('error')).code, 'bad-message');
  assert.equal((await msgpack.untilClosed()).code, 4400);
  await json.settled();
});

inBoth(
  'VALUE-5 a lone surrogate elsewhere than in a patch is bad-message, and never comes back as bytes that are no text',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const send = (message: object): void =>
      client.socket.send(codec.binary ? rawMsgpack(message) : JSON.stringify(message));
    send({ type: 'presence', doc, data: 'cut \ud800', id: 1 });
    assert.equal((await client.next('error')).code, 'bad-message');
    send({ type: 'open', doc: 'acme/\ud800', id: '\udfff' });
    const error = await client.next('error');
    assert.equal(error.code, 'bad-name');
    if (codec.binary)
      assert.ok(JSON.stringify(error).isWellFormed() && !JSON.stringify(error).includes('\\ud'));
  },
);

inBoth('VALUE-4 VALUE-6 lengths count UTF-16 code units, and nothing is normalised', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  const text = 'a😀e\u0301👨\u200d👩\u200d👧';
  await client.open(doc, 'rich-text');
  await client.submit(doc, 1, [{ insert: text }], 0);
  await client.submit(doc, 2, [{ retain: 13 }, { insert: '|' }], 1);
  assert.deepEqual((await client.open(doc)).snapshot, [{ insert: `${text}|\n` }]);
  assert.equal(outcome(await client.submit(doc, 3, [{ retain: 16 }, { insert: '!' }], 2)), 'reject bad-op');
});

inBoth(
  'VALUE-2 __proto__ and its like are members like others in a value, and pollute nothing',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const value = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"hasOwnProperty":3,"__proto_":4}');
    const frame = { type: 'submit', doc, seq: 1, op: add(value) };
    client.socket.send(codec.binary ? rawProto(frame) : JSON.stringify(frame));
    assert.equal((await client.answer(doc, 1)).type, 'commit');
    const { snapshot } = await client.open(doc);
    const v = (snapshot as { v: object }).v;
    assert.ok(Object.hasOwn(v, '__proto__'));
    assert.equal(Reflect.get(v, 'polluted'), undefined);
    assert.equal(Reflect.get({}, 'polluted'), undefined);
    assert.equal(
      (await client.submit(doc, 2, [{ op: 'test', path: '/v/hasOwnProperty', value: 3 }])).type,
      'commit',
    );
  },
);

/**
 * Some versions of msgpackr leave `__proto__` out or rename it, so it is written as `__prot0__` and patched.
 */
function rawProto(message: object): Uint8Array {
  const bytes = rawMsgpack(JSON.parse(JSON.stringify(message).replaceAll('__proto__', '__prot0__')));
  for (let at = bytes.indexOf('__prot0__'); at >= 0; at = bytes.indexOf('__prot0__')) bytes[at + 6] = 0x6f;
  return bytes;
}

inBoth(
  'JSON-16 RT-2 __proto__, constructor and prototype in a path or an attribute are bad-op',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const [json, text] = [file.newDoc(), file.newDoc()];
    await client.open(json, 'json');
    await client.open(text, 'rich-text');
    let seq = 0;
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      for (const op of [
        [{ op: 'add', path: `/${name}`, value: 1 }],
        [{ op: 'add', path: `/${name}/polluted`, value: 1 }],
        [{ op: 'copy', from: `/${name}`, path: '/a' }],
      ])
        assert.equal(outcome(await client.submit(json, ++seq, op)), 'reject bad-op');
      const attributes = JSON.parse(`{"${name}":{"polluted":1}}`);
      const frame = { type: 'submit', doc: text, seq: ++seq, op: [{ insert: 'a', attributes }] };
      client.socket.send(codec.binary ? rawProto(frame) : JSON.stringify(frame));
      assert.equal(outcome(await client.answer(text, seq)), 'reject bad-op', name);
    }
  },
);

test('VALUE-7 YJS-1 both subprotocols share a yjs document: bytes here, base64 there', async (t) => {
  const doc = file.newDoc();
  const clients = [await file.connect(t, jsonCodec), await file.connect(t, msgpackCodec)];
  const replicas = clients.map(() => new Y.Doc());
  for (const [i, client] of clients.entries()) {
    const { snapshot } = await client.open(doc, 'yjs');
    Y.applyUpdate(replicas[i] as Y.Doc, bytesOf(client.codec, snapshot));
  }
  for (const [i, client] of clients.entries()) {
    const replica = replicas[i] as Y.Doc;
    for (let seq = 1; seq <= 5; seq++) {
      let update = new Uint8Array();
      const take = (bytes: Uint8Array): void => {
        update = Uint8Array.from(bytes);
      };
      replica.on('update', take);
      replica.getText('t').insert(0, `${i}${seq}`);
      replica.off('update', take);
      client.send({ type: 'submit', doc, seq, base: 999, op: update });
    }
  }
  for (const [i, client] of clients.entries()) {
    for (const entry of await commits(client, doc, 0, 10))
      Y.applyUpdate(replicas[i] as Y.Doc, bytesOf(client.codec, entry.op));
  }
  assert.equal(replicas[0]?.getText('t').toString(), replicas[1]?.getText('t').toString());
  const late = new Y.Doc();
  Y.applyUpdate(late, bytesOf(jsonCodec, (await clients[0]?.open(doc))?.snapshot));
  assert.equal(late.getText('t').toString(), replicas[0]?.getText('t').toString());
});

function bytesOf(codec: Codec, value: unknown): Uint8Array {
  assert.equal(typeof value === 'string', !codec.binary);
  const bytes = wireBytes(value);
  assert.ok(bytes);
  return bytes;
}

inBoth(
  'VALUE-7 YJS-2 malformed base64, bytes left over, and what is no update are bad-op',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'yjs');
    const ops: unknown[] = [
      [],
      {},
      null,
      7,
      [{ insert: 'a' }],
      'AAA',
      'AAA',
      'AA A=',
      '!!!!',
      'AAB=',
      'AA',
      '',
    ];
    if (codec.binary)
      ops.push(...[[], [0], [0, 0, 0], [1], [255, 255, 255], [0, 1]].map((bytes) => Uint8Array.from(bytes)));
    else ops.push('AAAA', 'AQ==', '/////w==', 'AAE=', '__8=');
    let seq = 0;
    for (const op of ops)
      assert.equal(outcome(await client.submit(doc, ++seq, op)), 'reject bad-op', String(op));
    assert.equal(
      (await client.submit(doc, ++seq, codec.binary ? Uint8Array.from([0, 0]) : 'AAA=')).type,
      'commit',
    );
  },
);
