// Opening and closing documents: names, kinds, the content of `opened`, opening again, one client id in two
// places. Catching up over a long history is in catching-up.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import {
  commits,
  FileNode,
  holdCommits,
  inBoth,
  type Op,
  outcome,
  pendingCommits,
  settledAt,
} from './contract.ts';

const file = new FileNode();

const add = (name: string, value: unknown = 1) => [{ op: 'add', path: `/${name}`, value }];

const BAD_NAMES: readonly unknown[] = [
  '',
  'acme',
  'acme/',
  '/plan',
  'acme/plan/two',
  'acme/.',
  'acme/..',
  'acme/a b',
  'acme/ä',
  'acme/a\n',
  `acme/${'x'.repeat(201)}`,
  'Acme/plan',
  '-acme/plan',
  '_acme/plan',
  `${'a'.repeat(64)}/plan`,
  'acme\u0000/plan',
  'acme/"plan"',
  'acme/\ud800',
  undefined,
  null,
  7,
  ['acme/plan'],
  { toString: 'acme/plan' },
];

inBoth('NAME-1 a text that is no name is bad-name in every message', async (t, codec) => {
  const client = await file.connect(t, codec);
  for (const doc of BAD_NAMES) {
    for (const message of [
      { type: 'open', doc, kind: 'json', id: 1 },
      { type: 'close', doc, id: 1 },
      { type: 'presence', doc, data: 1, id: 1 },
    ]) {
      client.send(message);
      const error = await client.next('error');
      assert.deepEqual([error.code, error.id], ['bad-name', 1], JSON.stringify(message));
    }
    client.send({ type: 'submit', doc, seq: 1, op: [] });
    assert.equal((await client.next('error')).code, 'bad-name', JSON.stringify(doc));
  }
});

inBoth('NAME-1 names of every allowed character and of the greatest length are names', async (t, codec) => {
  const client = await file.connect(t, codec);
  for (const doc of [
    'acme/._~:@-AZaz09',
    'acme/...',
    'acme/__proto__',
    'a/b',
    `0_-${'z'.repeat(60)}/${'x'.repeat(200)}`,
    `acme/${'~'.repeat(200)}`,
  ]) {
    const opened = await client.open(doc, 'json');
    assert.equal(opened.doc, doc);
    client.send({ type: 'close', doc });
    await client.next('closed');
  }
});

inBoth(
  'OPEN-1 OPEN-3 NAME-7 a new document of each kind is at version 0, as its kind begins',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const yjs = codec.binary ? Uint8Array.from([0, 0]) : 'AAA=';
    for (const [kind, snapshot] of [
      ['json', {}],
      ['rich-text', [{ insert: '\n' }]],
      ['yjs', yjs],
    ] as const) {
      const doc = file.newDoc();
      const { history, ...opened } = await client.open(doc, kind, { id: 'o' });
      const expected = {
        type: 'opened',
        id: 'o',
        doc,
        kind,
        version: 0,
        role: 'owner',
        lastSeq: 0,
        presence: {},
      };
      assert.deepEqual({ ...opened, snapshot: 0 }, { ...expected, snapshot: 0 });
      assert.deepEqual(
        Buffer.isBuffer(opened.snapshot) ? Uint8Array.from(opened.snapshot) : opened.snapshot,
        snapshot,
      );
      assert.equal(typeof history, 'string');
    }
  },
);

inBoth(
  'OPEN-2 without kind a missing document is not-found; of another kind it is wrong-kind',
  async (t, codec) => {
    const [client, other] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    client.send({ type: 'open', doc, id: 1 });
    const missing = await client.next('error');
    assert.deepEqual([missing.code, missing.doc, missing.retryable], ['not-found', doc, false]);
    client.send({ type: 'submit', doc, seq: 1, op: [] });
    assert.equal((await client.answer(doc, 1)).code, 'not-open');
    await client.open(doc, 'json');
    other.send({ type: 'open', doc, kind: 'rich-text', id: 2 });
    const wrong = await other.next('error');
    assert.deepEqual([wrong.code, wrong.id, wrong.doc], ['wrong-kind', 2, doc]);
    assert.equal((await other.open(doc)).kind, 'json');
  },
);

test('OPEN-2 many who create one document at once all open the same one', async (t) => {
  const doc = file.newDoc();
  const clients = await Promise.all(
    Array.from({ length: 8 }, (_, i) => file.connect(t, i % 2 ? jsonCodec : msgpackCodec)),
  );
  const kinds = ['json', 'rich-text'];
  for (const [i, client] of clients.entries()) client.send({ type: 'open', doc, kind: kinds[i % 2], id: i });
  const answers = await Promise.all(clients.map((client, i) => client.take((m) => m.id === i, 'an answer')));
  const opened = answers.filter((m) => m.type === 'opened');
  assert.equal(new Set(opened.map((m) => m.history)).size, 1);
  assert.equal(new Set(opened.map((m) => m.kind)).size, 1);
  assert.equal(opened.length, 4);
  for (const m of answers) if (m.type !== 'opened') assert.equal(m.code, 'wrong-kind');
});

