// The lease store in a real Redis: the contract with one server and with a Redis Cluster; the same calls
// through a Sentinel, TLS and an ACL user. A store leaves no data behind.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import type { LeaseStore } from '../../../cluster/liveness/lease-store.ts';
import { createRedisLeaseStore } from '../../../cluster/liveness/lease-store-redis.ts';
import type { RedisAddress } from '../../../cluster/redis/client.ts';
import type { LeaseStoreSettings } from '../../../cluster/redis/connected-store.ts';
import { makeCertificates } from '../../support/certificates.ts';
import {
  startTestRedis,
  startTestRedisCluster,
  startTestSentinel,
  type TestRedis,
} from '../../support/redis.ts';
import { untilSeen } from '../../support/until.ts';
import {
  ANSWERED_MS,
  assertUnavailable,
  contract,
  type LeaseHarness,
  lease,
} from './lease-store-contract.ts';

contract('redis', async (t) => {
  const redis = await startTestRedis(t);
  return harness(t, redis, at({ url: redis.url }));
});

// A Redis Cluster takes seconds to start, so all tests of the contract share one, which is emptied each time.
const closers: (() => Promise<void>)[] = [];
let oneCluster: Promise<TestRedis> | undefined;
after(async () => {
  for (const close of closers) await close();
});

contract('redis cluster', async (t) => {
  oneCluster ??= startTestRedisCluster({ after: (close) => closers.push(close) });
  const redis = await oneCluster;
  await (await redis.admin()).flushall();
  return harness(t, redis, at({ nodes: [`${redis.host}:${redis.port}`] }));
});

test('redis: clusters of different names do not see each other', async (t) => {
  const { url } = await startTestRedis(t);
  const [a, b] = ['a', 'b'].map((cluster) => open(t, at({ url }), { cluster }));
  assert.ok(a && b);
  await a.renew(lease());
  await a.writeMap([[1, 2, 3]]);
  assert.deepEqual(await b.list(), []);
  assert.deepEqual(await b.readMap(), []);
});

test('redis: a value that is not a lease is left out of the list', async (t) => {
  const redis = await startTestRedis(t);
  const store = open(t, at({ url: redis.url }));
  const mine = lease();
  await store.renew(mine);
  const admin = await redis.admin();
  const later = Date.now() + 60_000;
  await admin.hset(
    'troupe:{test}:leases',
    'x',
    `${later}:{"run":"x"}`,
    'y',
    `${later}:{`,
    'z',
    `${later}:null`,
  );
  assert.deepEqual(await store.list(), [mine]);
});

test('redis: a user that may use no more than the documented commands', async (t) => {
  const redis = await startTestRedis(t);
  const admin = await redis.admin();
  // The command of the operations guide, for the cluster of this test.
  const guide = await readFile('docs/operations.md', 'utf8');
  const [, rights = ''] = /^ACL (SETUSER troupe on .*)$/m.exec(guide) ?? [];
  const words = rights.replace('>password', '>secret').replaceAll('{troupe}', '{test}').split(' ');
  assert.ok(words.includes('>secret') && words.includes('~troupe:{test}:*'), rights);
  await admin.call('ACL', ...words);
  await admin.call('ACL', 'SETUSER', 'default', 'off');
  await works(open(t, at({ url: redis.url, username: 'troupe', password: 'secret' })));
  await works(open(t, at({ url: redis.url.replace('//', '//troupe:secret@') })));
  for (const wrong of [
    at({ url: redis.url }),
    at({ url: redis.url, username: 'troupe', password: 'wrong' }),
  ]) {
    await assertUnavailable(open(t, wrong));
  }
  // The refusal names its reason.
  await assert.rejects(open(t, at({ url: redis.url, password: 'wrong' })).list(), /WRONGPASS|NOAUTH/);
});

test('redis: a call that is refused rejects, and the connection stands', async (t) => {
  const redis = await startTestRedis(t);
  const admin = await redis.admin();
  await admin.call('ACL', 'SETUSER', 'default', '-publish');
  const store = open(t, at({ url: redis.url }));
  const states: string[] = [];
  store.onState((state) => states.push(state));
  await assert.rejects(store.publish('x'), /NOPERM/);
  await store.list();
  assert.deepEqual(states, ['up']);
});

test('redis: a Redis that takes no writes is down, and says why', async (t) => {
  const redis = await startTestRedis(t);
  const store = open(t, at({ url: redis.url }));
  await store.list();
  const admin = await redis.admin();
  await admin.config('SET', 'maxmemory', '1');
  await untilSeen('it is down', () => store.state === 'down');
  await assert.rejects(store.list(), /OOM/);
  await admin.config('SET', 'maxmemory', '0');
  await untilSeen('it is up', () => store.state === 'up');
});

