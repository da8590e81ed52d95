// A node follows the other runs: leases that come before the database shows their run, connections, dials,
// and runs that end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import type { Lease } from '../../../cluster/liveness/lease-store.ts';
import { MemberTracker } from '../../../cluster/liveness/member-tracker.ts';
import { Members } from '../../../cluster/liveness/members.ts';
import type { Peer, PeerNetwork } from '../../../cluster/peer/network.ts';
import { MemoryRedis } from '../../doubles/lease-store-memory.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { Scheduler } from '../../sim/scheduler.ts';
import { FakePeer } from '../fake-peer.ts';

async function tracker() {
  const clock = new Scheduler();
  const database = createMemoryDatabase();
  const store = database.control();
  const session = await store.openSession({ run: 'run-a', node: 'a', slot: -1, address: 'a:1' });
  const dialled = new Set<string>();
  const peers: Peer[] = [];
  const network: PeerNetwork = {
    identity: { cluster: 'test', node: 'a', run: 'run-a' },
    listen: () => Promise.resolve({ host: 'a', port: 1 }),
    dial: (target) => {
      dialled.add(`${target.run} at ${target.address.host}:${target.address.port}`);
      return {
        target,
        redialNow: () => Promise.resolve('no-answer'),
        close: () => void dialled.delete(`${target.run} at ${target.address.host}:${target.address.port}`),
      };
    },
    onEvent: () => undefined,
    peers: () => peers,
    close: () => Promise.resolve(),
  };
  const members = new Members();
  const fenced: string[] = [];
  const tracked = new MemberTracker({
    counts: new ThreadCounts(),
    run: 'run-a',
    address: 'a:1',
    session,
    members,
    store,
    leases: new MemoryRedis({ clock, random: () => 0.5 }).connect('a'),
    network,
    clock,
    log: () => undefined,
    tell: () => undefined,
    onFenced: (run) => fenced.push(run),
    onSelfFenced: () => fenced.push('self'),
  });
  const join = async (address = 'b:1') => {
    const theirs = await database
      .node()
      .control()
      .openSession({ run: 'run-b', node: 'b', slot: -1, address });
    const lease: Lease = {
      run: 'run-b',
      node: 'b',
      address,
      session: theirs.id,
      state: 'live',
      weight: 1,
      workers: [{ slot: 0, session: 77 }],
      timeline: 1,
    };
    return lease;
  };
  const settle = () => clock.run({ until: () => false, untilMs: clock.now() + 100 });
  return { tracked, members, peers, dialled, fenced, join, store, session, settle };
}

test('a lease that comes before the database shows its run is kept until then', async () => {
  const { tracked, members, dialled, join } = await tracker();
  const lease = await join();
  assert.equal(tracked.learn(lease), 'unknown');
  const changes = await tracked.read();
  assert.ok(changes !== 'self-fenced');
  assert.equal(changes.come.length, 1);
  assert.equal(members.get('run-b')?.state, 'live');
  assert.equal(members.ofSession(77)?.run, 'run-b');
  assert.equal(tracked.learn(lease), 'unchanged');
  assert.equal(tracked.learn({ ...lease, weight: 3 }), 'changed');
  assert.deepEqual([...dialled], ['run-b at b:1']);
  tracked.stop();
  assert.deepEqual([...dialled], []);
});

test('a connection counts for its member while it is the latest, also one that came before the member', async () => {
  const { tracked, members, peers, join } = await tracker();
  const early = new FakePeer();
  peers.push(early);
  assert.equal(tracked.peerUp(early), undefined);
  await join();
  await tracked.read();
  assert.equal(members.get('run-b')?.peer, early);
  const next = new FakePeer();
  assert.equal(tracked.peerUp(next)?.peer, next);
  assert.equal(tracked.peerDown(early, 'superseded'), undefined);
  assert.equal(members.get('run-b')?.peer, next);
  assert.equal(tracked.peerDown(next, 'closed-here')?.run, 'run-b');
  assert.equal(members.get('run-b')?.peer, undefined);
});

test('a run that is fenced is dialled no more, and its sessions are given back once', async () => {
  const { tracked, dialled, fenced, join } = await tracker();
  const lease = await join();
  tracked.learn(lease);
  await tracked.read();
  tracked.told({ type: 'fenced', run: 'run-b' }, 'run-c');
  assert.deepEqual(fenced, ['run-b']);
  assert.deepEqual([...(tracked.forget('run-b') ?? [])].sort(), [lease.session, 77].sort());
  assert.deepEqual([...dialled], []);
  assert.equal(tracked.forget('run-b'), undefined);
});

test('a run at the address of this node is over, and is fenced at once', async () => {
  const { tracked, fenced, join, settle } = await tracker();
  await join('a:1');
  await tracked.read();
  await settle();
  assert.deepEqual(fenced, ['run-b']);
});
