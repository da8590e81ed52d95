// Tests of the simulation itself: a seed always gives the same run, nothing real takes part, a missing
// guarantee is detected, and a number of seeds find nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Thread } from './machines/thread.ts';
import { runSeed } from './run.ts';
import { Scheduler } from './scheduler.ts';
import { findNothing, isMissed } from './verdict/guarantees.ts';

/** A few seeds. sim.long.ts has more, and `npm run test:sim` runs any number. */
const SEEDS = 2;

test('events run in order of time, then of their making, each with all its promises behind it', async () => {
  const scheduler = new Scheduler();
  const ran: string[] = [];
  scheduler.after(2, () => ran.push('c'));
  scheduler.after(1, () => {
    ran.push('a');
    process.nextTick(() => ran.push('a tick'));
    void Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => ran.push('a promise'));
  });
  scheduler.after(1, () => ran.push('b'));
  const cancel = scheduler.after(1, () => ran.push('never'));
  cancel();
  assert.equal(await scheduler.run({ until: () => ran.length === 5, untilMs: 10 }), true);
  assert.deepEqual(ran, ['a', 'a tick', 'a promise', 'b', 'c']);
  assert.equal(scheduler.now(), 2);
});

test('a thread that is stopped has its timers and messages late and in order, one that is dead has none', async () => {
  const scheduler = new Scheduler();
  const thread = new Thread(scheduler, { offsetMs: 500, rate: 2 });
  const ran: string[] = [];
  thread.clock.after(2, () => ran.push(`timer at ${thread.clock.now()}`));
  thread.stop();
  thread.run(() => ran.push('message'));
  scheduler.after(10, () => thread.goOn());
  await scheduler.run({ until: () => false, untilMs: 20 });
  assert.deepEqual(ran, ['message', 'timer at 520']);
  thread.clock.after(1, () => ran.push('never'));
  thread.kill();
  await scheduler.run({ until: () => false, untilMs: 40 });
  assert.equal(ran.length, 2);
});

test('the same seed does the same, whatever ran before it', async () => {
  const first = await runSeed({ seed: 7, seconds: 3 });
  const other = await runSeed({ seed: 8, seconds: 3 });
  const again = await runSeed({ seed: 7, seconds: 3 });
  assert.deepEqual(first.failures, []);
  assert.ok(first.commits > 0 && first.events > 1000);
  assert.equal(again.hash, first.hash);
  assert.equal(again.events, first.events);
  assert.notEqual(other.hash, first.hash);
});

test('no real clock, timer or chance has a part in a run', async () => {
  const before = await runSeed({ seed: 9, seconds: 2 });
  const restore = outOfReach();
  try {
    const without = await runSeed({ seed: 9, seconds: 2 });
    assert.deepEqual(without.failures, []);
    assert.equal(without.hash, before.hash);
  } finally {
    restore();
  }
});

test('gate taken out is missed within 4 seeds; whole, the same seed finds nothing', () =>
  isMissed('gate', 4));

test(`${SEEDS} seeds find nothing`, () => findNothing(1, SEEDS));

/**
 * Makes the globals that a run might use throw while it runs. Random numbers that yjs draws for documents
 * that are never sent are harmless.
 */
function outOfReach(): () => void {
  const { setTimeout, setInterval } = globalThis;
  const { now } = Date;
  const { random } = Math;
  const performanceNow = performance.now;
  const refuse = (what: string) => (): never => {
    throw new Error(`${what} in a simulation`);
  };
  Date.now = refuse('Date.now');
  Math.random = refuse('Math.random');
  performance.now = refuse('performance.now');
  Object.assign(globalThis, { setTimeout: refuse('setTimeout'), setInterval: refuse('setInterval') });
  return () => {
    Date.now = now;
    Math.random = random;
    performance.now = performanceNow;
    Object.assign(globalThis, { setTimeout, setInterval });
  };
}