test('redis: TLS, with certificates on both sides', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-tls-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  const tls = await makeCertificates(directory);
  const redis = await startTestRedis(t, { tls });
  const files = { ca: tls.ca, cert: tls.cert, key: tls.key };
  await works(open(t, at({ url: redis.url, tls: { enabled: false, ...files } })));
  await assertUnavailable(open(t, at({ url: redis.url })));
  await assertUnavailable(
    open(t, at({ url: redis.url, tls: { enabled: false, ...files, cert: null, key: null } })),
  );
  await assertUnavailable(open(t, at({ url: redis.url.replace('rediss', 'redis') })));
});

test('redis: through a Sentinel, over a fail-over to a replica', async (t) => {
  const primary = await startTestRedis(t);
  const replica = await startTestRedis(t, { args: ['--replicaof', primary.host, String(primary.port)] });
  const { sentinel, master } = await startTestSentinel(t, primary, 500);
  const store = open(t, at({ sentinels: [`${sentinel.host}:${sentinel.port}`], master }), { ttlMs: 60_000 });
  await works(store);
  const mine = lease();
  await store.renew(mine);
  const [eye, copy] = [await sentinel.admin(), await replica.admin()];
  await untilSeen('the replica has it', async () => (await copy.hlen('troupe:{test}:leases')) === 1);
  await untilSeen('the Sentinel knows the replica', async () => {
    const replicas = await eye.call('SENTINEL', 'REPLICAS', master);
    return JSON.stringify(replicas).includes(String(replica.port));
  });
  const states: string[] = [];
  store.onState((state) => states.push(state));
  await primary.kill();
  await untilSeen('it is up at the replica', () => states.at(-1) === 'up');
  assert.deepEqual(await store.list(), [mine]);
  assert.ok(!states.includes('up-empty'));
});

test('redis: a closed store leaves no connection, wherever it was', async (t) => {
  const redis = await startTestRedis(t);
  const admin = await redis.admin();
  const clients = async () =>
    String(await admin.client('LIST'))
      .trim()
      .split('\n').length;
  const before = await clients();
  const store = open(t, at({ url: redis.url }));
  let gaps = 0;
  store.subscribe({ onEvent: () => {}, onGap: () => gaps++ });
  await untilSeen('it is subscribed', () => gaps === 1);
  assert.equal(await clients(), before + 2);
  await store.close();
  await untilSeen('its connections are gone', async () => (await clients()) === before);
  await open(t, at({ url: redis.url })).close();
  await untilSeen('so are those that were being made', async () => (await clients()) === before);
});

/** Makes every call of a node once. */
async function works(store: LeaseStore): Promise<void> {
  let gaps = 0;
  const events: string[] = [];
  store.subscribe({ onEvent: (event) => events.push(event), onGap: () => gaps++ });
  const mine = lease();
  await store.renew(mine);
  assert.deepEqual(await store.list(), [mine]);
  await store.writeMap([[1, 2, 3]]);
  assert.deepEqual(await store.readMap(), [[1, 2, 3]]);
  await untilSeen('it is subscribed', () => gaps > 0);
  await store.publish('x');
  await untilSeen('it has come', () => events.length > 0);
  await store.release(mine.run);
}

function harness(t: TestContext, redis: TestRedis, address: RedisAddress): LeaseHarness {
  return {
    open: (settings) => open(t, address, settings),
    stop: () => redis.stop(),
    start: () => redis.start(),
    loseAll: async () => {
      await redis.kill();
      await redis.start();
    },
    empty: async () => {
      await (await redis.admin()).flushall();
    },
    freeze: () => redis.freeze(),
    thaw: () => redis.thaw(),
  };
}

function open(
  t: TestContext,
  redis: RedisAddress,
  options: LeaseStoreSettings & { readonly cluster?: string } = {},
): LeaseStore {
  const store = createRedisLeaseStore({ redis, cluster: 'test', timeoutMs: ANSWERED_MS, ...options });
  t.after(() => store.close());
  return store;
}

function at(given: Partial<RedisAddress>): RedisAddress {
  return {
    url: null,
    sentinels: [],
    master: null,
    nodes: [],
    username: null,
    password: null,
    sentinelUsername: null,
    sentinelPassword: null,
    tls: { enabled: false, ca: null, cert: null, key: null },
    ...given,
  };
}
