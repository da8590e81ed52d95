// The times at which a node claims shards and hands them over: never while the map may be wrong, except for
// shards that a fenced node has just freed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeState } from '../../../cluster/liveness/own-lease.ts';
import { ShardMoves } from '../../../cluster/shards/shard-moves.ts';
import { Scheduler } from '../../sim/scheduler.ts';

function moves({ state = 'live', isStale = false }: { state?: NodeState; isStale?: boolean } = {}) {
  const clock = new Scheduler();
  const at = { state, isStale, claims: 0, handedOver: [] as number[] };
  const shards = new ShardMoves({
    clock,
    state: () => at.state,
    map: at,
    claimOrphans: () => at.claims++,
    handOver: (most) => at.handedOver.push(most),
  });
  const pass = (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });
  return { shards, at, pass };
}

test('events that come together cause one claim', async () => {
  const { shards, at, pass } = moves();
  for (let i = 0; i < 5; i++) shards.claimSoon();
  await pass(100);
  assert.equal(at.claims, 1);
  shards.claimSoon();
  shards.stop();
  await pass(100);
  assert.equal(at.claims, 1);
});

test('with a map that may be wrong only freed shards are claimed', async () => {
  const { shards, at, pass } = moves({ isStale: true });
  shards.claimSoon();
  await pass(100);
  assert.equal(at.claims, 0);
  shards.freed([3]);
  await pass(100);
  assert.equal(at.claims, 1);
  shards.claimSoon();
  await pass(100);
  assert.equal(at.claims, 1, 'freed shards count once');
});

test('a node that joins or leaves claims nothing; one that joins hands nothing over', async () => {
  for (const state of ['joining', 'draining'] as const) {
    const { shards, at, pass } = moves({ state });
    shards.freed([3]);
    await pass(100);
    assert.equal(at.claims, 0, state);
  }
  const { shards, at } = moves({ state: 'joining' });
  shards.handOver();
  at.state = 'live';
  at.isStale = true;
  shards.handOver();
  assert.deepEqual(at.handedOver, []);
  at.isStale = false;
  shards.handOver();
  at.state = 'draining';
  shards.handOver();
  assert.equal(at.handedOver.length, 2);
  assert.ok(
    (at.handedOver[0] ?? 0) < (at.handedOver[1] ?? 0),
    'a node that leaves hands over more at a time',
  );
});

test('draining hands over nothing before the database is told, and ends when it is done, late or stopped', async () => {
  const { shards, at, pass } = moves({ state: 'draining' });
  let tell = (): void => undefined;
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let isDone = false;
  let ended = 0;
  const count = (): void => {
    ended++;
  };
  void shards.drain(60_000, { told, isDone: () => isDone }).drained.then(count);
  await pass(1000);
  assert.deepEqual(at.handedOver, []);
  tell();
  await pass(1000);
  assert.ok(at.handedOver.length > 10);
  assert.equal(ended, 0);
  isDone = true;
  await pass(100);
  assert.equal(ended, 1);

  void shards.drain(500, { told, isDone: () => false }).drained.then(count);
  await pass(600);
  assert.equal(ended, 2);

  const { drained, end } = shards.drain(60_000, { told, isDone: () => false });
  void drained.then(count);
  end();
  await pass(1);
  assert.equal(ended, 3);
});
