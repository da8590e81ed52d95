// Submitting: answers, order, exactly once, and durability before any answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import { ERROR_CODES } from '../../../protocol/errors.ts';
import { commits, FileNode, holdCommits, inBoth, outcome, pendingCommits, settledAt } from './contract.ts';

const file = new FileNode();

const add = (name: string, value: unknown = 1) => [{ op: 'add', path: `/${name}`, value }];

inBoth(
  'SUBMIT-1 a submit to what is not open is not-open with its seq; behind its open it is taken',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    client.send({ type: 'submit', doc, seq: 3, base: 0, op: [] });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.doc, error.seq, error.retryable], ['not-open', doc, 3, false]);
    client.send({ type: 'open', doc, kind: 'json' });
    client.send({ type: 'submit', doc, seq: 3, base: 0, op: add('a') });
    await client.next('opened');
    assert.equal((await client.answer(doc, 3)).type, 'commit');
  },
);

inBoth('SUBMIT-3 seqs may leave gaps, up to 2^53 - 1', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  for (const seq of [5, 6, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    const commit = await client.submit(doc, seq, []);
    assert.equal((commit.ops as { seq: number }[])[0]?.seq, seq);
  }
});

inBoth(
  'SUBMIT-4 ORDER-1 pipelined submits of many clients commit in the order each sent, for all alike',
  async (t, codec) => {
    const doc = file.newDoc();
    const writers = await Promise.all(
      [0, 1, 2].map((n) => file.connect(t, n === 0 ? codec : n === 1 ? jsonCodec : msgpackCodec)),
    );
    for (const writer of writers) await writer.open(doc, 'rich-text');
    const EACH = 60;
    for (let seq = 1; seq <= EACH; seq++) {
      for (const writer of writers)
        writer.send({ type: 'submit', doc, seq, base: 0, op: [{ insert: `${seq};` }] });
    }
    const histories = await Promise.all(writers.map((writer) => commits(writer, doc, 0, 3 * EACH)));
    assert.deepEqual(histories[1], histories[0]);
    assert.deepEqual(histories[2], histories[0]);
    for (const writer of writers) {
      const own = histories[0]?.filter((entry) => entry.client === writer.id).map((entry) => entry.seq);
      assert.deepEqual(
        own,
        Array.from({ length: EACH }, (_, i) => i + 1),
      );
    }
  },
);

inBoth('SUBMIT-6 SUBMIT-7 everyone gets the same commit, the author too, as committed', async (t, codec) => {
  const [ada, bob] = [await file.connect(t, codec), await file.connect(t, codec)];
  const doc = file.newDoc();
  await ada.open(doc, 'rich-text');
  await bob.open(doc);
  await ada.submit(doc, 1, [{ insert: 'ab' }], 0);
  await bob.next('commit');
  await bob.submit(doc, 1, [{ insert: 'X' }], 1);
  await ada.next('commit');
  const mine = await ada.submit(doc, 2, [{ retain: 1 }, { insert: 'Y' }], 1);
  assert.deepEqual(mine, {
    type: 'commit',
    doc,
    version: 3,
    ops: [{ client: ada.id, seq: 2, op: [{ retain: 2 }, { insert: 'Y' }] }],
  });
  assert.deepEqual(await bob.next('commit'), mine);
});

inBoth(
  'SUBMIT-8 ONCE-1 a committed submit that is sent again gets an ack with its version, whatever it holds now',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    for (let seq = 1; seq <= 3; seq++) await client.submit(doc, seq * 2, add(`k${seq}`));
    for (const [seq, version] of [
      [4, 2],
      [6, 3],
      [2, 1],
    ]) {
      assert.deepEqual(await client.submit(doc, seq ?? 0, 'no patch at all', 999), {
        type: 'ack',
        doc,
        seq,
        version,
      });
    }
    assert.deepEqual((await client.open(doc)).snapshot, { k1: 1, k2: 1, k3: 1 });
  },
);

