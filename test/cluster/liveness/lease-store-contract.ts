// The contract of every lease store, as one suite. An implementation's test file supplies functions that make
// its stores and take Redis away.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import {
  type Lease,
  type LeaseStore,
  LeaseStoreUnavailable,
  MAX_PUBLISH_BYTES,
} from '../../../cluster/liveness/lease-store.ts';
import type { LeaseStoreSettings } from '../../../cluster/redis/connected-store.ts';
import { untilSeen } from '../../support/until.ts';

/** One empty Redis. The stores are closed after the test. */
export interface LeaseHarness {
  open(settings?: LeaseStoreSettings): LeaseStore;
  /** Refuses new connections, and ends the present ones. */
  stop(): Promise<void>;
  /** Starts Redis again after `stop`, with its data. */
  start(): Promise<void>;
  /** Ends Redis without a word and starts it again with no data. */
  loseAll(): Promise<void>;
  /** Deletes the data while connections stand. */
  empty(): Promise<void>;
  /** Connections stand, and no call is answered. */
  freeze(): void;
  thaw(): void;
}

/** No lease ends by itself in a test of something else. */
const LONG_MS = 60_000;
/** Time limit of a call that is answered: a machine that is busy or stopped for seconds does not exceed it. */
export const ANSWERED_MS = 10_000;
/** Time limit of a call that is not answered. */
const SILENT_MS = 500;
const SETTINGS = { ttlMs: LONG_MS, timeoutMs: ANSWERED_MS, checkMs: 50 };

