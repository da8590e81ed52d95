// A controller and the runs of other nodes: runs that it hears of too early, runs that have ended in part,
// and its own run at its end. Events, claims and streams may come or fail at any time. Over 400 lines with
// the stage: a network and workers that the test controls, which all tests share.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { SHARDS } from '../../actors/shard.ts';
import type { ControlStore, ShardRow } from '../../actors/storage/store.ts';
import { Controller } from '../../cluster/controller.ts';
import type { Lease } from '../../cluster/liveness/lease-store.ts';
import type { Peer, PeerEvent, PeerNetwork } from '../../cluster/peer/network.ts';
import { Rings } from '../../cluster/placement/rings.ts';
import type { OwnerLink } from '../../cluster/shards/owner-link.ts';
import { Router } from '../../cluster/shards/router.ts';
import type { SlotHost } from '../../cluster/workers/slot-host.ts';
import { MemoryRedis } from '../doubles/lease-store-memory.ts';
import { createMemoryDatabase, type MemoryCluster } from '../doubles/store-memory.ts';
import { Scheduler } from '../sim/scheduler.ts';
import { FakePeer, STREAM } from './fake-peer.ts';

const SHARD = 7;
/** Ids of sessions as the database gives them: this node's first, then the other's. */
const THEIR_CONTROL = 2;
const THEIR_WORKER = 3;

const LEASE_OF_B: Lease = {
  run: 'run-b',
  node: 'b',
  address: 'b:1',
  session: THEIR_CONTROL,
  state: 'live',
  weight: 2,
  workers: [{ slot: 0, session: THEIR_WORKER }],
  timeline: 1,
};

const LINK: OwnerLink = { offer: () => true, send: () => undefined };

async function startNode(
  database: MemoryCluster,
  {
    store = database.control(),
    peers = [],
    slots = {},
  }: { store?: ControlStore; peers?: readonly Peer[]; slots?: Partial<SlotHost> } = {},
) {
  const scheduler = new Scheduler();
  const session = await store.openSession({ run: 'run-a', node: 'a', slot: -1, address: 'a:1' });
  let tellEvent: (event: PeerEvent) => void = () => undefined;
  const network: PeerNetwork = {
    identity: { cluster: 'test', node: 'a', run: 'run-a' },
    listen: () => Promise.resolve({ host: 'a', port: 1 }),
    dial: (target) => ({
      target,
      redialNow: () => Promise.resolve('no-answer'),
      close: () => undefined,
    }),
    onEvent: (listener) => {
      tellEvent = listener;
    },
    peers: () => peers,
    close: () => Promise.resolve(),
  };
  const router = new Router();
  const redis = new MemoryRedis({ clock: scheduler, random: () => 0.5 });
  const controller = new Controller({
    run: 'run-a',
    node: 'a',
    address: 'a:1',
    weight: 1,
    session,
    pins: [],
    rings: new Rings(),
    store,
    leases: redis.connect('a'),
    network,
    router,
    listener: { messages: () => undefined, lost: () => undefined, changed: () => undefined },
    link: { windowMessages: 10, windowBytes: 1e6, queueMessages: 10, queueBytes: 1e6 },
    clock: scheduler,
    log: () => undefined,
    setLease: () => undefined,
    onFenced: () => undefined,
  });
  const none = (): Promise<ReadonlyMap<number, number>> => Promise.resolve(new Map());
  const workers: SlotHost = {
    claim: none,
    adopt: none,
    release: none,
    attach: () => false,
    countFailure: () => undefined,
    adoptQuarantined: () => undefined,
    releaseQuarantined: () => false,
    quarantined: () => [],
    ...slots,
  };
  return {
    router,
    controller,
    clock: scheduler,
    start: () => controller.start(workers),
    event: (event: PeerEvent) => tellEvent(event),
    pass: (ms: number) => scheduler.run({ until: () => false, untilMs: scheduler.now() + ms }),
  };
}

test('a peer that has connected before the controller listens is closed: it dials again, and repeats its news', async () => {
  const peer = new FakePeer();
  await startNode(createMemoryDatabase(), { peers: [peer] });
  assert.equal(peer.isUp, false);
});

