// Long histories: patches that have left memory are read from the database, in chunks, while others edit.
// Memory holds few patches here, and frames are small.
import assert from 'node:assert/strict';
import jsonpatch from 'fast-json-patch';
import type { Codec } from '../../../protocol/codec.ts';
import type { WireClient } from '../../support/wire-client.ts';
import { commits, FileNode, inBoth, type Op, outcome } from './contract.ts';

const KiB = 1024;
const file = new FileNode({
  limits: {
    documentBytes: 64 * KiB,
    receiveBytes: 96 * KiB,
    submitsPerSecond: 100_000,
    frameBytes: 16 * KiB,
    opBytes: 8 * KiB,
  },
  actors: { residentOps: 16, memoryBytes: 1024 * KiB },
  snapshot: { minBytes: KiB },
});

/** Makes a list to which `count` patches push, and which keeps its last twenty values. */
async function longHistory(client: WireClient, doc: string, count: number): Promise<Op[]> {
  const all: Op[] = [];
  client.send({ type: 'submit', doc, seq: 1, base: 0, op: [{ op: 'add', path: '/list', value: [] }] });
  all.push(...(await commits(client, doc, 0, 1)));
  for (let at = 1; at < count; ) {
    const upTo = Math.min(count, at + 64);
    for (let seq = at + 1; seq <= upTo; seq++) {
      const push = { op: 'add', path: '/list/0', value: `value ${seq}` };
      client.send({
        type: 'submit',
        doc,
        seq,
        op: seq > 21 ? [push, { op: 'remove', path: '/list/20' }] : [push],
      });
    }
    all.push(...(await commits(client, doc, at, upTo)));
    at = upTo;
  }
  return all;
}

const replay = (ops: readonly Op[]): unknown => {
  let value: unknown = {};
  for (const { op } of ops) value = jsonpatch.applyPatch(value, op as jsonpatch.Operation[]).newDocument;
  return value;
};

/** Opens with `since` and takes everything up to `head`, the `opened` and the commits together. */
async function takeAll(
  client: WireClient,
  doc: string,
  since: number,
  history: unknown,
  head: number,
): Promise<Op[]> {
  const opened = await client.open(doc, undefined, { since, history });
  assert.equal(opened.since, since);
  const ops = opened.ops as Op[];
  assert.equal(since + ops.length, opened.version);
  return [...ops, ...(await commits(client, doc, Number(opened.version), head))];
}

inBoth(
  'OPEN-4 OPEN-6 ORDER-1 thousands of versions come as opened and commits, without gap, while others edit',
  async (t, codec) => {
    const HEAD = 2000;
    const writer = await file.connect(t, codec);
    const doc = file.newDoc();
    const { history } = await writer.open(doc, 'json');
    const all = await longHistory(writer, doc, HEAD);
    for (const since of [0, 1, 1700, HEAD - 10, HEAD]) {
      const reader = await file.connect(t, codec);
      assert.deepEqual(await takeAll(reader, doc, since, history, HEAD), all.slice(since), `since ${since}`);
    }
    const reader = await file.connect(t, codec);
    const caughtUp = takeAll(reader, doc, 0, history, HEAD + 60);
    for (let n = 1; n <= 60; n++)
      writer.send({ type: 'submit', doc, seq: HEAD + n, op: [{ op: 'add', path: '/n', value: n }] });
    const later = await commits(writer, doc, HEAD, HEAD + 60);
    const whole = await caughtUp;
    assert.deepEqual(whole, [...all, ...later]);
    assert.deepEqual((await reader.open(doc)).snapshot, replay(whole));
  },
);

inBoth(
  'SUBMIT-8 ORDER-1 a submit of a client that is being caught up is answered behind the commits that it depends on',
  async (t, codec) => {
    const HEAD = 1200;
    const id = file.newClient();
    const writer = await file.connect(t, codec, id);
    const doc = file.newDoc();
    const { history } = await writer.open(doc, 'json');
    await longHistory(writer, doc, HEAD);
    const back = await file.connect(t, codec, id);
    back.send({ type: 'open', doc, since: 0, history });
    for (const seq of [HEAD, HEAD - 1, 5]) back.send({ type: 'submit', doc, seq, base: 0, op: [] });
    back.send({ type: 'submit', doc, seq: HEAD + 1, base: 0, op: [{ op: 'add', path: '/mine', value: 1 }] });
    let version = 0;
    let acks = 0;
    while (version < HEAD + 1 || acks < 3) {
      const message = await back.take(() => true, 'anything');
      if (message.type === 'ack') {
        acks++;
        assert.ok(Number(message.version) <= version, `an ack of ${message.version} at ${version}`);
      } else if (message.type === 'opened' || message.type === 'commit') {
        const from = message.type === 'opened' ? 0 : version;
        assert.equal(message.version, from + (message.ops as Op[]).length);
        version = Number(message.version);
        if (message.type === 'opened')
          assert.ok(
            message.lastSeq === null || message.lastSeq === version,
            `lastSeq ${message.lastSeq} at ${version}`,
          );
      } else assert.fail(outcome(message) as string);
    }
    await back.settled();
  },
);

