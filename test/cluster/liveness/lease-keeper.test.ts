// The lease's keeper, over Redis in memory and a clock that the test controls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timers } from '../../../actors/clock.ts';
import { CONFIRM_MS, Liveness, MAIN } from '../../../actors/liveness/liveness.ts';
import type { SessionState } from '../../../actors/storage/store.ts';
import { type LeaseEvent, LeaseKeeper } from '../../../cluster/liveness/lease-keeper.ts';
import type { Lease } from '../../../cluster/liveness/lease-store.ts';
import { MemoryRedis } from '../../doubles/lease-store-memory.ts';
import { lease } from './lease-store-contract.ts';

const RENEW_MS = 1_000;
const STALL_MS = 5_000;

test('the lease is there while all threads beat, and confirms the sessions', async () => {
  const h = await start({ workers: [{ slot: 0, session: 10 }] });
  await h.run(10_000);
  assert.deepEqual(await h.leases(), [h.lease]);
  for (const slot of [MAIN, 0]) {
    const until = h.liveness.confirmedUntil(slot);
    assert.ok(until > h.clock.now() && until <= h.clock.now() + CONFIRM_MS, `${slot}: ${until}`);
  }
  assert.deepEqual(h.faults(), []);
});

for (const [who, slot] of [
  ['the main thread', MAIN],
  ['a worker', 1],
] as const) {
  test(`when ${who} has not beaten for the stall's time the lease is left to expire, until it beats again`, async () => {
    const h = await start({ workers: [0, 1].map((s) => ({ slot: s, session: 10 + s })) });
    await h.run(3_000);
    h.silent.add(slot);
    await h.run(STALL_MS - 1_000);
    assert.equal((await h.leases()).length, 1);
    await h.run(2_000 + 3_000);
    assert.deepEqual(await h.leases(), []);
    assert.deepEqual(h.faults(), [{ type: 'stalled', slots: [slot] }]);
    // The sessions are live; whether reads may be served is another question.
    assert.ok(h.liveness.isConfirmed(0, h.clock.now()));
    h.silent.delete(slot);
    await h.run(3_000);
    assert.equal((await h.leases()).length, 1);
    assert.deepEqual(h.faults().at(-1), { type: 'stalled', slots: [] });
  });
}

test('a worker may be silent for a time of its own, in which its node ends it, and the lease stays', async () => {
  const h = await start({ workers: [{ slot: 0, session: 10 }] }, 3 * STALL_MS);
  await h.run(3_000);
  h.silent.add(0);
  await h.run(2 * STALL_MS);
  assert.equal((await h.leases()).length, 1);
  assert.deepEqual(h.faults(), []);
  h.silent.delete(0);
  await h.run(3_000);
  h.silent.add(MAIN);
  await h.run(STALL_MS + 5_000);
  assert.deepEqual(h.faults()[0], { type: 'stalled', slots: [MAIN] });
});

test('a worker that has gone from the lease is not watched, and starts afresh when it is back', async () => {
  const workers = [{ slot: 0, session: 10 }];
  const h = await start({ workers });
  await h.run(2_000);
  h.silent.add(0);
  h.keeper.setLease({ ...h.lease, workers: [] });
  await h.run(20_000);
  assert.equal((await h.leases()).length, 1);
  h.keeper.setLease({ ...h.lease, workers: [{ slot: 0, session: 11 }] });
  h.silent.delete(0);
  await h.run(3_000);
  assert.deepEqual(h.faults(), []);
});

test('after the whole process was stopped it does not renew before its threads have shown themselves', async () => {
  const h = await start({});
  await h.run(3_000);
  const renewals = h.renewals();
  h.clock.jump(20_000);
  // Main's timer comes first, and beats once.
  h.liveness.beat(MAIN);
  h.silent.add(MAIN);
  await h.run(2_000);
  assert.equal(h.renewals(), renewals);
  assert.deepEqual(h.faults()[0], { type: 'stalled', slots: [MAIN] });
});

test('a change of the lease is published at once, and again after Redis was away or came back empty', async () => {
  const h = await start({});
  await h.run(1_000);
  h.keeper.setLease({ ...h.lease, state: 'draining' });
  await h.run(50);
  assert.equal((await h.leases())[0]?.state, 'draining');
  h.redis.setAway('refused', 'me');
  h.redis.empty();
  await h.run(3_000);
  h.redis.setAway(undefined, 'me');
  await h.run(1_100);
  assert.equal((await h.leases()).length, 1);
  const redis = h.events.filter((event) => event.type === 'redis').map(({ state }) => state);
  assert.deepEqual(redis, ['up', 'down', 'up-empty']);
  const renewing = h.events.filter((event) => event.type === 'renewing').map(({ succeeds }) => succeeds);
  assert.deepEqual(renewing, [true, false, true]);
});

test('a session that is fenced is told once, and confirmed no more; the others are', async () => {
  const h = await start({ workers: [0, 1].map((slot) => ({ slot, session: 10 + slot })) });
  await h.run(2_000);
  h.states.set(10, 'fenced');
  await h.run(5_000);
  assert.deepEqual(h.faults(), [{ type: 'fenced', slot: 0, session: 10 }]);
  assert.ok(!h.liveness.isConfirmed(0, h.clock.now()));
  assert.ok(h.liveness.isConfirmed(1, h.clock.now()));
});

