// Every limit that a client can reach, and its consequence. Limits are small here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as rawMsgpack } from 'msgpackr';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { untilSeen } from '../../support/until.ts';
import { commits, FileNode, inBoth, outcome } from './contract.ts';

const KiB = 1024;
const LIMITS = {
  frameBytes: 8 * KiB,
  opBytes: 2 * KiB,
  documentBytes: 4 * KiB,
  receiveBytes: 64 * KiB,
  openDocuments: 3,
  opensPerSecond: 40,
  submitsPerSecond: 50,
  presencesPerSecond: 5,
  presenceBytes: 64,
  inflight: 8,
  depth: 10,
  pingMs: 300,
  idleMs: 1500,
};
const file = new FileNode({ limits: LIMITS, gateway: { helloMs: 600 } });
/** So few submits a second that they are used up also where an answer takes a tenth of a second. */
const slow = new FileNode({ limits: { ...LIMITS, submitsPerSecond: 3 } });

const OVERHEAD = JSON.stringify([{ op: 'add', path: '/v', value: '' }]).length;
const opOf = (bytes: number, letter = 'x') => [
  { op: 'add', path: '/v', value: letter.repeat((bytes - OVERHEAD) / Buffer.byteLength(letter)) },
];

inBoth('LIMIT-1 welcome tells the limits of the configuration', async (t, codec) => {
  const client = await file.connectSilent(t, codec);
  client.send({ type: 'hello', client: file.newClient() });
  const { limits } = await client.next('welcome');
  assert.deepEqual({ ...(limits as object), ...LIMITS }, limits);
});

inBoth(
  'LIMIT-2 ERR-3 a frame above frameBytes closes with 1009; one of just that size does not',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const frame = (pad: number) => {
      const message = { type: 'ping', id: 1, pad: 'x'.repeat(pad) };
      return codec.binary ? Buffer.from(rawMsgpack(message)) : Buffer.from(JSON.stringify(message));
    };
    const pad = LIMITS.frameBytes - frame(5000).length + 5000;
    client.socket.send(frame(pad), { binary: codec.binary });
    await client.next('pong');
    client.socket.send(frame(pad + 1), { binary: codec.binary });
    assert.equal((await client.untilClosed()).code, 1009);
  },
);

inBoth(
  'SUBMIT-14 a patch above opBytes is too-large, counted in bytes; one of just that size is not',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    assert.equal(outcome(await client.submit(doc, 1, opOf(3 * KiB))), 'reject too-large');
    // The text has 900 characters and 2,700 bytes.
    assert.equal(outcome(await client.submit(doc, 2, opOf(2700, '€'))), 'reject too-large');
    if (!codec.binary) {
      assert.equal(outcome(await client.submit(doc, 3, opOf(LIMITS.opBytes + 1))), 'reject too-large');
      assert.equal((await client.submit(doc, 4, opOf(LIMITS.opBytes))).type, 'commit');
    }
    // The seq of a submit that was too large is answered as any other: refused before, committed before.
    assert.equal(outcome(await client.submit(doc, 2, opOf(100))), 'reject seq-used');
    if (!codec.binary) assert.equal((await client.submit(doc, 4, opOf(3 * KiB))).type, 'ack');
    // Each of a thousand small numbers takes one byte in MessagePack, and two in JSON.
    const numbers = [{ op: 'add', path: '/n', value: new Array(1500).fill(7) }];
    assert.equal(outcome(await client.submit(doc, 5, numbers)), codec.binary ? 'commit' : 'reject too-large');
  },
);

inBoth('SUBMIT-14 of a yjs update the bytes count, in whichever form they are sent', async (t, codec) => {
  const client = await file.connect(t, codec);
  const updateOf = (bytes: number): Uint8Array => {
    const ydoc = new Y.Doc();
    ydoc.clientID = 1;
    const empty = 14;
    ydoc.getText('text').insert(0, 'x'.repeat(bytes - empty));
    const update = Y.encodeStateAsUpdate(ydoc);
    assert.equal(update.length, bytes);
    return update;
  };
  const [fits, larger] = [updateOf(LIMITS.opBytes), updateOf(LIMITS.opBytes + 1)];
  const base64 = (update: Uint8Array): string => Buffer.from(update).toString('base64');
  /** A frame that is scanned, one that is decoded as a whole, and one with escapes. */
  const frames = (doc: string, seq: number, update: Uint8Array): (string | Uint8Array)[] => {
    const message = { type: 'submit', doc, seq, op: update } as const;
    const more = { ...message, more: 1 };
    if (codec.binary) return [codec.encode(message), codec.encode(more)];
    const escaped = base64(update).replaceAll('/', '\\/').replace('e', '\\u0065');
    return [
      codec.encode(message),
      codec.encode(more),
      `{"type":"submit","doc":"${doc}","seq":${seq},"op":"${escaped}"}`,
    ];
  };
  for (const [update, expected] of [
    [fits, 'commit'],
    [larger, 'reject too-large'],
  ] as const)
    for (const frame of frames('', 0, update).keys()) {
      const doc = file.newDoc();
      await client.open(doc, 'yjs');
      const bytes = frames(doc, 1, update)[frame];
      assert.ok(bytes);
      client.socket.send(bytes);
      assert.equal(outcome(await client.answer(doc, 1)), expected, `${frame}`);
      client.send({ type: 'close', doc });
      await client.next('closed');
    }
});

