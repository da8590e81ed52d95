// A node leaves once: documents first, then clients. It reports its progress.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configFrom } from '../../../config/load.ts';
import { Leaving, leavingMs, stopTimeoutMs } from '../../../src/membership/leaving.ts';

function stage() {
  const done: string[] = [];
  const steps = { handOver: deferred(), drain: deferred() };
  const clients = {
    size: 3,
    drain: async (spreadMs: number, graceMs: number) => {
      done.push(`drain ${spreadMs} ${graceMs}`);
      await steps.drain.promise;
      clients.size = 0;
    },
  };
  const leaving = new Leaving({
    handOver: async (timeoutMs) => {
      done.push(`hand over ${timeoutMs}`);
      await steps.handOver.promise;
    },
    handOverMs: 30_000,
    clients,
  });
  return { done, steps, leaving };
}

function deferred() {
  let resolve = (): void => undefined;
  let reject = (_: Error): void => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

test('it hands over, then sends its clients away, once', async () => {
  const { done, steps, leaving } = stage();
  assert.equal(leaving.hasBegun, false);
  const left = leaving.begin();
  assert.equal(leaving.begin(), left);
  assert.equal(leaving.hasBegun, true);
  assert.deepEqual(done, ['hand over 30000']);
  assert.deepEqual(leaving.progress(), { clients: 3, isDone: false });
  steps.handOver.resolve();
  steps.drain.resolve();
  await left;
  assert.deepEqual(done, ['hand over 30000', 'drain 5000 500']);
  assert.deepEqual(leaving.progress(), { clients: 0, isDone: true });
});

test('its clients go also where handing over fails, and the failure is told', async () => {
  const { done, steps, leaving } = stage();
  const left = leaving.begin();
  steps.handOver.reject(new Error('no'));
  steps.drain.resolve();
  await assert.rejects(left, /no/);
  assert.equal(done.length, 2);
  assert.equal(leaving.progress().isDone, true);
});

test('the time to end has leaving in it, in a cluster', () => {
  const times = { drain: { timeoutMs: '20s' }, shutdown: { timeoutMs: '4s' } };
  assert.equal(stopTimeoutMs(configFrom(times)), 4_000);
  const member = configFrom({
    ...times,
    storage: { url: 'postgres://db/troupe' },
    cluster: { redis: 'redis://redis', secret: 'sixteen characters' },
  });
  assert.equal(leavingMs(member), 25_500);
  assert.equal(stopTimeoutMs(member), 29_500);
});
