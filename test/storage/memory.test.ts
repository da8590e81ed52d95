// The memory store under the contract, and its faults.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StoreUnavailable, type WorkerStore } from '../../actors/storage/store.ts';
import { createMemoryDatabase, type MemoryNode } from '../doubles/store-memory.ts';
import { plain } from '../support/creations.ts';
import { contract, row } from './contract/contract.ts';

contract('memory', async () => {
  // Each way takes some turns of the event loop, so that calls overlap.
  let seed = 1;
  let nowMs = 1_000_000;
  const database = createMemoryDatabase({
    nowMs: () => nowMs,
    delay: async () => {
      seed = (seed * 48_271) % 2_147_483_647;
      for (let turns = seed % 3; turns > 0; turns--) await turn();
    },
  });
  await database.control().migrate();
  let losses = 0;
  const nodes = new Map<WorkerStore, MemoryNode>();
  return {
    control: () => database.control(),
    worker: () => {
      const node = database.node();
      const store = node.worker();
      nodes.set(store, node);
      return store;
    },
    fold: () => database.fold(),
    loseConnection: async (session) => {
      database.loseConnection(session, losses++ % 2 === 0 ? 'before-commit' : 'after-commit');
    },
    holdLock: async ({ store }) => {
      const node = nodes.get(store);
      node?.pause({ holding: true });
      const append = store.append([row(7, 1)], new Map());
      for (let turns = 0; turns < 10; turns++) await turn();
      return async () => {
        node?.resume();
        assert.deepEqual(await append, { type: 'fenced' });
      };
    },
    loseAllConnections: async () => database.restart(),
    age: async (ms) => {
      nowMs += ms;
    },
    loseAbove: async (doc, version) => database.loseAbove(doc, version),
  };
});

void test('memory: a database out of reach rejects calls, keeps appends open, and takes them when it is back', async () => {
  const database = createMemoryDatabase();
  const worker = database.worker();
  await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  await worker.claim([1]);
  const doc = (await worker.create('org', 'd', 1, plain('json')))?.row.id ?? 0;
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

void test('memory: an append whose answers do not come back has landed, and says so when they do', async () => {
  const database = createMemoryDatabase();
  const node = database.node();
  const worker = node.worker();
  const session = await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  node.setReach('no-answers');
  const append = worker.append([row(7, 1)], new Map([[7, 0]]));
  const other = database.node();
  await until(
    async () =>
      (await other
        .fold()
        .read(7, 1)
        .catch(() => undefined)) !== undefined,
  );
  const control = other.control();
  const me = await control.openSession({ run: randomUUID(), node: 'other', slot: -1 });
  assert.equal(await control.fence(me, { session: session.id }), true);
  await assert.rejects(worker.load([7]), StoreUnavailable);
  node.setReach('all');
  assert.deepEqual(await append, { type: 'committed' });
  assert.deepEqual(await worker.append([row(7, 2)], new Map()), { type: 'fenced' });
});

void test('memory: what a crashed process had half sent is rolled back, and its calls do not settle', async () => {
  const database = createMemoryDatabase();
  const [node, other] = [database.node(), database.node()];
  const worker = node.worker();
  await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  let settled = false;
  node.pause({ holding: true });
  const ignored = worker.append([row(7, 1)], new Map([[7, 0]])).finally(() => {
    settled = true;
  });
  await turn();
  node.crash();
  await turn();
  assert.equal(settled, false);
  assert.deepEqual((await other.fold().read(7, 0)).deltas, []);
  void ignored;
});

void test('memory: a fence waits for a batch under way, and for no longer than the time-out of a lock', async () => {
  const slept: number[] = [];
  let wake = (): void => undefined;
  const database = createMemoryDatabase({
    sleep: (ms) => {
      slept.push(ms);
      return new Promise((resolve) => {
        wake = resolve;
      });
    },
  });
  const [node, other] = [database.node(), database.node()];
  const worker = node.worker();
  const session = await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  const control = other.control();
  const me = await control.openSession({ run: randomUUID(), node: 'other', slot: -1 });
  node.pause({ holding: true });
  const first = worker.append([row(7, 1)], new Map([[7, 0]]));
  await turn();
  let fenced = false;
  const fence = control.fence(me, { session: session.id }).finally(() => {
    fenced = true;
  });
  await turn();
  assert.equal(fenced, false);
  assert.deepEqual(slept, [250]);
  node.resume();
  assert.deepEqual(await first, { type: 'committed' });
  assert.equal(await fence, true);
  wake();
});

void test('memory: after a failover under the next timeline, who knows of it does not go back', async () => {
  const database = createMemoryDatabase();
  const node = database.node();
  const control = node.control();
  assert.deepEqual(await control.timeline(), { timeline: 1, highest: 1 });
  database.failOver();
  assert.deepEqual(await control.timeline(), { timeline: 2, highest: 2 });
  control.refuseBelow(2);
  database.failOver(1);
  await assert.rejects(control.sessions(), StoreUnavailable);
  assert.deepEqual(await database.control().timeline(), { timeline: 1, highest: 2 });
});

void test('memory: the same seed gives the same run, lost connections and ended backends included', async () => {
  const trace = async (seed: number): Promise<string> => {
    let state = seed;
    const next = (below: number): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const wait = async (): Promise<void> => {
      for (let turns = next(4); turns > 0; turns--) await Promise.resolve();
    };
    let nowMs = 0;
    const database = createMemoryDatabase({
      delay: wait,
      sleep: wait,
      nowMs: () => nowMs++,
      random: (bytes) => bytes.set(bytes.map(() => next(256))),
    });
    const said: string[] = [];
    const writers = [1, 2, 3].map(async (i) => {
      const node = database.node();
      node.setLoss(() => (['before-commit', 'after-commit', undefined, undefined] as const)[next(4)]);
      const worker = node.worker();
      const session = await worker.open({ run: `run ${i}`, node: `${i}`, slot: 0 });
      for (let version = 1; version <= 5; version++) {
        const outcome = await worker.append([row(i, version)], new Map([[i, version - 1]]));
        said.push(`${session.id} ${version} ${outcome.type} ${worker.connectionEpoch}`);
      }
    });
    const results = await Promise.allSettled(writers);
    return JSON.stringify([said, results.map(({ status }) => status)]);
  };
  assert.equal(await trace(11), await trace(11));
  assert.notEqual(await trace(11), await trace(12));
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await turn();
}