test('the news of a node that the database does not show yet are kept, and lead to its shards once it does', async () => {
  const database = createMemoryDatabase();
  const peers: Peer[] = [];
  const node = await startNode(database, { peers });
  const starting = node.start();
  await node.pass(100);
  await starting;
  const peer = new FakePeer();
  peers.push(peer);
  node.event({ type: 'up', peer });
  peer.tell({
    type: 'state',
    lease: LEASE_OF_B,
  });
  peer.tell({ type: 'map', entries: [[SHARD, THEIR_WORKER, 1]] });
  await node.pass(100);
  assert.equal(node.router.linkOfShard(SHARD), undefined);
  const other = database.node();
  await other.control().openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  const worker = other.worker();
  const opened = await worker.open({ run: 'run-b', node: 'b', slot: 0 });
  assert.equal(opened.id, THEIR_WORKER);
  await worker.claim([SHARD]);
  await other.control().notify('members');
  await node.pass(5000);
  assert.notEqual(node.router.linkOfShard(SHARD), undefined);
});

test('the counts of clients are shared; a node that is not reached, or has not reported, leaves the sum open', async () => {
  const database = createMemoryDatabase();
  const peers: Peer[] = [];
  const node = await startNode(database, { peers });
  const { controller } = node;
  assert.equal(controller.clients.shares(), undefined, 'it has not joined');
  const starting = node.start();
  await node.pass(100);
  await starting;
  controller.clients.setOwn(12);
  assert.deepEqual(controller.clients.shares(), { own: { node: 'a', clients: 12, weight: 1 }, others: [] });
  const other = database.node();
  await other.control().openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  const worker = other.worker();
  await worker.open({ run: 'run-b', node: 'b', slot: 0 });
  await worker.claim([SHARD]);
  const peer = new FakePeer();
  peers.push(peer);
  node.event({ type: 'up', peer });
  peer.tell({ type: 'state', lease: LEASE_OF_B });
  await node.pass(5000);
  assert.equal(controller.clients.shares(), undefined, 'b has not said');
  assert.deepEqual(controller.unreachedShards(), []);
  peer.tell({ type: 'clients', count: 3 });
  const others = [{ node: 'b', clients: 3, weight: 2 }];
  assert.deepEqual(controller.clients.shares(), { own: { node: 'a', clients: 12, weight: 1 }, others });
  peers.pop();
  node.event({ type: 'down', peer, reason: 'closed-here' });
  assert.equal(controller.clients.shares(), undefined, 'b is not reached');
  assert.deepEqual(controller.unreachedShards(), [SHARD]);
  controller.database(false);
  assert.deepEqual(
    controller.unreachedShards(),
    [],
    'who does not reach the database knows of nobody that it lives',
  );
});

test('addresses for clients are those of the nodes that serve and are reached, each once', async () => {
  const database = createMemoryDatabase();
  const peers: Peer[] = [];
  const node = await startNode(database, { peers });
  const { controller } = node;
  const starting = node.start();
  await node.pass(100);
  await starting;
  const other = database.node();
  await other.control().openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  await other.worker().open({ run: 'run-b', node: 'b', slot: 0 });
  const peer = new FakePeer();
  peers.push(peer);
  node.event({ type: 'up', peer });
  peer.tell({ type: 'state', lease: LEASE_OF_B });
  await node.pass(5000);
  assert.equal(controller.clients.otherUrls(), undefined, 'nobody has one');
  peer.tell({ type: 'url', url: 'wss://b.example:8443' });
  assert.deepEqual(controller.clients.otherUrls(), ['wss://b.example:8443']);
  for (const wrong of [
    'javascript:alert(1)',
    'https://b.example',
    'wss://user@b.example',
    `wss://${'b'.repeat(400)}`,
  ])
    peer.tell({ type: 'url', url: wrong });
  assert.deepEqual(
    controller.clients.otherUrls(),
    ['wss://b.example:8443'],
    'what is no base URL of a socket',
  );
  peer.tell({ type: 'state', lease: { ...LEASE_OF_B, state: 'draining' } });
  assert.equal(controller.clients.otherUrls(), undefined, 'b leaves');
});

/** The number of clients that a node counts for b. Node b reported it before the database showed b's run. */
async function clientsOf(lease: Lease) {
  const database = createMemoryDatabase();
  const peers: Peer[] = [];
  const node = await startNode(database, { peers });
  const starting = node.start();
  await node.pass(100);
  await starting;
  const peer = new FakePeer();
  peers.push(peer);
  node.event({ type: 'up', peer });
  peer.tell({ type: 'state', lease });
  peer.tell({ type: 'clients', count: 0 });
  const other = database.node();
  await other.control().openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  await other.worker().open({ run: 'run-b', node: 'b', slot: 0 });
  // After this time shards are planned with the node.
  await node.pass(5000);
  return node.controller.clients.shares()?.others;
}