export function contract(name: string, open: (t: TestContext) => Promise<LeaseHarness>): void {
  const rule = (title: string, body: (h: LeaseHarness) => Promise<void>): void => {
    void test(`${name}: ${title}`, async (t) => {
      const harness = await open(t);
      await body({ ...harness, open: (settings) => harness.open({ ...SETTINGS, ...settings }) });
    });
  };

  rule('a renewed lease is listed by all stores, as written last, by run', async (h) => {
    const [a, b] = [h.open(), h.open()];
    const [first, second] = [lease({ run: 'b' }), lease({ run: 'a', workers: [{ slot: 0, session: 7 }] })];
    await a.renew(first);
    await b.renew(second);
    assert.deepEqual(await a.list(), [second, first]);
    const drained = { ...first, state: 'draining' as const, timeline: 3 };
    await a.renew(drained);
    assert.deepEqual(await b.list(), [second, drained]);
  });

  rule('a lease that is not renewed ends after its time, and no sooner', async (h) => {
    const [short, long] = [h.open({ ttlMs: 400 }), h.open()];
    const kept = lease();
    await long.renew(kept);
    const ended = lease();
    const before = performance.now();
    await short.renew(ended);
    const leases = await long.list();
    assert.ok(leases.length === 2 || performance.now() - before >= 399);
    await untilSeen('it has ended', async () => (await long.list()).length === 1);
    assert.ok(performance.now() - before >= 399);
    assert.deepEqual(await long.list(), [kept]);
  });

  rule('a released lease is gone at once; releasing it again does nothing', async (h) => {
    const store = h.open();
    const [mine, other] = [lease(), lease()];
    await store.renew(mine);
    await store.renew(other);
    await store.release(mine.run);
    await store.release(mine.run);
    assert.deepEqual(await store.list(), [other]);
  });

  rule('events reach every subscriber, the sender too, in order', async (h) => {
    const [a, b] = [h.open(), h.open()];
    const [heardByA, heardByB] = [listen(a), listen(b)];
    await untilSeen('both are subscribed', () => heardByA.gaps === 1 && heardByB.gaps === 1);
    const events = Array.from({ length: 20 }, (_, i) => `${i} ü\n`);
    for (const event of events) await a.publish(event);
    await untilSeen('all have come', () => heardByA.events.length === 20 && heardByB.events.length === 20);
    assert.deepEqual(heardByA.events, events);
    assert.deepEqual(heardByB.events, events);
  });

  rule(
    'a listener that has unsubscribed hears nothing; one that joins a subscription is told that it stands',
    async (h) => {
      const store = h.open();
      const first = listen(store);
      await untilSeen('it is subscribed', () => first.gaps === 1);
      const second = listen(store);
      await untilSeen('so is the second', () => second.gaps === 1);
      first.end();
      await store.publish('x');
      await untilSeen('it has come', () => second.events.length === 1);
      assert.deepEqual(first.events, []);
      assert.equal(first.gaps, 1);
    },
  );

  rule('a subscriber that subscribes as soon as the store is up hears all later news', async (h) => {
    const [store, other] = [h.open(), h.open()];
    let heard: ReturnType<typeof listen> | undefined;
    store.onState(() => {
      heard ??= listen(store);
    });
    await untilSeen('it is subscribed', () => heard?.gaps === 1);
    await other.publish('x');
    await untilSeen('it has come', () => heard?.events.length === 1);
    assert.equal(heard?.gaps, 1);
  });

  rule('an event above the limit is a mistake of the caller', async (h) => {
    const store = h.open();
    assert.throws(() => void store.publish('ü'.repeat(MAX_PUBLISH_BYTES / 2 + 1)), RangeError);
    await store.publish('x'.repeat(MAX_PUBLISH_BYTES));
  });

  rule('the map takes what raises a shard’s epoch, and nothing else', async (h) => {
    const [a, b] = [h.open(), h.open()];
    assert.deepEqual(await a.readMap(), []);
    await a.writeMap([
      [7, 70, 2],
      [4095, 71, 10],
      [0, 72, 1],
    ]);
    await b.writeMap([
      [7, 80, 2],
      [4095, 81, 9],
      [0, 82, 2],
      [1, 83, 1],
    ]);
    await b.writeMap([]);
    const expected = [
      [0, 82, 2],
      [1, 83, 1],
      [7, 70, 2],
      [4095, 71, 10],
    ];
    assert.deepEqual(await a.readMap(), expected);
    assert.deepEqual(await b.readMap(), expected);
  });

  rule('the map of all shards is written and read at once', async (h) => {
    const store = h.open();
    const entries = Array.from({ length: 4096 }, (_, shard) => [shard, 1_000_000 + shard, 5] as const);
    await store.writeMap(entries);
    assert.deepEqual(await store.readMap(), entries);
  });

  rule('while Redis is away every call rejects; then all goes on, with what was written', async (h) => {
    const store = h.open();
    const states = watch(store);
    const mine = lease();
    await store.renew(mine);
    await store.writeMap([[1, 2, 3]]);
    const steadyBefore = store.steadySince() ?? assert.fail('it is steady');
    await h.stop();
    await untilSeen('it is down', () => store.state === 'down');
    assert.equal(store.steadySince(), undefined);
    await assertUnavailable(store);
    await h.start();
    await untilSeen('it is up', () => store.state === 'up');
    assert.deepEqual(await store.list(), [mine]);
    assert.deepEqual(await store.readMap(), [[1, 2, 3]]);
    assert.ok((store.steadySince() ?? 0) > steadyBefore);
    assert.deepEqual(states, ['up', 'down', 'up']);
  });

  rule('a Redis that comes back empty is told', async (h) => {
    const [a, b] = [h.open(), h.open()];
    const states = [watch(a), watch(b)];
    await a.renew(lease());
    await b.writeMap([[1, 2, 3]]);
    await h.loseAll();
    await untilSeen('both know', () => states.every((seen) => seen.at(-1) === 'up-empty'));
    assert.deepEqual(await a.list(), []);
    assert.deepEqual(await b.readMap(), []);
    for (const seen of states) assert.deepEqual(seen, ['up', 'down', 'up-empty']);
    const again = lease();
    await a.renew(again);
    assert.deepEqual(await b.list(), [again]);
  });

  rule('a Redis that is emptied while connected is told, and no answer precedes the news', async (h) => {
    const store = h.open({ checkMs: LONG_MS });
    const states = watch(store);
    await store.renew(lease());
    const steadyBefore = store.steadySince() ?? assert.fail('it is steady');
    await h.empty();
    assert.deepEqual(await store.list(), []);
    assert.deepEqual(states, ['up', 'up-empty']);
    assert.ok((store.steadySince() ?? 0) > steadyBefore);
    await h.empty();
    await store.writeMap([[1, 2, 3]]);
    assert.deepEqual(states, ['up', 'up-empty', 'up-empty']);
  });

  rule('a store that nobody uses finds out by itself', async (h) => {
    const store = h.open({ timeoutMs: SILENT_MS });
    const states = watch(store);
    await untilSeen('it is up', () => states.length === 1);
    await h.empty();
    await untilSeen('it knows', () => states.at(-1) === 'up-empty');
    h.freeze();
    await untilSeen('it knows', () => states.at(-1) === 'down');
    h.thaw();
    await untilSeen('it is up again', () => store.state === 'up');
  });

  rule('while Redis is silent every call rejects; then all goes on', async (h) => {
    const store = h.open({ timeoutMs: SILENT_MS });
    const mine = lease();
    await untilSeen('it is renewed', () => succeeds(store.renew(mine)));
    h.freeze();
    await assertUnavailable(store);
    assert.equal(store.steadySince(), undefined);
    h.thaw();
    await untilSeen('it is up', () => store.state === 'up');
    // A call that was sent into the silence may have taken effect since.
    const listed = async () => (await store.list()).some(({ run }) => run === mine.run);
    await untilSeen('it is listed', () => listed().catch(() => false));
  });

  rule('a subscription is made again, and the gap is told', async (h) => {
    const [a, b] = [h.open(), h.open()];
    const heard = listen(a);
    await untilSeen('it is subscribed', () => heard.gaps === 1);
    await h.stop();
    await untilSeen('it is down', () => a.state === 'down' && b.state === 'down');
    await h.start();
    await untilSeen('it is subscribed again', () => heard.gaps === 2 && b.state === 'up');
    await b.publish('after');
    await untilSeen('it has come', () => heard.events.length > 0);
    assert.deepEqual(heard.events, ['after']);
  });

  rule('a store made while Redis is away connects when it comes', async (h) => {
    await h.stop();
    const store = h.open();
    const heard = listen(store);
    await assertUnavailable(store);
    await h.start();
    await untilSeen('it is subscribed', () => heard.gaps === 1);
    await store.renew(lease());
    assert.equal((await store.list()).length, 1);
  });

  rule('a closed store tells nothing, and its calls reject, also those under way', async (h) => {
    const store = h.open();
    const heard = listen(store);
    await untilSeen('it is subscribed', () => heard.gaps === 1);
    const states = watch(store);
    h.freeze();
    const underWay = assert.rejects(store.list(), LeaseStoreUnavailable);
    await store.close();
    await underWay;
    h.thaw();
    await store.close();
    await assertUnavailable(store);
    assert.deepEqual(states, []);
    const unborn = h.open();
    const waiting = assert.rejects(unborn.list(), LeaseStoreUnavailable);
    await unborn.close();
    await waiting;
  });
}

