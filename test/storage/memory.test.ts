// The memory store under the contract, and its faults.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StoreUnavailable } from '../../actors/storage/store.ts';
import { createMemoryDatabase } from '../../actors/storage/store-memory.ts';
import { contract, row } from './contract.ts';

contract('memory', async () => {
  // Each way takes some turns of the event loop, so that calls overlap.
  let seed = 1;
  const database = createMemoryDatabase({
    delay: async () => {
      seed = (seed * 48_271) % 2_147_483_647;
      for (let turns = seed % 3; turns > 0; turns--) await turn();
    },
  });
  await database.control().migrate();
  let losses = 0;
  return {
    control: () => database.control(),
    worker: () => database.worker(),
    fold: () => database.fold(),
    loseConnection: async (session) => {
      database.loseConnection(session, losses++ % 2 === 0 ? 'before-commit' : 'after-commit');
    },
    loseAbove: async (doc, version) => database.loseAbove(doc, version),
  };
});

void test('memory: a database out of reach rejects calls, keeps appends open, and takes them when it is back', async () => {
  const database = createMemoryDatabase();
  const worker = database.worker();
  await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  await worker.claim([1]);
  const doc = (await worker.create('org', 'd', 1, 'json'))?.row.id ?? 0;
  database.setAvailable(false);
  await assert.rejects(worker.load([doc]), StoreUnavailable);
  let settled = false;
  const append = worker.append([row(doc, 1)], new Map([[doc, 0]])).finally(() => {
    settled = true;
  });
  await turn();
  assert.equal(settled, false);
  database.setAvailable(true);
  assert.deepEqual(await append, { type: 'committed' });
  database.setAvailable(false);
  const given = worker.append([row(doc, 2)], new Map());
  await turn();
  worker.abort();
  assert.deepEqual(await given, { type: 'fenced' });
});

void test('memory: the caller may use its buffers again once a batch is durable', async () => {
  const database = createMemoryDatabase();
  const worker = database.worker();
  await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  const op = Uint8Array.of(1, 2, 3);
  await worker.append([row(7, 1, { op })], new Map([[7, 0]]));
  op.fill(0);
  assert.deepEqual(Uint8Array.from((await worker.load([7]))[0]?.deltas[0]?.op ?? []), Uint8Array.of(1, 2, 3));
});
