// The shards that a node hands over: a few at a time to one target, and to the next target if the first takes
// none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS } from '../../../actors/metrics/metrics.ts';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import { SHARDS } from '../../../actors/shard.ts';
import type { SessionId } from '../../../actors/storage/store.ts';
import { ClusterView } from '../../../cluster/cluster-view.ts';
import { PinBoard } from '../../../cluster/placement/pin-board.ts';
import { HandOver } from '../../../cluster/shards/hand-over.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { lease } from '../liveness/lease-store-contract.ts';

const OWN = 1;
/** The sessions of the workers of nodes b and c. */
const B = 20;
const C = 30;

/** Node a, whose one worker owns shards 0 to 4. Shards 0 and 1 should be b's, and 2 and 3 c's. */
function node({ taken = (shards: readonly number[]) => shards } = {}) {
  const clock = new Scheduler();
  const pins = new PinBoard({
    store: createMemoryDatabase().control(),
    configured: [],
    onChange: () => undefined,
    onFailed: () => undefined,
  });
  const view = new ClusterView('a', pins);
  view.own.up(0, OWN, { offer: () => true, send: () => undefined });
  view.map.apply([0, 1, 2, 3, 4].map((shard) => [shard, OWN, 1]));
  const { members } = view;
  members.sync(
    ['b', 'c'].map((name, index) => ({
      id: 10 + index,
      run: `run-${name}`,
      node: name,
      slot: -1,
      state: 'live' as const,
      address: `${name}:1`,
    })),
  );
  const serve = (name: string, ...sessions: readonly SessionId[]): void => {
    const workers = sessions.map((session, slot) => ({ slot, session }));
    members.learn(lease({ run: `run-${name}`, node: name, workers }), clock.now());
  };
  const placement = Array.from({ length: SHARDS }, (_, shard) => 'bbcc'[shard] ?? 'a');
  const asked: string[] = [];
  const counts = new ThreadCounts();
  const handOver = new HandOver({
    counts,
    view,
    planner: {
      placeable: () => ['a', 'b', 'c'].map((name) => ({ name, weight: 1 })),
      wanted: () => ({ placement, pins: { shards: new Map(), problems: [] } }),
      memberFor: (name) => [...members.all()].find((member) => member.node === name),
    },
    routes: { drop: () => undefined, leadsHome: () => true },
    node: 'a',
    clock,
    slots: {
      release: (_slot, shards, to) => {
        asked.push(`${shards} to ${to}`);
        return Promise.resolve(new Map(taken(shards).map((shard) => [shard, 2])));
      },
    },
    adopt: () => undefined,
    onStale: () => asked.push('stale'),
    log: () => undefined,
  });
  const move = async (): Promise<void> => {
    handOver.move(16);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const pass = (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });
  return { serve, asked, move, pass, counts, moving: () => Object.fromEntries(handOver.moving()) };
}

test('shards go to one target after the other', async () => {
  const { serve, asked, move } = node();
  serve('b', B);
  serve('c', C);
  await move();
  await move();
  await move();
  assert.deepEqual(asked, [`0,1 to ${B}`, `2,3 to ${C}`]);
});

test('shards that are still to go are told by their target, and shards that went are counted', async () => {
  const { serve, move, moving, counts } = node();
  serve('b', B);
  serve('c', C);
  assert.deepEqual(moving(), { b: 2, c: 2 });
  await move();
  assert.deepEqual(moving(), { c: 2 });
  await move();
  assert.deepEqual(moving(), {});
  assert.equal(counts.cell(METRICS.shardsHandedOver.at), 4);
});

test('a target without a worker keeps nobody else waiting', async () => {
  const { serve, asked, move } = node();
  serve('c', C);
  await move();
  await move();
  serve('b', B);
  await move();
  assert.deepEqual(asked, [`2,3 to ${C}`, `0,1 to ${B}`]);
});

test('a target that takes nothing is left alone for a while, and keeps nobody else waiting', async () => {
  const { serve, asked, move, pass } = node({ taken: (shards) => (shards.includes(0) ? [] : shards) });
  serve('b', B);
  serve('c', C);
  for (let times = 0; times < 3; times++) await move();
  assert.deepEqual(asked, [`0,1 to ${B}`, 'stale', `2,3 to ${C}`]);
  await pass(2000);
  await move();
  assert.deepEqual(asked.slice(3), [`0,1 to ${B}`, 'stale']);
});

test('a target that took what there was is not left alone for what there was not', async () => {
  let there: readonly number[] = [1, 2, 3];
  const { serve, asked, move } = node({ taken: (shards) => shards.filter((shard) => there.includes(shard)) });
  serve('b', B);
  await move();
  there = [0];
  await move();
  assert.deepEqual(asked, [`0,1 to ${B}`, 'stale', `0 to ${B}`]);
});