inBoth('OPEN-4 NAME-4 with since and history opened has ops in place of a snapshot', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  const { history } = await client.open(doc, 'json');
  for (let seq = 1; seq <= 5; seq++) await client.submit(doc, seq * 10, add(`k${seq}`), seq - 1);
  for (const since of [0, 2, 5]) {
    const opened = await client.open(doc, undefined, { since, history });
    assert.equal('snapshot' in opened, false);
    assert.deepEqual([opened.since, opened.version, opened.lastSeq], [since, 5, 50]);
    const expected = [1, 2, 3, 4, 5]
      .slice(since)
      .map((n) => ({ client: client.id, seq: n * 10, op: add(`k${n}`) }));
    assert.deepEqual(opened.ops, expected);
  }
});

inBoth(
  'OPEN-5 NAME-5 another history, a since above the head, or one of the two alone: the snapshot',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    const { history } = await client.open(doc, 'json');
    await client.submit(doc, 1, add('a'));
    for (const held of [
      { since: 2, history },
      { since: Number.MAX_SAFE_INTEGER, history },
      { since: 1, history: 'another' },
      { since: 1, history: '' },
      { since: 1 },
      { history },
      { since: null, history: null, kind: null },
    ]) {
      const opened = await client.open(doc, undefined, held);
      assert.deepEqual(
        [opened.snapshot, opened.version, 'ops' in opened],
        [{ a: 1 }, 1, false],
        JSON.stringify(held),
      );
    }
  },
);

inBoth(
  'OPEN-7 lastSeq is the highest committed seq of this client, 0 when there is none',
  async (t, codec) => {
    const [client, other] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    assert.equal((await client.open(doc, 'json')).lastSeq, 0);
    await client.submit(doc, 7, add('a'));
    assert.equal(outcome(await client.submit(doc, 9, [{ op: 'remove', path: '/none' }])), 'reject bad-op');
    assert.equal((await client.open(doc)).lastSeq, 7);
    assert.equal((await other.open(doc)).lastSeq, 0);
    await client.submit(doc, Number.MAX_SAFE_INTEGER, add('b'));
    assert.equal((await client.open(doc)).lastSeq, Number.MAX_SAFE_INTEGER);
  },
);

inBoth(
  'OPEN-9 opening again replaces the subscription: opened, no closed, and each commit once',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    for (let n = 0; n < 3; n++) client.send({ type: 'open', doc, id: n });
    for (let n = 0; n < 3; n++) assert.equal((await client.next('opened')).id, n);
    client.send({ type: 'submit', doc, seq: 1, op: add('a') });
    await commits(client, doc, 0, 1);
    await settledAt(client, doc);
    assert.deepEqual(client.received, []);
  },
);

inBoth(
  'OPEN-9 a refused open leaves the earlier subscription, also between two that are not refused',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    client.send({ type: 'open', doc, kind: 'yjs', id: 'refused' });
    assert.equal((await client.next('error')).code, 'wrong-kind');
    client.send({ type: 'open', doc, kind: 'yjs', id: 'refused' });
    client.send({ type: 'submit', doc, seq: 1, op: add('a') });
    assert.equal((await client.next('error')).id, 'refused');
    assert.equal((await client.answer(doc, 1)).type, 'commit');
    client.send({ type: 'open', doc, kind: 'yjs', id: 1 });
    client.send({ type: 'open', doc, id: 2 });
    client.send({ type: 'open', doc, kind: 'rich-text', id: 3 });
    for (const id of [1, 2, 3]) await client.take((m) => m.id === id, `an answer to ${id}`);
    assert.equal((await client.submit(doc, 2, add('b'))).type, 'commit');
    client.send({ type: 'close', doc });
    await client.next('closed');
    const other = await file.connect(t, codec);
    await other.open(doc);
    await other.submit(doc, 1, add('c'));
    await client.settled();
    assert.deepEqual(pendingCommits(client, doc), []);
  },
);

inBoth(
  'OPEN-9 SUBMIT-5 a submit in flight when its document is opened again is answered',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const release = await holdCommits(t, file.node.storageUrl);
    client.send({ type: 'submit', doc, seq: 1, base: 0, op: add('a') });
    client.send({ type: 'submit', doc, seq: 2, base: 0, op: [{ op: 'test', path: '/a', value: 2 }] });
    client.send({ type: 'submit', doc, seq: 1, base: 0, op: add('a') });
    client.send({ type: 'open', doc, id: 'again' });
    client.send({ type: 'submit', doc, seq: 3, op: add('b') });
    await client.settled();
    await release();
    assert.equal(outcome(await client.next('reject')), 'reject test-failed');
    assert.deepEqual(await client.next('ack'), { type: 'ack', doc, seq: 1, version: 1 });
    const opened = await client.next('opened', (m) => m.id === 'again');
    assert.deepEqual(opened.snapshot, { a: 1 });
    await commits(client, doc, 0, 2);
  },
);