export function lease(changes: Partial<Lease> = {}): Lease {
  return {
    run: randomUUID(),
    node: 'node',
    address: '127.0.0.1:7101',
    session: 1,
    state: 'live',
    weight: 1,
    workers: [],
    timeline: 1,
    ...changes,
  };
}

/** Every call of the port that goes to Redis. */
export async function assertUnavailable(store: LeaseStore): Promise<void> {
  const calls = [
    () => store.renew(lease()),
    () => store.list(),
    () => store.release('none'),
    () => store.publish('x'),
    () => store.writeMap([[0, 1, 1]]),
    () => store.readMap(),
  ];
  await Promise.all(
    calls.map((call) =>
      assert.rejects(call, (error) => {
        assert.ok(error instanceof LeaseStoreUnavailable, String(error));
        assert.equal(error.code, 'lease-store-unavailable');
        return true;
      }),
    ),
  );
}

const succeeds = (call: Promise<void>): Promise<boolean> =>
  call.then(
    () => true,
    () => false,
  );

function watch(store: LeaseStore): string[] {
  const states: string[] = [];
  store.onState((state) => states.push(state));
  return states;
}

function listen(store: LeaseStore): { events: string[]; gaps: number; end: () => void } {
  const heard = { events: [] as string[], gaps: 0, end: () => {} };
  heard.end = store.subscribe({
    onEvent: (event) => heard.events.push(event),
    onGap: () => {
      heard.gaps++;
    },
  });
  return heard;
}