test('a session that the database does not know any more is fenced; a draining one is confirmed', async () => {
  const h = await start({ workers: [{ slot: 0, session: 10 }] });
  h.states.set(10, 'draining');
  await h.run(2_000);
  assert.ok(h.liveness.isConfirmed(0, h.clock.now()));
  h.states.set(10, undefined);
  await h.run(2_000);
  assert.deepEqual(h.faults(), [{ type: 'fenced', slot: 0, session: 10 }]);
});

test('reads end three seconds after the last answer was asked for, however late it came', async () => {
  const h = await start({ workers: [{ slot: 0, session: 10 }] });
  await h.run(2_000);
  h.answerMs = 900;
  await h.run(10);
  const asked = await h.nextPoll();
  await h.run(950);
  assert.equal(h.liveness.confirmedUntil(0), Math.floor(asked + CONFIRM_MS));
  h.answerMs = 'never';
  await h.run(CONFIRM_MS + RENEW_MS);
  assert.ok(!h.liveness.isConfirmed(0, h.clock.now()));
});

test('a database that is away is told, and confirms nothing', async () => {
  const h = await start({});
  await h.run(2_000);
  h.answerMs = 'error';
  await h.run(5_000);
  assert.ok(!h.liveness.isConfirmed(MAIN, h.clock.now()));
  h.answerMs = 0;
  await h.run(2_000);
  assert.ok(h.liveness.isConfirmed(MAIN, h.clock.now()));
  const confirming = h.events.filter((event) => event.type === 'confirming').map(({ succeeds }) => succeeds);
  assert.deepEqual(confirming, [true, false, true]);
  assert.equal((await h.leases()).length, 1);
});

test('stopping releases the lease, or leaves it to expire; nothing goes on', async () => {
  for (const release of [true, false]) {
    const h = await start({});
    await h.run(1_500);
    const stopped = h.keeper.stop(release);
    await h.run(100);
    await stopped;
    assert.equal((await h.leases()).length, release ? 0 : 1);
    await h.run(5_000);
    assert.deepEqual(await h.leases(), []);
  }
});

test('that the database does not answer is told before the store has given up asking', async () => {
  const h = await start({});
  await h.run(3_000);
  h.answerMs = 'never';
  await h.run(RENEW_MS + 2_100);
  const told = h.events.filter((event) => event.type === 'confirming').map(({ succeeds }) => succeeds);
  assert.deepEqual(told, [true, false]);
});

async function start(changes: Partial<Lease>, workerStallMs = STALL_MS) {
  const clock = new TestClock();
  const redis = new MemoryRedis({ clock, random: () => 0.5 });
  const [mine, other] = [redis.connect('me'), redis.connect('other')];
  const liveness = Liveness.allocate(4);
  const events: LeaseEvent[] = [];
  const states = new Map<number, SessionState | undefined>([
    [1, 'live'],
    [10, 'live'],
    [11, 'live'],
  ]);
  const silent = new Set<number>();
  const polls: number[] = [];
  let renewals = 0;
  const renew = mine.renew.bind(mine);
  const h = {
    clock,
    redis,
    liveness,
    events,
    states,
    silent,
    lease: lease(changes),
    answerMs: 0 as number | 'never' | 'error',
    renewals: () => renewals,
    faults: () => events.filter(({ type }) => type === 'stalled' || type === 'fenced'),
    /** Lets time pass. Threads that are not silent beat. */
    run: async (ms: number) => {
      for (let left = ms; left > 0; left -= 10) {
        if (Math.floor(clock.now()) % 100 < 10) {
          for (let slot = MAIN; slot < liveness.slots; slot++) if (!silent.has(slot)) liveness.beat(slot);
        }
        await clock.advance(Math.min(10, left));
      }
    },
    nextPoll: async () => {
      const before = polls.length;
      while (polls.length === before) await h.run(10);
      return polls.at(-1) ?? 0;
    },
    leases: async () => {
      const listed = other.list();
      await clock.advance(1);
      return listed;
    },
  };
  const keeper = new LeaseKeeper({
    store: Object.assign(mine, {
      renew: (next: Lease) => {
        renewals++;
        return renew(next);
      },
    }),
    sessionState: async (session) => {
      polls.push(clock.now());
      if (h.answerMs === 'error') throw new Error('away');
      if (h.answerMs === 'never') return new Promise(() => {});
      const delay = h.answerMs;
      if (delay > 0) await new Promise<void>((done) => void clock.after(delay, done));
      return states.get(session);
    },
    liveness,
    clock,
    lease: h.lease,
    renewMs: RENEW_MS,
    stallMs: STALL_MS,
    workerStallMs,
    tell: (event) => events.push(event),
  });
  keeper.start();
  await h.run(20);
  return Object.assign(h, { keeper });
}

/**
 * A clock that moves when the test says so. Due timers run in the order of their times, and promises settle
 * between them.
 */
class TestClock implements Timers {
  readonly #due = new Set<{ at: number; run: () => void }>();
  #now = 1_000;

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + ms, run };
    this.#due.add(entry);
    return () => this.#due.delete(entry);
  }

  /** Jumps as the clock of a process that was stopped: no timer ran meanwhile. */
  jump(ms: number): void {
    this.#now += ms;
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const next = [...this.#due].sort((a, b) => a.at - b.at).find(({ at }) => at <= end);
      if (next === undefined) break;
      this.#due.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settled();
    }
    this.#now = end;
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