inBoth(
  'CLOSE-1 closed is the last that comes about a document until it is opened again',
  async (t, codec) => {
    const [client, other] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    await client.open(doc, 'json');
    await other.open(doc);
    client.send({ type: 'close', doc, id: 'c' });
    assert.deepEqual(await client.next('closed'), { type: 'closed', id: 'c', doc });
    client.received.length = 0;
    await other.submit(doc, 1, add('b'));
    other.send({ type: 'presence', doc, data: 1 });
    await settledAt(other, doc);
    await client.settled();
    assert.deepEqual(client.received, []);
    assert.deepEqual((await client.open(doc)).snapshot, { b: 1 });
  },
);

inBoth('CLOSE-1 closing at once what is being opened, or opened again, ends both', async (t, codec) => {
  const [client, other] = [await file.connect(t, codec), await file.connect(t, codec)];
  const doc = file.newDoc();
  await other.open(doc, 'json');
  client.send({ type: 'open', doc });
  client.send({ type: 'close', doc, id: 1 });
  await client.next('closed', (m) => m.id === 1);
  await client.open(doc);
  for (const kind of ['json', 'yjs']) {
    client.send({ type: 'open', doc, kind, id: kind });
    client.send({ type: 'close', doc, id: kind });
    await client.next('closed', (m) => m.id === kind);
    client.received.length = 0;
    const seq = kind.length;
    await other.submit(doc, seq, add(kind));
    await client.settled();
    assert.deepEqual(client.received, [], kind);
    client.send({ type: 'close', doc });
    assert.equal((await client.next('error')).code, 'not-open');
    await client.open(doc);
  }
});

inBoth('CLOSE-1 SUBMIT-5 open, submits and close in one go are answered in their order', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  client.send({ type: 'open', doc, kind: 'json', id: 'open' });
  client.send({ type: 'submit', doc, seq: 1, op: add('a') });
  client.send({ type: 'submit', doc, seq: 2, op: [{ op: 'no' }] });
  client.send({ type: 'close', doc });
  client.send({ type: 'submit', doc, seq: 3, op: add('c') });
  client.send({ type: 'open', doc, id: 'again' });
  client.send({ type: 'submit', doc, seq: 4, op: add('d') });
  client.send({ type: 'close', doc, id: 'last' });
  await client.next('closed', ({ id }) => id === 'last');
  const told = client.received.map((message) => {
    const seq = message.seq ?? (message.ops as Op[] | undefined)?.[0]?.seq;
    return [outcome(message), message.id, seq].filter((part) => part !== undefined).join(' ');
  });
  // The rejection of the second may come before the commit of the first.
  const answers = told.splice(1, 2).sort();
  assert.deepEqual(answers, ['commit 1', 'reject bad-op 2']);
  const rest = ['opened open', 'closed', 'error not-open 3', 'opened again', 'commit 4'];
  assert.deepEqual(told, rest);
});

inBoth('CLOSE-2 closing what is not open is not-open', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  client.send({ type: 'close', doc, id: 1 });
  const error = await client.next('error');
  assert.deepEqual([error.code, error.id, error.doc, error.retryable], ['not-open', 1, doc, false]);
});

inBoth(
  'CLOSE-3 HELLO-5 the same client id opening a document elsewhere: replaced; the socket stays',
  async (t, codec) => {
    const id = file.newClient();
    const first = await file.connect(t, codec, id);
    const second = await file.connect(t, codec === jsonCodec ? msgpackCodec : jsonCodec, id);
    const doc = file.newDoc();
    await first.open(doc, 'json');
    await first.submit(doc, 1, add('a'));
    assert.equal((await second.open(doc)).lastSeq, 1);
    const closed = await first.next('closed');
    assert.deepEqual([closed.doc, closed.code, typeof closed.message], [doc, 'replaced', 'string']);
    assert.equal(outcome(await first.submit(doc, 2, add('b'))), 'error not-open');
    assert.equal((await second.submit(doc, 2, add('c'))).type, 'commit');
    await first.settled();
    assert.deepEqual(first.received, []);
    // The client takes the document back. This cannot go on by itself, because the server never opens a
    // document.
    assert.equal((await first.open(doc)).lastSeq, 2);
    assert.equal((await second.next('closed')).code, 'replaced');
  },
);

test('AUTH-1 with auth.mode none everyone is an owner', async (t) => {
  const client = await file.connect(t);
  assert.equal((await client.open(file.newDoc(), 'json')).role, 'owner');
});
