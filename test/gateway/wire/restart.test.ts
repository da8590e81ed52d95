// State that outlives memory: after a restart, in a document that no client has open, and in one that left
// memory while it was open. The log and the snapshots must suffice, also for exactly once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestNode } from '../../support/node.ts';
import { untilSeen } from '../../support/until.ts';
import { WireClient } from '../../support/wire-client.ts';
import { outcome, query } from './contract.ts';

const KiB = 1024;
const add = (name: string, value: unknown) => [{ op: 'add', path: `/${name}`, value }];

/** Resolves when a snapshot of the document at `version` or later is in the database. */
const snapshotAt = (storageUrl: string, name: string, version: number): Promise<number> =>
  untilSeen(`a snapshot of ${name} at ${version}`, async () => {
    const [row] = await query(
      storageUrl,
      (sql) => sql`SELECT max(s.version)::int AS at FROM snapshot s JOIN document d ON d.id = s.doc
        WHERE d.org || '/' || d.name = ${name}`,
    );
    return Number(row?.at ?? 0) >= version ? Number(row?.at) : undefined;
  });

test('DUR-1 ONCE-1 ONCE-2 OPEN-4 after a restart all is there and a seq is still known, also from before a snapshot', async (t) => {
  const config = { snapshot: { minBytes: KiB } };
  const first = await startTestNode(t, { config });
  const ada = await WireClient.connect(t, first.socketUrl, { client: 'ada-before-and-after' });
  const documents = ['acme/folded', 'acme/unfolded'];
  const histories = [];
  for (const doc of documents) {
    const { history } = await ada.open(doc, 'json');
    histories.push(history);
    await ada.submit(doc, 3, add('a', doc === 'acme/folded' ? 'x'.repeat(2 * KiB) : 'x'), 0);
    await ada.submit(doc, 5, add('b', 2), 1);
  }
  await snapshotAt(first.storageUrl, 'acme/folded', 1);
  await first.stop();
  assert.equal((await ada.untilClosed()).code, 1001);

  const second = await startTestNode(t, { config, storageUrl: first.storageUrl });
  const back = await WireClient.connect(t, second.socketUrl, { client: 'ada-before-and-after' });
  for (const [i, doc] of documents.entries()) {
    const opened = await back.open(doc, undefined, { since: 0, history: histories[i] });
    assert.deepEqual([opened.since, opened.version, opened.lastSeq], [0, 2, 5], doc);
    assert.deepEqual(await back.submit(doc, 3, add('a', 'again'), 0), {
      type: 'ack',
      doc,
      seq: 3,
      version: 1,
    });
    assert.deepEqual(await back.submit(doc, 5, add('b', 'again'), 1), {
      type: 'ack',
      doc,
      seq: 5,
      version: 2,
    });
    assert.equal(outcome(await back.submit(doc, 4, add('b', 'late'), 1)), 'reject seq-used');
    assert.equal((await back.submit(doc, 6, add('c', 3), 0)).version, 3);
    const { snapshot } = await back.open(doc);
    assert.deepEqual([(snapshot as { b: number }).b, (snapshot as { c: number }).c], [2, 3]);
  }
});

test('ONCE-1 OPEN-7 a document that leaves memory while nobody has it open comes back whole', async (t) => {
  const node = await startTestNode(t, { config: { actors: { idleMs: 100 } } });
  const ada = await WireClient.connect(t, node.socketUrl, { client: 'ada-comes-back' });
  const doc = 'acme/idle';
  const { history } = await ada.open(doc, 'rich-text');
  await ada.submit(doc, 1, [{ insert: 'x'.repeat(8 * KiB) }], 0);
  ada.send({ type: 'close', doc });
  await ada.next('closed');
  // The snapshot is written when the document leaves memory.
  await snapshotAt(node.storageUrl, doc, 1);
  const opened = await ada.open(doc);
  assert.deepEqual([opened.history, opened.version, opened.lastSeq], [history, 1, 1]);
  assert.deepEqual(opened.snapshot, [{ insert: `${'x'.repeat(8 * KiB)}\n` }]);
  assert.equal((await ada.submit(doc, 1, [{ insert: 'twice' }], 0)).type, 'ack');
  assert.equal((await ada.submit(doc, 2, [{ delete: 8 * KiB }], 1)).version, 2);
});

test('ONCE-1 ORDER-1 documents beyond the memory budget leave while they are open, and go on with the next edit', async (t) => {
  const config = {
    limits: { documentBytes: 512 * KiB, receiveBytes: 1024 * KiB },
    actors: { memoryBytes: 1024 * KiB },
    snapshot: { minBytes: 1024 * KiB },
  };
  const node = await startTestNode(t, { config });
  const [ada, bob] = [
    await WireClient.connect(t, node.socketUrl, { client: 'ada-stays-open' }),
    await WireClient.connect(t, node.socketUrl, { client: 'bob-stays-open' }),
  ];
  const value = 'x'.repeat(240 * KiB);
  const documents = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'].map(
    (name) => `acme/${name}`,
  );
  for (const doc of documents) {
    await ada.open(doc, 'json');
    await bob.open(doc);
    assert.equal((await ada.submit(doc, 7, add('v', value), 0)).type, 'commit');
  }
  // Each document is folded before it leaves memory, which has room for fewer than five.
  for (const doc of documents.slice(0, 3)) await snapshotAt(node.storageUrl, doc, 1);
  for (const doc of documents.slice(0, 3)) {
    assert.deepEqual(await ada.submit(doc, 7, add('v', 'twice'), 0), {
      type: 'ack',
      doc,
      seq: 7,
      version: 1,
    });
    assert.equal(outcome(await ada.submit(doc, 6, add('v', 'late'), 0)), 'reject seq-used');
    assert.equal((await bob.submit(doc, 1, add('w', 1), 0)).version, 2);
    assert.equal((await ada.submit(doc, 8, add('z', 1))).version, 3);
    assert.equal((await ada.open(doc)).lastSeq, 8);
  }
});
