// A worker's death: only its documents pause, no client notices, and a document that kills its worker
// three times is left alone while its neighbours live.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestNode } from '../support/node.ts';
import { type Message, WireClient } from '../support/wire-client.ts';

const workerModule = new URL('../support/faulty-worker.js', import.meta.url);

const text = (message: Message): string =>
  (message.snapshot as { insert: string }[]).map((step) => step.insert).join('');

test('a worker that dies in mid-edit is replaced: its clients see a pause, each edit commits once', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-kill-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const node = await startTestNode(t, { workerModule, config: { workers: 1 } });
  const author = await WireClient.connect(t, node.socketUrl, { client: 'author-1' });
  const reader = await WireClient.connect(t, node.socketUrl, { client: 'reader-1' });
  await author.open('acme/plan', 'rich-text');
  await reader.open('acme/plan');
  author.send({ type: 'presence', doc: 'acme/plan', data: { name: 'Ann' } });
  await reader.next('presence');
  await author.submit('acme/plan', 1, [{ insert: 'before ' }], 0);
  for (const [index, insert] of [`KILL-ONCE ${join(directory, 'done')}`, 'b', 'c'].entries()) {
    author.send({ type: 'submit', doc: 'acme/plan', seq: index + 2, base: 1, op: [{ insert }] });
  }
  for (let seq = 2; seq <= 4; seq++) await author.answer('acme/plan', seq).catch(() => undefined);
  await author.submit('acme/plan', 5, [{ insert: 'after ' }]);
  const versions: number[] = [];
  while (versions.at(-1) !== 5) {
    const commit = await reader.next('commit');
    const { length } = commit.ops as unknown[];
    const version = commit.version as number;
    versions.push(...Array.from({ length }, (_, i) => version - length + 1 + i));
  }
  assert.deepEqual(versions, [1, 2, 3, 4, 5], 'no gap, no repeat over the change of owner');
  assert.equal(reader.closed, undefined);
  assert.equal(author.closed, undefined);
  const fresh = await WireClient.connect(t, node.socketUrl, { client: 'fresh-01' });
  const opened = await fresh.open('acme/plan');
  assert.equal(opened.version, 5);
  assert.deepEqual(opened.presence, { 'author-1': { name: 'Ann' } }, 'presence is announced again');
});

test('a document that kills its worker three times is quarantined, its neighbours live', async (t) => {
  const node = await startTestNode(t, { workerModule, config: { workers: 1 } });
  const poisoner = await WireClient.connect(t, node.socketUrl, { client: 'poisoner' });
  const neighbour = await WireClient.connect(t, node.socketUrl, { client: 'neighbour' });
  await poisoner.open('acme/poison', 'rich-text');
  await neighbour.open('acme/plan', 'rich-text');
  await neighbour.submit('acme/plan', 1, [{ insert: 'safe' }]);
  const answer = await poisoner.submit('acme/poison', 1, [{ insert: 'KILL' }], 0);
  assert.equal(answer.type, 'error');
  assert.equal(answer.code, 'unavailable');
  assert.equal(answer.retryable, true);
  await neighbour.submit('acme/plan', 2, [{ insert: 'still ' }]);
  const fresh = await WireClient.connect(t, node.socketUrl, { client: 'fresh-01' });
  assert.equal(text(await fresh.open('acme/plan')), 'still safe\n');
  fresh.send({ type: 'open', doc: 'acme/poison', id: 7 });
  const refused = await fresh.next('error');
  assert.deepEqual([refused.id, refused.code], [7, 'unavailable']);
});
