// Tests of the simulation itself: a seed always gives the same run, nothing real takes part, a missing
// guarantee is detected, and a number of seeds find nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Thread } from './machines/thread.ts';
import { type RunResult, runSeed } from './run.ts';
import { Scheduler } from './scheduler.ts';
import { isMissed, SECONDS } from './verdict/guarantees.ts';

/** The search for a missing gate runs the first seed. sim.long.ts has more, and `npm run test:sim` runs any number. */
const SEED = 2;
/** A run, and the first one of it, with which others are compared. */
const SHORT = { seed: 7, seconds: 3 };
let first: Promise<RunResult> | undefined;
const firstRun = (): Promise<RunResult> => (first ??= runSeed(SHORT));

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
  const { failures, commits, events, hash } = await firstRun();
  const other = await runSeed({ ...SHORT, seed: 8 });
  const again = await runSeed(SHORT);
  assert.deepEqual(failures, []);
  assert.ok(commits > 0 && events > 1000);
  assert.equal(again.hash, hash);
  assert.equal(again.events, events);
  assert.notEqual(other.hash, hash);
});

test('no real clock, timer or chance has a part in a run', async () => {
  const { hash } = await firstRun();
  const restore = outOfReach();
  try {
    const without = await runSeed(SHORT);
    assert.deepEqual(without.failures, []);
    assert.equal(without.hash, hash);
  } finally {
    restore();
  }
});

test('gate taken out is missed within 4 seeds; whole, the same seed finds nothing', () =>
  isMissed('gate', 4, { processes: 1 }));

test('one more seed finds nothing', async () => {
  const { failures } = await runSeed({ seed: SEED, seconds: SECONDS });
  assert.deepEqual(failures, []);
});

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
