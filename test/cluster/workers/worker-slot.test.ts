// One slot of the pool: its worker makes legal moves only, and every question about shards gets an answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import { WorkerSlot } from '../../../cluster/workers/worker-slot.ts';

function slot() {
  const { port1, port2 } = new MessageChannel();
  const made = new WorkerSlot(0);
  const close = () => port1.close();
  return { slot: made, begin: () => made.starting(port1, new AbortController()), port2, close };
}

test('a worker that has not started does not serve, and a slot that is stopped starts no worker', () => {
  const { slot: made, begin, close } = slot();
  assert.throws(() => made.setMode('live'), /from ended to live/);
  begin();
  made.setMode('live');
  assert.throws(() => made.setMode('starting'), /from live to starting/);
  assert.throws(begin, /from live to starting/);
  made.stopped();
  made.stopped();
  assert.throws(begin, /from stopped to starting/);
  assert.throws(() => made.setMode('ended'), /from stopped to ended/);
  close();
});

test('every question is answered: by the worker, by its end, or at once where it does not serve', async () => {
  const { slot: made, begin, port2, close } = slot();
  const claim = () => made.ask((token) => ({ type: 'claim', token, shards: [3] }));
  await assert.rejects(claim(), StoreUnavailable);
  begin();
  made.setMode('live');
  const asked: { readonly token: number }[] = [];
  port2.on('message', (message: { readonly token: number }) => asked.push(message));
  const [first, second, third] = [claim(), claim(), claim()];
  while (asked.length < 3) await new Promise((resolve) => setImmediate(resolve));
  made.answered({ type: 'claimed', token: asked[0]?.token ?? 0, epochs: [3, 7] });
  made.answered({ type: 'failed', token: asked[1]?.token ?? 0, error: 'away' });
  made.rejectAll();
  assert.deepEqual([...(await first)], [[3, 7]]);
  await assert.rejects(second, /away/);
  await assert.rejects(third, /has ended/);
  port2.close();
  close();
});
