// The shards as a node sees them: news of owners become routes, and the shards of a fenced session are
// claimed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import { SHARDS } from '../../../actors/shard.ts';
import { ClusterView } from '../../../cluster/cluster-view.ts';
import type { MapEntry } from '../../../cluster/liveness/lease-store.ts';
import { PeerLinks } from '../../../cluster/peer/peer-links.ts';
import { PinBoard } from '../../../cluster/placement/pin-board.ts';
import { Rings } from '../../../cluster/placement/rings.ts';
import { NodeShards } from '../../../cluster/shards/node-shards.ts';
import { Router } from '../../../cluster/shards/router.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { FakePeer, STREAM } from '../fake-peer.ts';

const OWN = 1;
const THEIRS = 10;
const THEIR_WORKER = 11;
const LINK = { offer: () => true, send: () => undefined };

/** Node a with one worker, and the member b with one worker, which is connected. */
function node() {
  const clock = new Scheduler();
  const store = createMemoryDatabase().control();
  const pins = new PinBoard({ store, configured: [], onChange: () => undefined, onFailed: () => undefined });
  const view = new ClusterView('a', pins);
  view.members.sync([
    { id: THEIRS, run: 'run-b', node: 'b', slot: -1, address: 'b:1', state: 'live' },
    { id: THEIR_WORKER, run: 'run-b', node: 'b', slot: 0, address: null, state: 'live' },
  ]);
  view.members.learn(
    {
      run: 'run-b',
      node: 'b',
      address: 'b:1',
      session: THEIRS,
      state: 'live',
      weight: 1,
      workers: [{ slot: 0, session: THEIR_WORKER }],
      timeline: 1,
    },
    0,
  );
  const closers: (() => void)[] = [];
  const peer = new FakePeer();
  peer.openStream = () => ({ ...STREAM, onClose: (listener) => void closers.push(listener) });
  const router = new Router();
  const lost: unknown[] = [];
  const listener = {
    messages: () => undefined,
    lost: (link: unknown) => lost.push(link),
    changed: () => undefined,
  };
  const links = new PeerLinks({
    link: { windowMessages: 10, windowBytes: 1e6, queueMessages: 10, queueBytes: 1e6 },
    clock,
    log: () => undefined,
    listener,
    onLost: (link) => shards.linkLost(link),
    attach: () => false,
  });
  links.up(peer);
  const claimed: number[] = [];
  const calls = { stale: 0 };
  const shards = new NodeShards({
    counts: new ThreadCounts(),
    view,
    node: 'a',
    weight: 1,
    rings: new Rings(),
    state: () => 'live',
    router,
    listener,
    links,
    workers: () => ({
      claim: (_slot, wanted) => {
        claimed.push(...wanted);
        return Promise.resolve(new Map(wanted.map((shard) => [shard, 9])));
      },
      adopt: (_slot, handed) => Promise.resolve(new Map(handed.map((shard) => [shard, 9]))),
      release: () => Promise.resolve(new Map()),
    }),
    store,
    leases: { writeMap: () => Promise.resolve() },
    clock,
    announce: () => undefined,
    onStale: () => {
      calls.stale++;
    },
    log: () => undefined,
  });
  const member = view.members.get('run-b');
  assert.ok(member !== undefined);
  const pass = (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });
  return { shards, view, router, member, peer, claimed, calls, lost, closers, pass };
}

const entriesOf = (owner: number, epoch: number): MapEntry[] =>
  Array.from({ length: SHARDS }, (_, shard): MapEntry => [shard, owner, epoch]);

test('news of an owner becomes a route once the owner is reached, and ends when it is not', () => {
  const { shards, router, member, peer } = node();
  assert.equal(shards.learn(entriesOf(THEIR_WORKER, 1)), true);
  assert.equal(shards.isRouted, false, 'b is not connected');
  member.peer = peer;
  shards.memberReached(member);
  assert.equal(shards.isRouted, true);
  shards.unreached([THEIR_WORKER]);
  assert.equal(router.linkOfShard(0), undefined);
  assert.equal(shards.learn([[0, 99, 2]]), false, 'no known member has session 99');
});

test('shards of a fenced session have no route, and this node claims its part', async () => {
  const { shards, view, router, member, peer, claimed, pass } = node();
  view.own.up(0, OWN, LINK);
  member.peer = peer;
  shards.learn(entriesOf(THEIR_WORKER, 1));
  shards.memberReached(member);
  shards.fenced([THEIR_WORKER]);
  assert.equal(router.linkOfShard(0), undefined);
  view.members.remove('run-b');
  await pass(100);
  assert.equal(claimed.length, SHARDS);
  assert.equal(shards.isRouted, true);
  assert.equal(router.linkOfShard(0), LINK);
});

test('after the loss of a link the map is read and the routes are made again, and not after the end', async () => {
  const { shards, router, member, peer, calls, lost, closers, pass } = node();
  member.peer = peer;
  shards.learn(entriesOf(THEIR_WORKER, 1));
  shards.memberReached(member);
  const link = router.linkOfShard(0);
  closers[0]?.();
  assert.deepEqual(lost, [link]);
  assert.equal(router.linkOfShard(0), undefined);
  await pass(200);
  assert.equal(calls.stale, 1);
  assert.equal(shards.isRouted, true);
  closers[1]?.();
  shards.stop();
  await pass(10_000);
  assert.equal(router.linkOfShard(0), undefined);
});
