// Work that several callers want is done once, and given up when nobody waits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedWork } from '../../src/past/shared-work.ts';

test('HIST-2: callers of one key share one work, and the next caller starts another', async () => {
  const shared = new SharedWork<number>();
  let started = 0;
  let finish: (value: number) => void = () => undefined;
  const start = (): Promise<number> => {
    started++;
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  const { signal } = new AbortController();
  const both = Promise.all([shared.run('a', signal, start), shared.run('a', signal, start)]);
  finish(7);
  assert.deepEqual(await both, [7, 7]);
  assert.equal(started, 1);
  assert.equal(shared.size, 0);
  const again = shared.run('a', signal, start);
  finish(8);
  assert.equal(await again, 8);
});

test('HIST-2: work goes on while one caller waits, and is aborted when the last one leaves', async () => {
  const shared = new SharedWork<number>();
  const seen: AbortSignal[] = [];
  const start = (end: AbortSignal): Promise<number> => {
    seen.push(end);
    return new Promise((_, reject) => end.addEventListener('abort', () => reject(end.reason)));
  };
  const [one, other] = [new AbortController(), new AbortController()];
  const first = shared.run('a', one.signal, start);
  const second = shared.run('a', other.signal, start);
  one.abort(new Error('the first has left'));
  await assert.rejects(first, /the first has left/);
  assert.equal(seen[0]?.aborted, false);
  other.abort(new Error('the second has left'));
  await assert.rejects(second, /the second has left/);
  assert.equal(seen[0]?.aborted, true);
  assert.equal(shared.size, 0);
  assert.equal(seen.length, 1);
});
