// A hand-off whose answer is lost after it has committed. A killed backend shows this too rarely.
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createWorkerStore } from '../../../actors/storage/store-postgres.ts';
import { until } from '../../support/until.ts';
import { row } from '../contract/contract.ts';
import { database, document, openWorker } from './support.ts';

void test('hand-off: one whose answer was lost says what it moved, also when that has been handed on', async (t) => {
  const { url, admin } = await database(t);
  const relay = await openRelay(t, url);
  const worker = createWorkerStore({ url: relay.url, answerTimeoutMs: 1_000 });
  t.after(() => worker.abort());
  await worker.open({ run: '00000000-0000-4000-8000-000000000001', node: 'node', slot: 0 });
  const doc = await document(worker, 'd', 1);
  await worker.claim([2, 3, 9]);
  assert.deepEqual(await worker.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'committed' });
  const [b, c] = [await openWorker(t, url, 1), await openWorker(t, url, 2)];
  // Prepares the statement, so that the answer to its execution is the next to be lost.
  assert.deepEqual([...(await worker.handOff([9], c.session.id))], [[9, 2]]);
  relay.mute();
  const moved = worker.handOff([1, 2, 3], b.session.id);
  const append = worker.append([row(doc, 2)], new Map());
  await until(async () => (await admin`SELECT 1 FROM shard WHERE owner = ${b.session.id}`).length === 3);
  assert.deepEqual([...(await b.worker.handOff([3], c.session.id))], [[3, 3]]);
  assert.deepEqual([...(await moved)].toSorted(), [
    [1, 2],
    [2, 2],
  ]);
  assert.deepEqual(await append, { type: 'committed' });
});

/** A relay between a store and its server. After `mute` the present connections bring nothing back. */
async function openRelay(t: TestContext, url: string): Promise<{ readonly url: string; mute(): void }> {
  const target = new URL(url);
  const pairs = new Set<{ readonly up: Socket; readonly down: Socket }>();
  const server = createServer((down) => {
    const up = connect(Number(target.port), target.hostname);
    const pair = { up, down };
    pairs.add(pair);
    for (const [from, to] of [
      [up, down],
      [down, up],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
    down.on('close', () => pairs.delete(pair));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const { up, down } of pairs) {
      up.destroy();
      down.destroy();
    }
    server.close();
  });
  const address = server.address();
  const through = new URL(url);
  through.port = String(address !== null && typeof address === 'object' ? address.port : 0);
  return {
    url: through.href,
    mute: () => {
      for (const { up, down } of pairs) {
        up.unpipe(down);
        up.resume();
      }
    },
  };
}
