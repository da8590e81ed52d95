// Workers whose thread hangs: the silence that counts as a stall, and the fate of the documents.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StallWatch } from '../../../cluster/workers/stalls.ts';
import { startTestNode } from '../../support/node.ts';
import { WireClient } from '../../support/wire-client.ts';

const workerModule = new URL('../../support/faulty-worker.js', import.meta.url);

/** Two workers under watch with a stall time of 1 s, which is checked every 100 ms. */
function bench() {
  let now = 0;
  let look = (): void => undefined;
  const beats = [0, 0];
  const stalled: number[] = [];
  const clock = {
    now: () => now,
    every: (ms: number, run: () => void) => {
      assert.equal(ms, 100);
      look = run;
      return () => undefined;
    },
  };
  const watch = new StallWatch({ clock, stallMs: 1_000, onStalled: (slot) => stalled.push(slot) });
  for (const slot of [0, 1]) watch.watch(slot, () => beats[slot] ?? 0);
  return {
    watch,
    stalled,
    /** Checks `count` times, each `ms` after the last. The workers `alive` beat before each check. */
    looks(count: number, alive: readonly number[], ms = 100): void {
      for (let at = 0; at < count; at++) {
        for (const slot of alive) beats[slot] = (beats[slot] ?? 0) + 1;
        now += ms;
        look();
      }
    },
  };
}

test('a worker that was alive and is silent for the stall time has stalled, and is told once', () => {
  const { looks, stalled } = bench();
  looks(50, [0]);
  assert.deepEqual(stalled, [], 'worker 1 is still starting');
  looks(1, [0, 1]);
  looks(9, [0]);
  assert.deepEqual(stalled, []);
  looks(20, [0]);
  assert.deepEqual(stalled, [1]);
});

test('a process that stood still does not take its workers for stalled when it goes on', () => {
  const { looks, stalled } = bench();
  looks(5, [0, 1]);
  looks(1, [], 60_000);
  looks(3, []);
  assert.deepEqual(stalled, []);
  looks(5, [0, 1]);
  looks(9, []);
  assert.deepEqual(stalled, []);
  looks(1, []);
  assert.deepEqual(stalled, [0, 1]);
});

test('a worker that has ended is not watched', () => {
  const { watch, looks, stalled } = bench();
  looks(5, [0, 1]);
  watch.forget(0);
  looks(20, [1]);
  assert.deepEqual(stalled, []);
});

test('a worker that hangs is ended and replaced: its edits commit, and the other worker goes on meanwhile', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-hang-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const node = await startTestNode(t, { workerModule, config: { workers: 2, worker: { stallMs: 1_000 } } });
  const author = await WireClient.connect(t, node.socketUrl, { client: 'author-1' });
  const others = await WireClient.connect(t, node.socketUrl, { client: 'others-1' });
  await author.open('acme/hangs', 'rich-text');
  const docs = Array.from({ length: 12 }, (_, at) => `acme/other-${at}`);
  for (const doc of docs) await others.open(doc, 'rich-text');
  const order: string[] = [];
  const hung = author
    .submit('acme/hangs', 1, [{ insert: `HANG-ONCE ${join(directory, 'done')}` }])
    .then((answer) => order.push(`hung: ${answer.type}`));
  await author.settled();
  const rest = docs.map((doc) => {
    others.send({ type: 'submit', doc, seq: 1, op: [{ insert: 'x' }] });
    return others
      .take((m) => (m.type === 'commit' || m.type === 'error') && m.doc === doc, `a commit of ${doc}`)
      .then((answer) => order.push(String(answer.type)));
  });
  await Promise.all([hung, ...rest]);
  assert.equal(order.filter((each) => each === 'commit').length, docs.length, order.join());
  const at = order.indexOf('hung: commit');
  assert.ok(at > 0, `documents of the other worker do not wait: ${order.join()}`);
});

test('ERR-6 a document that hangs its worker three times is quarantined', async (t) => {
  const node = await startTestNode(t, { workerModule, config: { workers: 1, worker: { stallMs: 1_000 } } });
  const author = await WireClient.connect(t, node.socketUrl, { client: 'author-1' });
  await author.open('acme/hangs', 'rich-text');
  const answer = await author.submit('acme/hangs', 1, [{ insert: 'HANG' }]);
  assert.deepEqual([answer.type, answer.code, answer.retryable], ['error', 'unavailable', true]);
  await author.open('acme/plan', 'rich-text');
  assert.equal((await author.submit('acme/plan', 1, [{ insert: 'x' }])).type, 'commit');
});
