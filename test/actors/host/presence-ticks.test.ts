// Changes of presence are gathered: each actor is flushed once a tick, and not after it was forgotten.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PresenceTicks } from '../../../actors/host/presence-ticks.ts';
import { Scheduler } from '../../sim/scheduler.ts';

test('all changes of an actor within a tick are flushed once; a forgotten actor is not flushed', async () => {
  const clock = new Scheduler();
  const flushed: string[] = [];
  const ticks = new PresenceTicks<string>(clock, (actor) => {
    flushed.push(actor);
    // A change during the flush belongs to the next tick.
    if (flushed.length === 1) ticks.add('again');
  });
  const pass = () => clock.run({ until: () => false, untilMs: clock.now() + 30 });
  for (const actor of ['a', 'b', 'a', 'gone']) ticks.add(actor);
  ticks.forget('gone');
  assert.deepEqual(flushed, []);
  await pass();
  assert.deepEqual(flushed, ['a', 'b']);
  await pass();
  assert.deepEqual(flushed, ['a', 'b', 'again']);
  ticks.add('late');
  ticks.stop();
  await pass();
  assert.equal(flushed.length, 3);
});
