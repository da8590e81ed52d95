// A node without a cluster repeats a failed claim until it has the shards or ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../actors/clock.ts';
import { StoreUnavailable } from '../../actors/storage/store.ts';
import { Router } from '../../cluster/shards/router.ts';
import { SingleNode } from '../../cluster/single-node.ts';
import type { Epochs } from '../../cluster/workers/slot-host.ts';

test('shards that cannot be claimed yet are claimed again', async () => {
  const { alone, database, due, wake } = stage();
  let isServed = false;
  void alone.serve(database).then(() => {
    isServed = true;
  });
  await wake();
  await wake();
  assert.equal(database.claims, 3);
  assert.equal(isServed, false);
  database.isThere = true;
  await wake();
  assert.equal(isServed, true);
  assert.equal(due.size, 0, 'and then no more');
});

test('a node that ends claims nothing any more, and leaves no timer', async () => {
  const { alone, database, due, wake } = stage();
  void alone.serve(database);
  await wake();
  assert.equal(due.size, 1);
  alone.stop();
  assert.equal(due.size, 0);
  await wake();
  assert.equal(database.claims, 2);
});

test('nor does a claim that fails when it has ended', async () => {
  const { alone, database, due } = stage();
  void alone.serve(database);
  alone.stop();
  await settled();
  assert.equal(database.claims, 1);
  assert.equal(due.size, 0);
});

/** A node with one worker. The test wakes its waits. */
function stage() {
  const due = new Set<() => void>();
  const database = {
    isThere: false,
    claims: 0,
    start: async (): Promise<void> => alone.up(0, 1, { offer: () => true, send: () => undefined }),
    claim: async (_: number, shards: readonly number[]): Promise<Epochs> => {
      database.claims++;
      if (!database.isThere) throw new StoreUnavailable('away');
      return new Map(shards.map((shard) => [shard, 1]));
    },
  };
  const alone = new SingleNode({
    slots: 1,
    router: new Router(),
    listener: { messages: () => undefined, lost: () => undefined, changed: () => undefined },
    clock: {
      ...systemClock,
      after: (_, run) => {
        due.add(run);
        return () => due.delete(run);
      },
    },
    log: () => undefined,
    onFenced: () => undefined,
  });
  const wake = async (): Promise<void> => {
    await settled();
    for (const run of due) {
      due.delete(run);
      run();
    }
    await settled();
  };
  return { alone, database, due, wake };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
