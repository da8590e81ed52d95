// Submits on old bases: how much of the log is read for them, and how much of it is in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMIT, REFUSED } from '../../../actors/link/link-messages.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { type Harness, HOST_LIMITS, startHost, withStore } from './host-harness.ts';

const KiB = 1024;
const LIMITS = {
  ...HOST_LIMITS,
  actor: { ...HOST_LIMITS.actor, residentOps: 1000, residentBytes: 64 * KiB, historyBytes: 512 * KiB },
  historyMemoryBytes: 512 * KiB,
};
const DOC = 'acme/values';
const version = (host: Harness): number =>
  host.got.reduce((last, m) => (m[0] === COMMIT ? Math.max(last, m[2]) : last), 0);
const refusals = (host: Harness): unknown[] =>
  host.got.flatMap((m) => (m[0] === REFUSED ? [[m[3], m[4]]] : []));

async function until(host: Harness, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5000 && !holds(); turn++) await host.turn();
  assert.ok(holds());
}

/** A document whose log has `count` values of 16 KiB each. */
async function write(host: Harness, count: number): Promise<void> {
  host.open(1, DOC, { kind: 'json' });
  for (let seq = 1; seq <= count; seq++) {
    host.submit(1, seq, -1, [{ op: seq > 1 ? 'replace' : 'add', path: '/a', value: 'x'.repeat(16 * KiB) }]);
    await until(host, () => version(host) === seq);
  }
  host.got.length = 0;
}

/** A database, and how many patches each read of history asked for. */
function counted() {
  const reads: number[] = [];
  const database = withStore(createMemoryDatabase(), (store) => {
    const history = store.history.bind(store);
    return {
      history: (...asked) => {
        reads.push(asked[2] - asked[1]);
        return history(...asked);
      },
    };
  });
  return { database, reads };
}

test('SUBMIT-13 a base that more bytes lie behind than are read for one submit is too old, a later one is not', async (t) => {
  const { database, reads } = counted();
  const host = await startHost(database, LIMITS);
  t.after(() => host.host.dispose());
  await write(host, 60);
  host.submit(1, 61, 1, [{ op: 'add', path: '/m', value: 1 }]);
  await until(host, () => refusals(host).length === 1);
  const read = reads.length;
  host.submit(1, 61, 1, [{ op: 'add', path: '/m', value: 1 }]);
  await until(host, () => refusals(host).length === 2);
  assert.deepEqual(refusals(host), [
    [61, 'version-too-old'],
    [61, 'version-too-old'],
  ]);
  assert.equal(reads.length, read, 'nothing is read to say it again');
  host.submit(1, 61, 35, [{ op: 'add', path: '/m', value: 1 }]);
  await until(host, () => version(host) === 61);
});

test('a document keeps few bytes of its log in memory, and none is lost to those behind', async (t) => {
  const { database, reads } = counted();
  const host = await startHost(database, LIMITS);
  t.after(() => host.host.dispose());
  await write(host, 30);
  host.submit(1, 31, 10, [{ op: 'add', path: '/m', value: 1 }]);
  await until(host, () => version(host) === 31);
  assert.ok(reads.length >= 1 && (reads[0] ?? 0) >= 10, `${reads} patches were read`);
});

test('submits of many documents read history one after the other where memory for more is not free', async (t) => {
  let underWay = 0;
  let most = 0;
  const database = withStore(createMemoryDatabase(), (store) => {
    const history = store.history.bind(store);
    return {
      history: async (...asked) => {
        most = Math.max(most, ++underWay);
        await new Promise((turn) => setImmediate(turn));
        underWay--;
        return history(...asked);
      },
    };
  });
  const host = await startHost(database, LIMITS);
  t.after(() => host.host.dispose());
  await write(host, 20);
  const readers = [2, 3, 4, 5, 6];
  for (const subscriptionId of readers) host.open(subscriptionId, DOC, { kind: 'json' });
  for (const subscriptionId of readers)
    host.submit(subscriptionId, 1, 3, [{ op: 'add', path: `/m${subscriptionId}`, value: 1 }]);
  await until(host, () => version(host) === 25);
  assert.equal(most, 1);
});