inBoth('SUBMIT-8 ONCE-1 one seq twice in one go: one commit, then its ack', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  for (let n = 0; n < 3; n++) client.send({ type: 'submit', doc, seq: 1, base: 0, op: add('n', n) });
  assert.equal((await client.answer(doc, 1)).type, 'commit');
  for (let n = 0; n < 2; n++)
    assert.deepEqual(await client.answer(doc, 1), { type: 'ack', doc, seq: 1, version: 1 });
  assert.deepEqual((await client.open(doc)).snapshot, { n: 0 });
});

inBoth(
  'SUBMIT-8 the ack of what was committed elsewhere never comes before the opened that shows it',
  async (t, codec) => {
    const id = file.newClient();
    const first = await file.connect(t, codec, id);
    const doc = file.newDoc();
    const { history } = await first.open(doc, 'json');
    const release = await holdCommits(t, file.node.storageUrl);
    first.send({ type: 'submit', doc, seq: 1, base: 0, op: add('a') });
    await first.settled();
    const second = await file.connect(t, codec, id);
    second.send({ type: 'open', doc, since: 0, history });
    second.send({ type: 'submit', doc, seq: 1, base: 0, op: add('a') });
    assert.equal((await first.next('closed')).code, 'replaced');
    await second.settled();
    assert.deepEqual(second.received, []);
    await release();
    const opened = await second.take(() => true, 'anything');
    assert.deepEqual([opened.type, opened.version, opened.lastSeq], ['opened', 1, 1]);
    assert.deepEqual(await second.take(() => true, 'anything'), { type: 'ack', doc, seq: 1, version: 1 });
  },
);

inBoth(
  'ONCE-3 a seq below the highest committed one that was not committed is seq-used',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    await client.submit(doc, 10, add('a'));
    assert.equal(outcome(await client.submit(doc, 9, add('b'))), 'reject seq-used');
    assert.equal(outcome(await client.submit(doc, 1, add('b'))), 'reject seq-used');
    assert.deepEqual((await client.open(doc)).snapshot, { a: 1 });
  },
);

inBoth(
  'ONCE-1 seqs are remembered beyond the latest ones: 300 submits back, committed or not',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    for (let from = 0; from < 300; from += 50) {
      for (let n = from + 1; n <= from + 50; n++)
        client.send({ type: 'submit', doc, seq: 2 * n, op: add('n', n) });
      await commits(client, doc, from, from + 50);
    }
    for (const n of [1, 2, 150, 299, 300]) {
      assert.deepEqual(await client.submit(doc, 2 * n, add('again')), {
        type: 'ack',
        doc,
        seq: 2 * n,
        version: n,
      });
      assert.equal(outcome(await client.submit(doc, 2 * n - 1, add('again'))), 'reject seq-used');
    }
    assert.equal((await client.open(doc)).version, 300);
  },
);

inBoth('SUBMIT-9 a rejected patch is not there, and its seq stays refused', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  const refused = await client.submit(doc, 1, [...add('a'), { op: 'remove', path: '/none' }], 0);
  assert.deepEqual([refused.type, refused.code, typeof refused.message], ['reject', 'bad-op', 'string']);
  assert.equal(outcome(await client.submit(doc, 1, add('a'), 0)), 'reject seq-used');
  assert.equal((await client.submit(doc, 2, add('b'), 0)).type, 'commit');
  assert.deepEqual((await client.open(doc)).snapshot, { b: 1 });
});

inBoth(
  'ERR-1 ERR-2 an error has a code of the contract, whether it is retryable, and what it is about',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    for (const [request, code, about] of [
      [{ type: 'open', doc: 'no name', id: 1 }, 'bad-name', { id: 1, doc: 'no name' }],
      [{ type: 'open', doc, id: 2 }, 'not-found', { id: 2, doc }],
      [{ type: 'presence', doc, data: 1, id: 'three' }, 'not-open', { id: 'three', doc }],
      [{ type: 'submit', doc, seq: 4, op: [] }, 'not-open', { doc, seq: 4 }],
      [{ type: 'nothing', id: 5 }, 'bad-message', { id: 5 }],
    ] as const) {
      client.send(request);
      const { message, ...rest } = await client.next('error');
      assert.deepEqual(rest, { type: 'error', code, retryable: ERROR_CODES[code], ...about });
      assert.ok(typeof message === 'string' && message.length > 0);
    }
  },
);