inBoth(
  'SUBMIT-14 a patch that makes the document larger than documentBytes is too-large, in every kind',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const patches: Record<string, (n: number) => unknown> = {
      json: (n) => [{ op: 'add', path: `/k${n}`, value: 'x'.repeat(1500) }],
      'rich-text': () => [{ insert: 'x'.repeat(1500) }],
    };
    for (const [kind, patch] of Object.entries(patches)) {
      const doc = file.newDoc();
      await client.open(doc, kind);
      assert.equal((await client.submit(doc, 1, patch(1))).type, 'commit');
      assert.equal((await client.submit(doc, 2, patch(2))).type, 'commit');
      assert.equal(outcome(await client.submit(doc, 3, patch(3))), 'reject too-large', kind);
      const less = kind === 'json' ? [{ op: 'remove', path: '/k1' }] : [{ delete: 1500 }];
      assert.equal((await client.submit(doc, 4, less)).type, 'commit');
      client.send({ type: 'close', doc });
      await client.next('closed');
    }
  },
);

inBoth(
  'OPEN-10 one document too many is overloaded; opening an open one, and one after a close, is not',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const docs = [0, 1, 2].map(() => file.newDoc());
    for (const doc of docs) await client.open(doc, 'json');
    client.send({ type: 'open', doc: file.newDoc(), kind: 'json', id: 4 });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.id, error.retryable], ['overloaded', 4, true]);
    await client.open(docs[0] ?? '');
    client.send({ type: 'close', doc: docs[0] });
    await client.next('closed');
    await client.open(file.newDoc(), 'json');
  },
);

inBoth('SUBMIT-12 more than submitsPerSecond is rate-limited, and goes in later', async (t, codec) => {
  const client = await slow.connect(t, codec);
  const doc = slow.newDoc();
  await client.open(doc, 'json');
  let limited: Record<string, unknown> | undefined;
  for (let seq = 1; limited === undefined; seq++) {
    assert.ok(seq < 500, 'no limit');
    const answer = await client.submit(doc, seq, []);
    if (answer.type === 'error') limited = answer;
  }
  assert.deepEqual([limited.code, limited.retryable, limited.doc], ['rate-limited', true, doc]);
  assert.ok(Number(limited.retryAfterMs) > 0);
  const seq = Number(limited.seq);
  await untilSeen('a submit that was rate-limited commits', async () => {
    const answer = await client.submit(doc, seq, []);
    return answer.type === 'commit' ? answer : undefined;
  });
});

inBoth('SUBMIT-12 rates do not wait for a wall clock that was set back', async (t, codec) => {
  const client = await slow.connect(t, codec);
  const doc = slow.newDoc();
  await client.open(doc, 'json');
  const { now } = Date;
  t.mock.method(Date, 'now', () => now() - 3_600_000);
  let seq = 1;
  while ((await client.submit(doc, seq, opOf(100))).type === 'commit') seq++;
  await untilSeen('a submit that was rate-limited commits', async () => {
    const answer = await client.submit(doc, seq, opOf(100));
    return answer.type === 'commit' ? answer : undefined;
  });
});

inBoth(
  'PRES-5 presence that is too large is too-large, too often rate-limited, without a document not-open',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    client.send({ type: 'presence', doc, data: 'x'.repeat(63), id: 1 });
    client.send({ type: 'presence', doc, data: '€'.repeat(21), id: 2 });
    client.send({ type: 'presence', doc, data: 'x'.repeat(62), id: 3 });
    client.send({ type: 'presence', doc: file.newDoc(), data: 1, id: 4 });
    for (let id = 5; id < 12; id++) client.send({ type: 'presence', doc, data: id, id });
    const error = async () => {
      const { code, id } = await client.next('error');
      return [code, id];
    };
    assert.deepEqual(await error(), ['too-large', 1]);
    assert.deepEqual(await error(), ['too-large', 2]);
    assert.deepEqual(await error(), ['not-open', 4]);
    assert.equal((await error())[0], 'rate-limited');
  },
);

inBoth(
  'SUBMIT-5 limits a flood of submits answers each of them, and then closes with 4429',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    for (let seq = 1; seq <= 3000; seq++) client.send({ type: 'submit', doc, seq, op: [] });
    assert.equal((await client.untilClosed()).code, 4429);
  },
);

inBoth(
  'HELLO-1 ERR-3 a socket without a hello in time closes with 4408; one that has said it stays',
  async (t, codec) => {
    const [silent, welcomed] = [await file.connectSilent(t, codec), await file.connect(t, codec)];
    const beat = setInterval(() => welcomed.send({ type: 'ping' }), LIMITS.pingMs);
    t.after(() => clearInterval(beat));
    assert.equal((await silent.untilClosed()).code, 4408);
    await welcomed.settled();
  },
);

test('PING-2 a socket from which nothing comes for idleMs is dropped; one that answers pings is not', async (t) => {
  const answering = await file.connect(t);
  const dead = new WebSocket(file.url, ['troupe.v1.json'], { autoPong: false });
  t.after(() => dead.terminate());
  await new Promise((resolve) => dead.once('open', resolve));
  dead.send(JSON.stringify({ type: 'hello', client: file.newClient() }));
  const code = await new Promise((resolve) => dead.once('close', resolve));
  assert.equal(code, 1006);
  await answering.settled();
});

inBoth(
  'SUBMIT-12 LIMIT-1 a message that is refused for a limit leaves no trace and blocks no other client',
  async (t, codec) => {
    const [flooding, calm] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    await flooding.open(doc, 'json');
    await calm.open(doc);
    for (let seq = 1; seq <= 100; seq++) flooding.send({ type: 'submit', doc, seq, op: opOf(3 * KiB) });
    assert.equal((await calm.submit(doc, 1, [])).version, 1);
    await flooding.settled();
    await commits(flooding, doc, 0, 1);
  },
);
