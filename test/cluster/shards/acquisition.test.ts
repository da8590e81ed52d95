// The shards that a node claims, and the times of its claims. It claims shards that fall to it at once, and
// shards that fall to others after a while. Shards that fall to it while its worker is busy are claimed as
// soon as the worker is free.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import { SHARDS } from '../../../actors/shard.ts';
import { ClusterView } from '../../../cluster/cluster-view.ts';
import { PinBoard } from '../../../cluster/placement/pin-board.ts';
import { Acquisition } from '../../../cluster/shards/acquisition.ts';
import type { Epochs } from '../../../cluster/workers/slot-host.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { Scheduler } from '../../sim/scheduler.ts';

const LINK = { offer: () => true, send: () => undefined };

/** Node a, whose one worker has session 1. The first shard should be another node's. */
function node() {
  const clock = new Scheduler();
  const pins = new PinBoard({
    store: createMemoryDatabase().control(),
    configured: [],
    onChange: () => undefined,
    onFailed: () => undefined,
  });
  const view = new ClusterView('a', pins);
  view.own.up(0, 1, LINK);
  const placement = Array.from({ length: SHARDS }, (_, shard) => (shard === 0 ? 'b' : 'a'));
  const claimed: number[][] = [];
  const calls: string[] = [];
  const acquisition = new Acquisition({
    counts: new ThreadCounts(),
    view,
    planner: { wanted: () => ({ placement, pins: { shards: new Map(), problems: [] } }) },
    routes: { leadHome: () => undefined },
    node: 'a',
    clock,
    slots: {
      claim: (_slot, shards) => {
        claimed.push([...shards]);
        return Promise.resolve<Epochs>(new Map(shards.map((shard) => [shard, 1])));
      },
      adopt: () => Promise.resolve<Epochs>(new Map()),
    },
    leases: { writeMap: () => Promise.resolve() },
    announce: () => undefined,
    onStale: () => calls.push('stale'),
    onFree: () => calls.push('free'),
    log: () => undefined,
  });
  return { clock, view, acquisition, claimed, calls };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('shards that fall to the node while its worker is busy are claimed as soon as it is free', async () => {
  const { view, acquisition, claimed, calls } = node();
  let end = (): void => undefined;
  view.own.occupy(
    0,
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
  );
  acquisition.claimOrphans();
  await settled();
  assert.deepEqual([claimed, calls], [[], []]);
  end();
  await settled();
  assert.deepEqual(calls, ['free']);
  acquisition.claimOrphans();
  assert.equal(claimed[0]?.length, SHARDS - 1);
});

test('a worker that has come up anew is not busy with what its predecessor began', async () => {
  const { view } = node();
  let end = (): void => undefined;
  view.own.occupy(
    0,
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
  );
  view.own.down(0);
  view.own.up(0, 2, LINK);
  assert.equal(view.own.busyWith(0), undefined);
  view.own.occupy(0, () => new Promise(() => undefined));
  end();
  await settled();
  assert.notEqual(view.own.busyWith(0), undefined);
});

test('an orphan of another node is claimed when that one has not taken it for a while', async () => {
  const { clock, acquisition, claimed, calls } = node();
  acquisition.claimOrphans();
  await settled();
  assert.equal(claimed.length, 1);
  acquisition.claimOrphans();
  await settled();
  assert.equal(claimed.length, 1, 'it is not ours yet');
  await clock.run({ until: () => false, untilMs: clock.now() + 3000 });
  acquisition.claimOrphans();
  await settled();
  assert.deepEqual(claimed[1], [0]);
  assert.deepEqual(calls, []);
});

test('an answer that comes after the end of the run changes nothing', async () => {
  const { view, acquisition } = node();
  acquisition.claimOrphans();
  acquisition.end();
  await settled();
  assert.equal(view.map.orphans, SHARDS);
});