inBoth('OPEN-9 CLOSE-1 opening again, and closing, in the middle of catching up', async (t, codec) => {
  const HEAD = 1200;
  const writer = await file.connect(t, codec);
  const doc = file.newDoc();
  const { history } = await writer.open(doc, 'json');
  const all = await longHistory(writer, doc, HEAD);
  const reader = await file.connect(t, codec);
  reader.send({ type: 'open', doc, since: 0, history, id: 'first' });
  reader.send({ type: 'open', doc, since: 600, history, id: 'second' });
  await reader.next('opened', (m) => m.id === 'first');
  const second = await reader.take(
    (m) => m.id === 'second' || (m.type === 'commit' && Number(m.version) > HEAD),
    'the second',
  );
  // The commits between the two belong to the first subscription.
  const own = reader.received.filter((m) => Number(m.version) > Number(second.version));
  reader.received.length = 0;
  reader.received.push(...own);
  const ops = second.ops as Op[];
  assert.deepEqual([...ops, ...(await commits(reader, doc, Number(second.version), HEAD))], all.slice(600));
  reader.send({ type: 'open', doc, since: 0, history, id: 'third' });
  await reader.next('opened', (m) => m.id === 'third');
  reader.send({ type: 'close', doc });
  await reader.next('closed');
  reader.received.length = 0;
  await writer.submit(doc, HEAD + 1, []);
  await reader.settled();
  assert.deepEqual(reader.received, []);
});

inBoth(
  'SUBMIT-13 MEET-1 a base older than memory is transformed past all that came since',
  async (t, codec) => {
    const [writer, other] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    await writer.open(doc, 'rich-text');
    await other.open(doc);
    for (let at = 0; at < 300; at += 60) {
      for (let seq = at + 1; seq <= at + 60; seq++)
        writer.send({ type: 'submit', doc, seq, op: [{ insert: 'ab' }] });
      await commits(writer, doc, at, at + 60);
    }
    await commits(other, doc, 0, 300);
    // Submits behind one that waits for the database wait for their turn.
    other.send({ type: 'submit', doc, seq: 1, base: 0, op: [{ insert: 'old' }] });
    other.send({ type: 'submit', doc, seq: 2, base: 299, op: [{ insert: 'less old' }] });
    other.send({ type: 'submit', doc, seq: 3, base: 1, op: [{ retain: 4 }, { insert: 'x' }] });
    const ops = await commits(other, doc, 300, 302);
    assert.deepEqual(
      ops.map((entry) => [entry.seq, entry.op]),
      [
        [1, [{ retain: 600 }, { insert: 'old' }]],
        [2, [{ retain: 2 }, { insert: 'less old' }]],
      ],
    );
    assert.equal(outcome(await other.answer(doc, 3)), 'reject bad-op');
  },
);

inBoth(
  'SUBMIT-5 OPEN-9 a submit that waits for old history is answered, though its document is opened again',
  async (t, codec: Codec) => {
    const writer = await file.connect(t, codec);
    const doc = file.newDoc();
    const { history } = await writer.open(doc, 'json');
    await longHistory(writer, doc, 200);
    writer.send({
      type: 'submit',
      doc,
      seq: 201,
      base: 1,
      op: [{ op: 'add', path: '/list/-', value: 'old base' }],
    });
    writer.send({ type: 'open', doc, since: 200, history, id: 'again' });
    writer.send({ type: 'submit', doc, seq: 202, op: [{ op: 'add', path: '/b', value: 2 }] });
    const opened = await writer.next('opened');
    const ops = [
      ...(opened.ops as Op[]),
      ...writer.received.filter((m) => m.type === 'commit').flatMap((m) => m.ops as Op[]),
    ];
    if (!ops.some((entry) => entry.seq === 202)) await writer.answer(doc, 202);
    const { snapshot } = await writer.open(doc);
    assert.equal((snapshot as { b: number }).b, 2);
    assert.ok((snapshot as { list: string[] }).list.includes('old base'));
  },
);

inBoth('MEET-2 a patch is judged at its base, also when that has left memory', async (t, codec) => {
  const [ada, bob] = [await file.connect(t, codec), await file.connect(t, codec)];
  const doc = file.newDoc();
  await ada.open(doc, 'json');
  const value = { list: [], old: { x: 1 } };
  await ada.submit(doc, 1, [{ op: 'replace', path: '', value }], 0);
  await ada.submit(doc, 2, [{ op: 'add', path: '/new', value: 1 }], 1);
  await ada.submit(doc, 3, [{ op: 'replace', path: '/old', value: {} }], 2);
  for (let seq = 4; seq <= 60; seq++)
    ada.send({ type: 'submit', doc, seq, op: [{ op: 'add', path: '/list/0', value: `value ${seq}` }] });
  await commits(ada, doc, 3, 60);
  await bob.open(doc);
  const ok = { op: 'add', path: '/ok', value: 1 };
  const wrong = [
    [{ op: 'remove', path: '/new' }],
    [ok, { op: 'remove', path: '/old/y' }],
    [{ op: 'add', path: '/old/x/y', value: 1 }, ok],
  ];
  for (const [i, op] of wrong.entries())
    assert.equal(outcome(await bob.submit(doc, 1 + i, op, 1)), 'reject bad-op', JSON.stringify(op));
  const right = await bob.submit(doc, 4, [{ op: 'remove', path: '/old/x' }, ok], 1);
  assert.deepEqual(right.ops, [{ client: bob.id, seq: 4, op: [ok] }]);
});
