// The lease's thread against a real Redis and a real PostgreSQL, and the memory that it shares with other
// threads.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../../../actors/clock.ts';
import { CONFIRM_MS, Liveness, MAIN, monotonicMs } from '../../../actors/liveness/liveness.ts';
import { ThreadCounts } from '../../../actors/metrics/thread-counts.ts';
import { createControlStore } from '../../../actors/storage/store-postgres.ts';
import type { LeaseEvent } from '../../../cluster/liveness/lease-keeper.ts';
import type { Lease, LeaseStore } from '../../../cluster/liveness/lease-store.ts';
import { createRedisLeaseStore } from '../../../cluster/liveness/lease-store-redis.ts';
import { startLeaseThread } from '../../../cluster/liveness/lease-thread.ts';
import { createTcpNetwork } from '../../../cluster/peer/tcp/network-tcp.ts';
import type { RedisAddress } from '../../../cluster/redis/client.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { startTestRedis } from '../../support/redis.ts';
import { untilSeen } from '../../support/until.ts';
import { lease } from './lease-store-contract.ts';

test('the monotonic time of two threads is one', async (t) => {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     import(${JSON.stringify(new URL('../../../actors/liveness/liveness.js', import.meta.url).href)}).then(({ monotonicMs }) => {
       parentPort.on('message', () => parentPort.postMessage(monotonicMs()));
       parentPort.postMessage('ready');
     });`,
    { eval: true },
  );
  t.after(() => worker.terminate());
  const next = () => new Promise<unknown>((resolve) => worker.once('message', resolve));
  await next();
  for (let i = 0; i < 50; i++) {
    const before = monotonicMs();
    worker.postMessage('now');
    const theirs = Number(await next());
    const after = monotonicMs();
    assert.ok(before <= theirs && theirs <= after, `${before} <= ${theirs} <= ${after}`);
  }
});

test('a confirmation is never taken back, and each part has its own', () => {
  const liveness = new Liveness(Liveness.allocate(3).memory);
  assert.equal(liveness.slots, 3);
  for (const slot of [MAIN, 0, 1, 2]) assert.ok(!liveness.isConfirmed(slot, 1));
  liveness.confirm(2, 1_000.7);
  liveness.confirm(2, 900);
  assert.equal(liveness.confirmedUntil(2), 1_000);
  assert.ok(liveness.isConfirmed(2, 999.9));
  assert.ok(!liveness.isConfirmed(2, 1_000));
  assert.ok(!liveness.isConfirmed(1, 1));
  liveness.beat(MAIN);
  liveness.beat(2);
  liveness.beat(2);
  assert.deepEqual(
    [MAIN, 0, 1, 2].map((slot) => liveness.beats(slot)),
    [1, 0, 0, 2],
  );
});

test('the thread keeps the lease and confirms the session; stopping it releases the lease', async (t) => {
  const h = await start(t, {});
  await untilSeen('it is there', async () => (await h.leases()).length === 1);
  assert.deepEqual(await h.leases(), [h.lease]);
  await untilSeen('it is confirmed', () => h.liveness.isConfirmed(MAIN, monotonicMs()));
  assert.ok(h.liveness.confirmedUntil(MAIN) <= monotonicMs() + CONFIRM_MS);
  h.thread.setLease({ ...h.lease, state: 'draining' });
  await untilSeen('it is told', async () => (await h.leases())[0]?.state === 'draining');
  await h.thread.stop(true);
  assert.deepEqual(await h.leases(), []);
  await h.thread.stop(true);
  assert.deepEqual(h.failures, []);
});

test('a fenced session is told', async (t) => {
  const h = await start(t, {});
  await untilSeen('it is confirmed', () => h.liveness.isConfirmed(MAIN, monotonicMs()));
  const other = createControlStore({ url: h.database });
  t.after(() => other.close());
  const me = await other.openSession({ run: randomUUID(), node: 'other', slot: -1 });
  assert.equal(await other.fence(me, { session: h.lease.session }), true);
  await untilSeen('it is told', () => h.events.some(({ type }) => type === 'fenced'));
  assert.deepEqual(
    h.events.find(({ type }) => type === 'fenced'),
    { type: 'fenced', slot: MAIN, session: h.lease.session },
  );
});

test('a worker that does not beat, and a main thread that is stuck, end the lease', async (t) => {
  const h = await start(t, {}, { stallMs: 300, ttlMs: 400 });
  await untilSeen('it is there', async () => (await h.leases()).length === 1);
  const control = createControlStore({ url: h.database });
  t.after(() => control.close());
  const worker = await control.openSession({ run: h.lease.run, node: 'me', slot: 0 });
  h.thread.setLease({ ...h.lease, workers: [{ slot: 0, session: worker.id }] });
  await untilSeen('it has expired', async () => (await h.leases()).length === 0);
  // On a busy machine the main thread may be late as well.
  assert.ok(h.events.some((event) => event.type === 'stalled' && event.slots.includes(0)));
  h.thread.setLease(h.lease);
  await untilSeen('it is there again', async () => (await h.leases()).length === 1);
  // This thread does nothing else meanwhile, so the messages of the other thread wait.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  await untilSeen('it was noticed', () =>
    h.events.some((event) => event.type === 'stalled' && event.slots.includes(MAIN)),
  );
});

test('while a turn of the main thread takes long, peers hear of it all the same', async (t) => {
  const h = await start(t, {});
  const network = createTcpNetwork({
    ...h.pulses,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    random: Math.random,
    log: () => {},
    onPulseTargets: h.thread.pulse,
  });
  t.after(() => network.close());
  const { port } = await network.listen();
  const args = ['run-peer', SECRET, h.lease.run, `${port}`];
  const child = fork(new URL('../peer/peer-process.js', import.meta.url), args);
  t.after(() => child.kill('SIGKILL'));
  const [first] = await once(child, 'message');
  const pulses: number[] = [];
  child.on('message', (message) => pulses.push(Number(Object(message).pulseMs)));
  network.dial({ run: 'run-peer', address: { host: '127.0.0.1', port: Number(Object(first).port) } });
  await untilSeen('it is heard', () => pulses.length > 2);
  const from = monotonicMs();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
  const to = monotonicMs();
  await untilSeen('it is heard of again', () => (pulses.at(-1) ?? 0) > to);
  const meanwhile = pulses.filter((at) => at > from && at < to).length;
  assert.ok(meanwhile >= 3, `${meanwhile} pulses meanwhile`);
});

test('a node that is alone has no lease, and its session is confirmed', async (t) => {
  const h = await start(t, {}, { alone: true });
  await untilSeen('it is confirmed', () => h.liveness.isConfirmed(MAIN, monotonicMs()));
  assert.deepEqual(await h.leases(), []);
});

test('a thread that cannot be is told, once', async (t) => {
  const redis: RedisAddress = {
    ...NO_REDIS,
    url: 'rediss://127.0.0.1:1',
    tls: { ...NO_REDIS.tls, ca: '/none' },
  };
  const h = await start(t, {}, { redis });
  await untilSeen('it has failed', () => h.failures.length > 0);
  await h.thread.stop(true);
  assert.equal(h.failures.length, 1);
  assert.match(String(h.failures[0]), /none/);
});

interface Changes {
  readonly stallMs?: number;
  readonly ttlMs?: number;
  readonly alone?: boolean;
  readonly redis?: RedisAddress;
}

async function start(t: TestContext, changes: Partial<Lease>, options: Changes = {}) {
  const database = await freshDatabase(t);
  const redis = options.redis ?? { ...NO_REDIS, url: (await startTestRedis(t)).url };
  const control = createControlStore({ url: database });
  t.after(() => control.close());
  const run = randomUUID();
  const session = await control.openSession({ run, node: 'me', slot: -1 });
  const mine = lease({ run, node: 'me', session: session.id, ...changes });
  const liveness = Liveness.allocate(2);
  const pulses = { identity: { cluster: 'test', node: 'me', run }, credentials: { secret: SECRET } };
  const events: LeaseEvent[] = [];
  const failures: Error[] = [];
  const place = { redis, cluster: 'test', ttlMs: options.ttlMs ?? 3_000 };
  const thread = startLeaseThread({
    redis: options.alone ? undefined : place,
    storage: { url: database, lowestTimeline: 0, connectTimeoutMs: 5_000 },
    lease: mine,
    pulses,
    renewMs: 50,
    ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
    liveness,
    counts: new ThreadCounts().memory,
    onEvent: (event) => events.push(event),
    onFailed: (error) => failures.push(error),
  });
  t.after(() => thread.stop(false));
  let other: LeaseStore | undefined;
  const leases = (): Promise<readonly Lease[]> => {
    if (other === undefined) {
      other = createRedisLeaseStore({ ...place, timeoutMs: 5_000 });
      t.after(() => other?.close());
    }
    return other.list();
  };
  return { database, lease: mine, liveness, pulses, events, failures, thread, leases };
}

const SECRET = randomUUID();

const NO_REDIS: RedisAddress = {
  url: null,
  sentinels: [],
  master: null,
  nodes: [],
  username: null,
  password: null,
  sentinelUsername: null,
  sentinelPassword: null,
  tls: { enabled: false, ca: null, cert: null, key: null },
};
