// A link end: order, credits, and refusing at the door.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Link } from '../../actors/link.ts';
import { loopback } from '../support/loopback.ts';

type Numbered = [number, string];

test('messages arrive in order and whole, in one batch per turn', async () => {
  const { near, far } = loopback();
  const got: Numbered[][] = [];
  const a = new Link<Numbered, Numbered>(
    near,
    { windowMessages: 100, queueMessages: 100, gatherMs: 0 },
    () => undefined,
  );
  new Link<Numbered, Numbered>(far, { windowMessages: 100, queueMessages: 100, gatherMs: 0 }, (batch) =>
    got.push([...batch]),
  );
  for (let i = 0; i < 10; i++) a.send([i, 'x'.repeat(i)]);
  await near.idle();
  assert.equal(got.length, 1);
  assert.deepEqual(
    got.flat(),
    Array.from({ length: 10 }, (_, i) => [i, 'x'.repeat(i)]),
  );
});

test('past its window a link keeps the rest, past its queue it refuses; credits let it go on in order', async () => {
  const { near, far } = loopback();
  const got: number[] = [];
  const a = new Link<[number], [number]>(
    near,
    { windowMessages: 8, queueMessages: 20, gatherMs: 0 },
    () => undefined,
  );
  far.pause();
  new Link<[number], [number]>(far, { windowMessages: 8, queueMessages: 20, gatherMs: 0 }, (batch) => {
    for (const [n] of batch) got.push(n);
  });
  let taken = 0;
  for (let i = 0; i < 8; i++) if (a.offer([i])) taken++;
  await near.idle();
  for (let i = 8; i < 60; i++) if (a.offer([i])) taken++;
  assert.equal(taken, 28, 'eight on their way, twenty waiting');
  assert.equal(a.offer([99]), false);
  await near.idle();
  far.resume();
  await near.idle();
  assert.deepEqual(
    got,
    Array.from({ length: 28 }, (_, i) => i),
  );
  assert.equal(a.backlog, 0);
});

test('a closed link sends nothing and hears nothing', async () => {
  const { near, far } = loopback();
  const got: unknown[] = [];
  const a = new Link<[number], [number]>(near, { windowMessages: 8, queueMessages: 8, gatherMs: 0 }, (m) =>
    got.push(m),
  );
  const b = new Link<[number], [number]>(far, { windowMessages: 8, queueMessages: 8, gatherMs: 0 }, (m) =>
    got.push(m),
  );
  b.send([1]);
  a.close();
  a.send([2]);
  await near.idle();
  assert.deepEqual(got, []);
});