test('the count of clients of a node that the database does not show yet is kept', async () => {
  assert.deepEqual(await clientsOf(LEASE_OF_B), [{ node: 'b', clients: 0, weight: 2 }]);
});

test('a node that tells a weight out of bounds counts with the nearest, and everyone plans on', async () => {
  for (const [weight, taken] of [
    [100, 16],
    [0, 0.01],
    [Number.NaN, 0.01],
  ] as const)
    assert.deepEqual(await clientsOf({ ...LEASE_OF_B, weight }), [{ node: 'b', clients: 0, weight: taken }]);
});

test('orphans are claimed also while events come faster than the cluster is read', async () => {
  const database = createMemoryDatabase();
  const store = database.control();
  const sessions = store.sessions.bind(store);
  let slowly = (): Promise<void> => Promise.resolve();
  Object.assign(store, { sessions: () => slowly().then(sessions) });
  const own = database.node().worker();
  const claimed: number[] = [];
  const claim = (_slot: number, shards: readonly number[]) => {
    claimed.push(shards.length);
    return own.claim(shards);
  };
  const node = await startNode(database, { store, slots: { claim } });
  slowly = () => new Promise((resolve) => void node.clock.after(10, resolve));
  const starting = node.start();
  await node.pass(100);
  await starting;
  const noise = database.node().control();
  const stop = node.clock.every(5, () => void noise.notify('map'));
  await node.pass(100);
  const { id } = await own.open({ run: 'run-a', node: 'a', slot: 0 });
  node.controller.up(0, id, LINK);
  await node.pass(1000);
  stop();
  assert.deepEqual(claimed, [SHARDS]);
});

test('claims that fail are made again after longer and longer, and so is a reading of the map', async () => {
  const database = createMemoryDatabase();
  let claims = 0;
  let maps = 0;
  const store = database.control();
  const shardMap = store.shardMap.bind(store);
  const counted = () => {
    maps++;
    return shardMap();
  };
  Object.assign(store, { shardMap: counted });
  const claim = () => {
    claims++;
    return Promise.reject(new Error('read only'));
  };
  const node = await startNode(database, { store, slots: { claim } });
  const starting = node.start();
  await node.pass(100);
  await starting;
  const { id } = await database.node().worker().open({ run: 'run-a', node: 'a', slot: 0 });
  node.controller.up(0, id, LINK);
  await node.pass(10_000);
  assert.ok(claims > 2 && claims < 20, `${claims} claims`);
  assert.ok(maps < 40, `${maps} readings of the map`);
});

test('a stream that a peer refuses is opened again after longer and longer', async () => {
  const database = createMemoryDatabase();
  const peers: Peer[] = [];
  const node = await startNode(database, { peers });
  const starting = node.start();
  await node.pass(100);
  await starting;
  const other = database.node();
  await other.control().openSession({ run: 'run-b', node: 'b', slot: -1, address: 'b:1' });
  const worker = other.worker();
  await worker.open({ run: 'run-b', node: 'b', slot: 0 });
  await worker.claim([SHARD]);
  const peer = new FakePeer();
  let opened = 0;
  peer.openStream = () => {
    opened++;
    return { ...STREAM, onClose: (close) => void node.clock.after(1, close) };
  };
  peers.push(peer);
  node.event({ type: 'up', peer });
  peer.tell({ type: 'state', lease: LEASE_OF_B });
  await node.pass(10_000);
  assert.ok(opened > 2 && opened < 20, `${opened} streams`);
});

test('a run that is over leaves the router alone, whatever it is still answered', async () => {
  const database = createMemoryDatabase();
  let answer: (rows: readonly ShardRow[]) => void = () => undefined;
  const asked = new Promise<readonly ShardRow[]>((resolve) => {
    answer = resolve;
  });
  const store = Object.assign(database.control(), { shardMap: () => asked });
  const node = await startNode(database, { store });
  const starting = node.start();
  await node.pass(100);
  await starting;
  const stopping = node.controller.stop();
  await node.pass(1000);
  await stopping;
  const next: OwnerLink = { offer: () => true, send: () => undefined };
  node.router.setOwner([SHARD], next);
  answer([{ shard: SHARD, owner: THEIR_WORKER, epoch: 1, ownerState: 'live' }]);
  await node.pass(100);
  assert.equal(node.router.linkOfShard(SHARD), next);
});