inBoth(
  'SUBMIT-9 a patch that is no value at all burns its seq like any other rejection',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    assert.equal(
      outcome(await client.submit(doc, 1, [{ op: 'add', path: '/a', value: '\ud800' }])),
      'reject bad-op',
    );
    assert.equal(outcome(await client.submit(doc, 1, add('a'))), 'reject seq-used');
    assert.equal(outcome(await client.submit(doc, 2, undefined)), 'reject bad-op');
    assert.equal((await client.submit(doc, 3, add('a'))).version, 1);
  },
);

test('VALUE-7 bytes are bin in MessagePack: base64 is refused there, and taken in JSON', async (t) => {
  for (const codec of [jsonCodec, msgpackCodec]) {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'yjs');
    assert.equal(outcome(await client.submit(doc, 1, 'AAA=')), codec.binary ? 'reject bad-op' : 'commit');
  }
});

inBoth('SUBMIT-10 a json patch that would have to pass too much has to be rebased', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  const many = (name: string) =>
    Array.from({ length: 1100 }, () => ({ op: 'add', path: `/${name}`, value: 1 }));
  assert.equal((await client.submit(doc, 1, many('a'), 0)).type, 'commit');
  const refused = await client.submit(doc, 2, many('b'), 0);
  assert.deepEqual([refused.type, refused.code, refused.retryable], ['error', 'version-too-old', true]);
  assert.equal((await client.submit(doc, 2, many('b'), 1)).version, 2);
});

inBoth('SUBMIT-11 two submits of one client on one base are concurrent', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'rich-text');
  client.send({ type: 'submit', doc, seq: 1, base: 0, op: [{ insert: 'first' }] });
  client.send({ type: 'submit', doc, seq: 2, base: 0, op: [{ insert: 'second' }] });
  const ops = await commits(client, doc, 0, 2);
  assert.deepEqual(ops[1]?.op, [{ retain: 5 }, { insert: 'second' }]);
});

inBoth(
  'SUBMIT-12 one submit more than limits.inflight is overloaded, and goes in when sent again',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const release = await holdCommits(t, file.node.storageUrl);
    for (let seq = 1; seq <= 65; seq++) client.send({ type: 'submit', doc, seq, base: 0, op: [] });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.seq, error.retryable, error.doc], ['overloaded', 65, true, doc]);
    assert.ok(Number(error.retryAfterMs) > 0);
    await release();
    await commits(client, doc, 0, 64);
    assert.equal((await client.submit(doc, 65, [], 0)).version, 65);
  },
);

inBoth('SUBMIT-13 base above the head is version-unknown', async (t, codec) => {
  const client = await file.connect(t, codec);
  const doc = file.newDoc();
  await client.open(doc, 'json');
  assert.equal(outcome(await client.submit(doc, 1, [], 1)), 'reject version-unknown');
  assert.equal(outcome(await client.submit(doc, 2, [], Number.MAX_SAFE_INTEGER)), 'reject version-unknown');
  assert.equal((await client.submit(doc, 3, [], 0)).type, 'commit');
});

