// The amount that one socket may make a node read: budgets by themselves, then floods over real sockets.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { Codec } from '../../../protocol/codec.ts';
import { isLarger } from '../../../protocol/plain-value.ts';
import { WholeFrames } from '../../../src/gateway/node-private/whole-frames.ts';
import { ReadBudget } from '../../../src/gateway/sockets/read-budget.ts';
import { TimedReads } from '../../../src/gateway/sockets/timed-reads.ts';
import { FileNode, inBoth, outcome } from '../wire/contract.ts';

const KiB = 1024;

/** A budget of 1000 bytes and 100 ms a second. The test controls the time. */
function budget() {
  const time = { now: 0 };
  const pauses: number[] = [];
  const all = new ReadBudget({
    bytesPerSecond: 1000,
    msPerSecond: 100,
    now: () => time.now,
    pause: (_socket, ms) => pauses.push(ms),
  });
  return { time, pauses, all, socket: { ...all.full } };
}

test('LIMIT-3 a socket beyond its bytes is left alone until they are there again', () => {
  const { time, pauses, all, socket } = budget();
  all.spend(socket, 1000, 0);
  assert.deepEqual(pauses, []);
  all.spend(socket, 500, 0);
  assert.deepEqual(pauses, [500]);
  time.now = 500;
  all.spend(socket, 250, 0);
  assert.deepEqual(pauses, [500, 250]);
  // Unused budget adds up to one second's worth and no more.
  time.now = 60_000;
  all.spend(socket, 1250, 0);
  assert.deepEqual(pauses, [500, 250, 250]);
});

test('LIMIT-3 a socket whose frames take long is left alone, however few bytes they are', () => {
  const { time, pauses, all, socket } = budget();
  all.spend(socket, 1, 200);
  assert.deepEqual(pauses, [1000]);
  time.now = 1000;
  all.spend(socket, 1, 0);
  assert.deepEqual(pauses, [1000]);
  // Far below the budget no clock is read and no pause comes.
  const calm = { ...all.full };
  for (let i = 0; i < 90; i++) all.spend(calm, 1, 1);
  assert.deepEqual(pauses, [1000]);
});

test('LIMIT-3 frames that are left to ws cost by their number where they are small, and by the time they take', () => {
  const socket = { passing: 0 };
  const spent: [bytes: number, ms: number][] = [];
  const frames = new WholeFrames<typeof socket>(
    KiB,
    () => undefined,
    (_socket, bytes, ms) => spent.push([bytes, ms]),
  );
  const duplex = new PassThrough();
  duplex.on('data', () => undefined);
  frames.tap(duplex, socket);
  const whole = Buffer.from([0x82, 0x80, 0, 0, 0, 0]);
  duplex.emit('data', whole);
  // Continuation frames without a byte.
  duplex.emit('data', Buffer.concat(Array(100).fill(Buffer.from([0x00, 0x80, 0, 0, 0, 0]))));
  duplex.emit('data', Buffer.concat(Array(1000).fill(Buffer.from([0x00, 0x80, 0, 0, 0, 0]))));
  assert.deepEqual(spent[0], [6, 0]);
  assert.deepEqual(spent[1]?.[0], 600);
  assert.ok((spent[1]?.[1] ?? 0) > 0.1);
  assert.ok((spent[2]?.[1] ?? 0) > 0);
});

test('LIMIT-3 without private parts of Node, the bytes of all reads and the time that ws takes for them are spent', () => {
  const socket = {};
  const spent: [socket: object, bytes: number, ms: number][] = [];
  const reads = new TimedReads<object>((of, bytes, ms) => spent.push([of, bytes, ms]));
  const duplex = new PassThrough();
  const busyMs = 5;
  let spentBefore = -1;
  duplex.on('data', () => {
    spentBefore = spent.length;
    const until = performance.now() + busyMs;
    while (performance.now() < until);
  });
  reads.watch(duplex, socket);
  duplex.emit('data', Buffer.alloc(600));
  assert.equal(spentBefore, 0, 'a read is reported after ws has had it');
  duplex.emit('data', Buffer.alloc(1));
  assert.deepEqual(
    spent.map(([of, bytes]) => [of, bytes]),
    [
      [socket, 600],
      [socket, 1],
    ],
  );
  for (const [, , ms] of spent) assert.ok(ms >= busyMs, `${ms} ms`);
});

test('SUBMIT-14 a value is known to be too large without a look at all of it, and never when it is not', () => {
  const throwing = {
    get far(): unknown {
      throw new Error('looked too far');
    },
  };
  assert.equal(isLarger(['x'.repeat(100), throwing], 50), true);
  for (const value of [null, 1, -1.5, 'abc', [], {}, [1, [2, { a: 'b' }]], { a: [{}, {}] }])
    assert.equal(isLarger(value, JSON.stringify(value).length), false, JSON.stringify(value));
  let deep: unknown = 1;
  for (let i = 0; i < 500_000; i++) deep = [deep];
  assert.equal(isLarger(deep, 1_000_000), false);
});

const file = new FileNode({
  limits: { frameBytes: 16 * KiB, opBytes: 8 * KiB, presenceBytes: KiB },
  gateway: { readBytes: 256 * KiB },
});

inBoth(
  'LIMIT-3 a client that sends faster than it is read loses nothing, and the others go on',
  async (t, codec) => {
    const [flood, other] = [await file.connect(t, codec), await file.connect(t, codec)];
    const doc = file.newDoc();
    await flood.open(doc, 'json');
    const op = [{ op: 'add', path: '/a', value: 'x'.repeat(7 * KiB) }];
    const COUNT = 60;
    for (let seq = 1; seq <= COUNT; seq++) flood.send({ type: 'submit', doc, seq, op });
    flood.send({ type: 'ping', id: 'last' });
    other.send({ type: 'ping', id: 'other' });
    await other.next('pong');
    assert.deepEqual(
      flood.received.filter((m) => m.type === 'pong'),
      [],
      'the flood was read at once',
    );
    let version = 0;
    while (version < COUNT) {
      const message = await flood.next('commit');
      version = Number(message.version);
    }
    await flood.next('pong');
    assert.equal(flood.closed, undefined);
  },
);

inBoth('LIMIT-3 ERR-3 pings and pongs count as messages', async (t, codec) => {
  for (const kind of ['ping', 'pong'] as const) {
    const { socket, ...client } = await connected(t, codec);
    // The client waits for the answers of ws before it sends more.
    const more = (): void => {
      for (let i = 0; i < 50 && socket.readyState === socket.OPEN; i++) socket[kind]();
      if (socket.readyState === socket.OPEN) socket.ping('more');
    };
    socket.on('pong', (data: Buffer) => data.toString() === 'more' && more());
    more();
    assert.equal(await client.closedWith, 4429, kind);
  }
});

async function connected(t: TestContext, codec: Codec) {
  const { socket } = await file.connect(t, codec);
  const closedWith = new Promise<number>((resolve) => socket.on('close', resolve));
  return { socket, closedWith };
}

inBoth(
  'SUBMIT-14 PRES-5 a message that is too large is too-large, whatever else is wrong with it',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const many = Array.from({ length: 2000 }, () => 'four');
    // The patch is nested too deep, but only after the point at which it is too large.
    assert.equal(outcome(await client.submit(doc, 1, [...many, nested(150)])), 'reject too-large');
    client.send({ type: 'presence', doc, data: [...many, nested(150)], id: 1 });
    assert.equal((await client.next('error')).code, 'too-large');
  },
);

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
