// Questions whether the session lives: their number is bounded, and a failing store is reported once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StillLive } from '../../actors/liveness/still-live.ts';
import { StoreUnavailable } from '../../actors/storage/store.ts';
import { Scheduler } from '../sim/scheduler.ts';

const BOUND = 10_000;

test('it is full at its bound, until they are answered or want to know no more', async () => {
  const { live, answer, passes } = stage();
  let told = 0;
  for (let n = 0; n < BOUND; n++) {
    assert.equal(live.full, false);
    live.ask(n % 2 === 0 ? 'even' : 'odd', () => told++);
  }
  assert.equal(live.full, true);
  answer.with = () => Promise.reject(new StoreUnavailable('away'));
  await passes(1000);
  assert.equal(live.full, true, 'they go on waiting');
  live.forget('odd');
  assert.equal(live.full, false);
  answer.with = () => Promise.resolve(true);
  await passes(1000);
  assert.equal(told, BOUND / 2);
  for (let n = 1; n < BOUND; n++) live.ask('again', () => undefined);
  assert.equal(live.full, false, 'none of those that are answered counts any more');
  live.ask('again', () => undefined);
  assert.equal(live.full, true);
});

test('a store that fails again and again is told of once, and again after it has answered', async () => {
  const { live, answer, errors, passes } = stage();
  const fails = () => Promise.reject(new Error('broken'));
  let told = 0;
  for (const _ of [1, 2]) {
    answer.with = () => Promise.reject(new StoreUnavailable('away'));
    live.ask('doc', () => told++);
    await passes(1000);
    answer.with = fails;
    await passes(10_000);
    answer.with = () => Promise.resolve(true);
    await passes(1000);
  }
  assert.equal(told, 2);
  assert.equal(errors.length, 2);
});

function stage() {
  const clock = new Scheduler();
  const answer = { with: (): Promise<boolean> => Promise.resolve(true) };
  const errors: unknown[] = [];
  const live = new StillLive<string>({
    store: { isLive: () => answer.with() },
    clock,
    onFenced: () => assert.fail('fenced'),
    onError: (error) => errors.push(error),
  });
  const passes = (ms: number): Promise<boolean> =>
    clock.run({ until: () => false, untilMs: clock.now() + ms });
  return { live, answer, errors, passes };
}
