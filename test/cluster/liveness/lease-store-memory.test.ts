// The lease store over a Redis in memory: the contract, and the faults that only it can cause.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../actors/clock.ts';
import { LeaseStoreUnavailable } from '../../../cluster/liveness/lease-store.ts';
import { MemoryRedis } from '../../doubles/lease-store-memory.ts';
import { untilSeen } from '../../support/until.ts';
import { contract, lease } from './lease-store-contract.ts';

contract('memory', (t) => {
  const redis = new MemoryRedis({ clock: systemClock, random: Math.random });
  return Promise.resolve({
    open: (settings) => {
      const store = redis.connect('node', settings);
      t.after(() => store.close());
      return store;
    },
    stop: () => Promise.resolve(redis.setAway('refused')),
    start: () => Promise.resolve(redis.setAway(undefined)),
    loseAll: () => {
      redis.setAway('refused');
      redis.empty();
      redis.setAway(undefined);
      return Promise.resolve();
    },
    empty: () => Promise.resolve(redis.empty()),
    freeze: () => redis.setAway('silent'),
    thaw: () => redis.setAway(undefined),
  });
});

test('memory: a call whose answer is lost has taken effect, and rejects', async (t) => {
  const redis = new MemoryRedis({ clock: systemClock, random: Math.random });
  const [a, b] = [redis.connect('a'), redis.connect('b')];
  t.after(() => Promise.all([a.close(), b.close()]));
  await a.list();
  redis.loseReplies('a', 1);
  const mine = lease();
  await assert.rejects(a.renew(mine), LeaseStoreUnavailable);
  assert.deepEqual(await b.list(), [mine]);
  await untilSeen('it is up again', () => a.state === 'up');
});

test('memory: one node is cut off, the other is not', async (t) => {
  const redis = new MemoryRedis({ clock: systemClock, random: Math.random });
  const [a, b] = [redis.connect('a'), redis.connect('b')];
  t.after(() => Promise.all([a.close(), b.close()]));
  await Promise.all([a.list(), b.list()]);
  redis.setAway('refused', 'a');
  assert.equal(a.state, 'down');
  await b.renew(lease());
  redis.setAway('silent', 'a');
  await untilSeen('a tries again', () => redis.connections === 1);
  assert.equal(a.state, 'down');
  redis.setAway(undefined, 'a');
  await untilSeen('a is back', () => a.state === 'up');
  assert.equal((await a.list()).length, 1);
});

test('memory: a slow Redis is late, not wrong; too slow, and it is away', async (t) => {
  let delayMs = 5;
  const redis = new MemoryRedis({
    clock: systemClock,
    random: Math.random,
    delayMs: () => delayMs,
  });
  const store = redis.connect('a');
  t.after(() => store.close());
  await store.renew(lease());
  assert.equal((await store.list()).length, 1);
  delayMs = 1_000;
  await assert.rejects(store.list(), LeaseStoreUnavailable);
  delayMs = 5;
  await untilSeen('it is up again', () => store.state === 'up');
});

test('memory: a closed store leaves no connection', async () => {
  const redis = new MemoryRedis({ clock: systemClock, random: Math.random });
  const store = redis.connect('a');
  await store.list();
  assert.equal(redis.connections, 1);
  await store.close();
  assert.equal(redis.connections, 0);
});