test('a session that a worker opens after its run was fenced does not keep its shards', async () => {
  const database = createMemoryDatabase();
  const stray = database.node().worker();
  const { id } = await stray.open({ run: 'run-c', node: 'c', slot: 0 });
  await stray.claim([SHARD]);
  const node = await startNode(database);
  const starting = node.start();
  await node.pass(100);
  await starting;
  await node.pass(3000);
  assert.equal(await database.control().sessionState(id), 'fenced');
});

test('a shard that has gone on from the new owner before the hand-over is answered still leads to its owner', async () => {
  const database = createMemoryDatabase();
  const own = database.node().worker();
  const peers: Peer[] = [];
  let answer = (): void => undefined;
  let asked: { readonly shards: readonly number[]; readonly to: number } | undefined;
  const node = await startNode(database, {
    peers,
    slots: {
      claim: (_slot, shards) => own.claim(shards),
      release: async (_slot, shards, to) => {
        asked ??= { shards, to };
        const moved = await own.handOff(shards, to);
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return moved;
      },
    },
  });
  const starting = node.start();
  await node.pass(100);
  await starting;
  const { id } = await own.open({ run: 'run-a', node: 'a', slot: 0 });
  node.controller.up(0, id, { offer: () => true, send: () => undefined });
  await node.pass(100);
  const others = [];
  for (const name of ['b', 'c']) {
    const control = await database
      .node()
      .control()
      .openSession({ run: `run-${name}`, node: name, slot: -1, address: `${name}:1` });
    const worker = await database
      .node()
      .worker()
      .open({ run: `run-${name}`, node: name, slot: 0 });
    const peer = new FakePeer(name);
    peers.push(peer);
    node.event({ type: 'up', peer });
    const lease = {
      run: peer.run,
      node: name,
      address: `${name}:1`,
      session: control.id,
      state: 'live' as const,
      weight: 1,
      workers: [{ slot: 0, session: worker.id }],
      timeline: 1,
    };
    peer.tell({ type: 'state', lease });
    others.push({ peer, session: worker.id });
  }
  await node.pass(2500);
  const draining = node.controller.drain(10_000);
  await node.pass(1000);
  assert.ok(asked !== undefined);
  const { shards, to } = asked;
  const [shard = -1] = shards;
  const next = others.find(({ session }) => session !== to);
  assert.ok(next !== undefined);
  // Its node dies at once, and the other one takes over.
  next.peer.tell({ type: 'map', entries: [[shard, next.session, 3]] });
  const link = node.router.linkOfShard(shard);
  assert.ok(link !== undefined);
  answer();
  await node.pass(100);
  assert.equal(node.router.linkOfShard(shard), link);
  await node.pass(10_000);
  await draining;
});

test('leaving takes no longer than it may, also where the database does not answer', async () => {
  const store = createMemoryDatabase().control();
  const node = await startNode(createMemoryDatabase(), {
    store: Object.assign(store, { setState: () => new Promise<boolean>(() => undefined) }),
  });
  await node.start();
  let left = false;
  const leaving = node.controller.drain(1000).then(() => {
    left = true;
  });
  await node.pass(900);
  assert.equal(left, false);
  await node.pass(200);
  await leaving;
});

test('a controller that is stopped while it starts listens to nobody afterwards', async () => {
  const store = createMemoryDatabase().control();
  const listen = store.listen.bind(store);
  const asked = new EventEmitter();
  let closed = 0;
  const node = await startNode(createMemoryDatabase(), {
    store: Object.assign(store, {
      listen: async (listener: Parameters<typeof listen>[0]) => {
        const events = await listen(listener);
        const answered = once(asked, 'answer');
        asked.emit('asked');
        await answered;
        return {
          close: () => {
            closed++;
            return events.close();
          },
        };
      },
    }),
  });
  const listening = once(asked, 'asked');
  const starting = node.start();
  await listening;
  const stopping = node.controller.stop();
  await node.pass(5000);
  await stopping;
  asked.emit('answer');
  await starting;
  assert.equal(closed, 1);
  assert.equal(node.controller.status().state, 'joining');
});

test('a node that is told to leave while it joins does not serve afterwards', async () => {
  const node = await startNode(createMemoryDatabase());
  const starting = node.start();
  const leaving = node.controller.drain(1000);
  await node.pass(2000);
  await Promise.all([starting, leaving]);
  assert.equal(node.controller.status().state, 'draining');
});
