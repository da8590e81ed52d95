// A lane runs a fixed number of reads at once, in order. A failed read frees its place, and the number of
// waiting reads is bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lane, MAX_WAITING } from '../../../actors/storage/postgres/connection/lane.ts';
import { StoreUnavailable } from '../../../actors/storage/store.ts';

test('never more than its width run at once, in the order in which they came, also after one that fails', async () => {
  const lane = new Lane(2);
  const order: number[] = [];
  let running = 0;
  const read = (i: number) => async (): Promise<number> => {
    running++;
    order.push(i);
    assert.ok(running <= 2);
    await new Promise(setImmediate);
    running--;
    if (i % 3 === 0) throw new Error(`${i}`);
    return i;
  };
  const ended = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => lane.run('read', read(i))));
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, i) => i),
  );
  assert.deepEqual(
    ended.map(({ status }) => status),
    order.map((i) => (i % 3 === 0 ? 'rejected' : 'fulfilled')),
  );
});

test('past its bound a read is refused as out of reach', async () => {
  const lane = new Lane(1);
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const all = Array.from({ length: 1 + MAX_WAITING }, () => lane.run('read', () => gate));
  await assert.rejects(
    lane.run('read', () => gate),
    StoreUnavailable,
  );
  open();
  await Promise.all(all);
  assert.equal(await lane.run('read', async () => 'again'), 'again');
});