inBoth(
  'SUBMIT-15 an empty patch, and one of which nothing is left, commit as [] and take a version',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    for (const [kind, first, second] of [
      ['json', add('a', { b: 1 }), [{ op: 'remove', path: '/a' }]],
      ['rich-text', [{ insert: 'abc' }], [{ delete: 3 }]],
    ] as const) {
      const doc = file.newDoc();
      await client.open(doc, kind);
      const empty = await client.submit(doc, 1, [], 0);
      assert.deepEqual([empty.version, empty.ops], [1, [{ client: client.id, seq: 1, op: [] }]]);
      await client.submit(doc, 2, first, 1);
      await client.submit(doc, 3, second, 2);
      const lost = await client.submit(
        doc,
        4,
        kind === 'json' ? [{ op: 'replace', path: '/a/b', value: 2 }] : [{ delete: 3 }],
        2,
      );
      assert.deepEqual([lost.version, lost.ops], [4, [{ client: client.id, seq: 4, op: [] }]]);
    }
  },
);

inBoth(
  'DUR-1 nothing that depends on a patch is told before its transaction has committed; presence is',
  async (t, codec) => {
    const [ada, bob, eve] = [
      await file.connect(t, codec),
      await file.connect(t, codec),
      await file.connect(t, codec),
    ];
    const doc = file.newDoc();
    const { history } = await ada.open(doc, 'json');
    await bob.open(doc);
    await ada.submit(doc, 1, add('a'), 0);
    await bob.next('commit');
    const release = await holdCommits(t, file.node.storageUrl);
    ada.send({ type: 'submit', doc, seq: 2, base: 1, op: add('b') });
    await ada.settled();
    ada.send({ type: 'submit', doc, seq: 2, base: 1, op: add('b') });
    ada.send({ type: 'submit', doc, seq: 3, base: 1, op: [{ op: 'test', path: '/b', value: 2 }] });
    eve.send({ type: 'open', doc, id: 'snapshot' });
    bob.send({ type: 'open', doc, since: 0, history, id: 'since' });
    bob.send({ type: 'presence', doc, data: 'behind all of these' });
    assert.deepEqual((await ada.next('presence')).states, { [String(bob.id)]: 'behind all of these' });
    for (const client of [ada, bob, eve]) {
      await client.settled();
      assert.deepEqual(
        client.received.filter((m) => m.type !== 'presence'),
        [],
      );
    }
    await release();
    assert.equal((await ada.answer(doc, 2)).type, 'commit');
    assert.equal((await ada.next('ack')).version, 2);
    assert.equal(outcome(await ada.answer(doc, 3)), 'reject test-failed');
    assert.deepEqual((await eve.next('opened')).snapshot, { a: 1, b: 1 });
    assert.equal(((await bob.next('opened')).ops as unknown[]).length, 2);
  },
);

inBoth(
  'ORDER-1 commits come without gap to who opens while others edit, each opened before its commits',
  async (t, codec) => {
    const writer = await file.connect(t, codec);
    const doc = file.newDoc();
    await writer.open(doc, 'json');
    const readers = [];
    for (let seq = 1; seq <= 120; seq++) {
      writer.send({ type: 'submit', doc, seq, op: add(`k${seq}`, seq) });
      if (seq % 20 === 10) {
        const reader = await file.connect(t, codec);
        reader.send({ type: 'open', doc });
        readers.push(reader);
      }
      if (seq % 20 === 0) await commits(writer, doc, seq - 20, seq);
    }
    for (const reader of readers) {
      const opened = await reader.take(() => true, 'anything');
      assert.equal(opened.type, 'opened');
      const from = Number(opened.version);
      const seen = { ...(opened.snapshot as object) } as Record<string, unknown>;
      for (const entry of await commits(reader, doc, from, 120)) seen[`k${entry.seq}`] = entry.seq;
      assert.equal(Object.keys(seen).length, 120);
    }
  },
);

test('ORDER-2 ONCE-1 seqs of one client in two documents have nothing to do with each other', async (t) => {
  const client = await file.connect(t);
  const [a, b] = [file.newDoc(), file.newDoc()];
  await client.open(a, 'json');
  await client.open(b, 'rich-text');
  await client.submit(a, 5, add('a'));
  assert.equal((await client.submit(b, 1, [{ insert: 'b' }])).type, 'commit');
  await settledAt(client, a);
  assert.deepEqual(pendingCommits(client, a), []);
});
