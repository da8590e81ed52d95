// A node that cannot serve for long sends its clients away, and takes them again when it can.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendAwayUnserved, UNSERVED_MS } from '../../src/unserved.ts';
import { Scheduler } from '../sim/scheduler.ts';

test('a pause is no reason to send clients away; what lasts is, once, and it ends', async () => {
  const clock = new Scheduler();
  const ownership = { isServing: true };
  const done: string[] = [];
  const log = { info: () => undefined, warn: () => undefined };
  const sockets = {
    sendAway: async () => void done.push('away'),
    takeAgain: () => void done.push('back'),
  };
  const run = (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });
  const stop = sendAwayUnserved({ ownership, sockets, clock, log });
  await run(1000);
  ownership.isServing = false;
  await run(UNSERVED_MS - 500);
  ownership.isServing = true;
  await run(1000);
  assert.deepEqual(done, []);
  ownership.isServing = false;
  await run(20_000);
  assert.deepEqual(done, ['away']);
  ownership.isServing = true;
  await run(1000);
  assert.deepEqual(done, ['away', 'back']);
  stop();
  ownership.isServing = false;
  await run(20_000);
  assert.deepEqual(done, ['away', 'back']);
});
