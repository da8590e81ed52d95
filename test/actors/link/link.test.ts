// One end of a link: order, credits, and refusals when it is full.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pack } from 'msgpackr';
import { systemClock } from '../../../actors/clock.ts';
import { Link, type LinkOptions } from '../../../actors/link/link.ts';
import { loopback } from '../../support/loopback.ts';

type Numbered = [number, string];

const options = (windowMessages: number, queueMessages: number): LinkOptions => ({
  windowMessages,
  windowBytes: 1000,
  queueMessages,
  queueBytes: 2000,
});

test('messages arrive in order and whole, in one batch per turn', async () => {
  const { near, far } = loopback();
  const got: Numbered[][] = [];
  const a = new Link<Numbered, Numbered>(near, options(100, 100), () => undefined);
  new Link<Numbered, Numbered>(far, options(100, 100), (batch) => got.push([...batch]));
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
  const a = new Link<[number], [number]>(near, options(8, 20), () => undefined);
  far.pause();
  new Link<[number], [number]>(far, options(8, 20), (batch) => {
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

test('the same in bytes; a message that is larger than the window has its turn', async () => {
  const { near, far } = loopback();
  const got: number[] = [];
  const batches: number[] = [];
  const a = new Link<[number, string[]], [number]>(near, options(100, 100), () => undefined);
  new Link<[number], [number, string[]]>(far, options(100, 100), (batch) => {
    batches.push(batch.length);
    for (const [n] of batch) got.push(n);
  });
  far.pause();
  let taken = 0;
  const offer = (bytes: number): void => {
    if (a.offer([taken, ['x'.repeat(bytes / 2), 'y'.repeat(bytes / 2)]])) taken++;
  };
  for (let i = 0; i < 4; i++) offer(250);
  await near.idle();
  for (let i = 0; i < 20; i++) offer(250);
  assert.equal(taken, 12, '1000 bytes on their way, 2000 waiting');
  far.resume();
  await near.idle();
  assert.equal(got.length, 12);
  assert.ok(Math.max(...batches) <= 4);
  assert.equal(a.backlog, 0);
  offer(300);
  offer(5000);
  assert.equal(a.offer([99, []]), false, 'too much waits');
  await near.idle();
  offer(10);
  await near.idle();
  assert.deepEqual(
    got,
    Array.from({ length: 15 }, (_, i) => i),
  );
  assert.deepEqual(batches.slice(-3), [1, 1, 1], 'a large one waits for its turn');
});

test('too many waiting messages that may not be refused are an overflow, told once; dropped messages are not sent', async () => {
  const { near, far } = loopback();
  const got: number[] = [];
  let overflows = 0;
  const a = new Link<[number, string], [number]>(
    near,
    options(100, 100),
    () => undefined,
    systemClock,
    () => {
      overflows++;
      a.dropQueue();
      a.send([1000, '']);
    },
  );
  new Link<[number], [number, string]>(far, options(100, 100), (batch) => {
    for (const [n] of batch) got.push(n);
  });
  far.pause();
  for (let i = 0; i < 4; i++) a.send([i, 'x'.repeat(250)]);
  await near.idle();
  for (let i = 4; i < 30; i++) a.send([i, 'x'.repeat(250)]);
  await near.idle();
  far.resume();
  await near.idle();
  assert.equal(overflows, 1);
  assert.deepEqual(got, [0, 1, 2, 3, 1000]);
});

test('a closed link sends nothing and hears nothing', async () => {
  const { near, far } = loopback();
  const got: unknown[] = [];
  const a = new Link<[number], [number]>(near, options(8, 8), (m) => got.push(m));
  const b = new Link<[number], [number]>(far, options(8, 8), (m) => got.push(m));
  b.send([1]);
  a.close();
  a.send([2]);
  await near.idle();
  assert.deepEqual(got, []);
});

test('credits that cannot be close the link before it hands on their messages', () => {
  for (const [credit, creditBytes] of [
    [3, 0],
    [-1, 0],
    [2, 1_000],
    [2, -1],
  ]) {
    let arrive: (batch: Uint8Array) => void = () => undefined;
    let closed = 0;
    const got: unknown[] = [];
    const broken: string[] = [];
    const link = new Link<[string], [number]>(
      { post: () => undefined, onBatch: (listener) => (arrive = listener), close: () => closed++ },
      options(100, 100),
      (messages) => got.push(...messages),
    );
    link.onBroken = ({ message }) => broken.push(message);
    for (const text of ['a', 'b']) link.send([text]);
    link.flush();
    arrive(pack([1, 1, 0, [[7]]]));
    arrive(pack([credit, creditBytes, 0, [[8]]]));
    arrive(pack([2, 2, 0, [[9]]]));
    assert.deepEqual([got, closed, broken.length], [[[7]], 1, 1], `${credit} ${creditBytes}`);
  }
});

test('a link that nobody guards throws at credits that cannot be, and at a message that is handled twice', () => {
  let arrive: (batch: Uint8Array) => void = () => undefined;
  const link = new Link<[number], [number]>(
    { post: () => undefined, onBatch: (listener) => (arrive = listener), close: () => undefined },
    options(100, 100),
    ([message]) => message && link.postpone(message),
  );
  arrive(pack([0, 0, 0, [[1]]]));
  link.settle([1]);
  assert.throws(() => link.settle([1]), /handled twice/);
  assert.throws(() => arrive(pack([1, 0, 0, []])), /1 messages of 0/);
});
