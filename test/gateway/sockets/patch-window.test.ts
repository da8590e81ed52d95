// The patches on their way through a node: the sockets that are held because of them, and the times of their
// release.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PatchWindow } from '../../../src/gateway/sockets/patch-window.ts';
import { FileNode, inBoth } from '../wire/contract.ts';

const KiB = 1024;

interface Socket {
  readonly name: string;
  unansweredBytes: number;
  expectedBytes: number;
}

/** A window of 256 KiB. The test controls the timers. */
function windowOf() {
  const told: string[] = [];
  const timers: (() => void)[] = [];
  const patches = new PatchWindow<Socket>({
    bytes: 256 * KiB,
    holdMs: 1000,
    after: (_ms, run) => timers.push(run),
    hold: ({ name }) => told.push(`hold ${name}`),
    letGo: ({ name }) => told.push(`let go ${name}`),
  });
  const socket = (name: string): Socket => ({ name, unansweredBytes: 0, expectedBytes: 0 });
  /** Reads this many bytes of a patch, which are then on their way. */
  const comes = (from: Socket, bytes: number): void => {
    patches.changed(from, bytes);
    patches.read(from);
  };
  return { told, timers, patches, socket, comes };
}

test('LIMIT-3 above the window sockets with much on its way are held, and let go one by one in their order', () => {
  const { told, patches, socket, comes } = windowOf();
  const [a, b, c] = [socket('a'), socket('b'), socket('c')];
  comes(a, 200 * KiB);
  assert.deepEqual(told, []);
  comes(b, 100 * KiB);
  comes(c, 100 * KiB);
  comes(a, 10 * KiB);
  assert.deepEqual(told.splice(0), ['hold b', 'hold c', 'hold a']);
  patches.changed(a, -100 * KiB);
  assert.deepEqual(told, [], 'there is no room yet');
  patches.changed(a, -100 * KiB);
  // There is room for one socket: the window expects 64 KiB of each.
  assert.deepEqual(told.splice(0), ['let go b']);
  comes(b, 150 * KiB);
  assert.deepEqual(told.splice(0), ['hold b']);
  patches.changed(c, -100 * KiB);
  assert.deepEqual(told.splice(0), []);
  patches.changed(b, -100 * KiB);
  assert.deepEqual(told.splice(0), ['let go c', 'let go a']);
});

test('LIMIT-3 a socket with little on its way is read, however much others have', () => {
  const { told, patches, socket, comes } = windowOf();
  comes(socket('heavy'), 1024 * KiB);
  const typist = socket('typist');
  for (let i = 0; i < 100; i++) {
    comes(typist, 100);
    patches.changed(typist, -100);
  }
  assert.deepEqual(told, ['hold heavy']);
});

test('LIMIT-3 a held socket is let go in time, also where nothing is answered', () => {
  const { told, timers, socket, comes } = windowOf();
  const heavy = socket('heavy');
  comes(heavy, 300 * KiB);
  timers[0]?.();
  assert.deepEqual(told, ['hold heavy', 'let go heavy']);
  comes(heavy, 10);
  assert.deepEqual(told, ['hold heavy', 'let go heavy', 'hold heavy']);
  // The time of the first timer has passed.
  timers[0]?.();
  timers[1]?.();
  assert.equal(told.length, 4);
});

test('LIMIT-3 nothing is expected any more of a socket that is closed or has all its answers', () => {
  const { told, timers, patches, socket, comes } = windowOf();
  const [a, b, c] = [socket('a'), socket('b'), socket('c')];
  for (const each of [a, b]) {
    comes(each, 300 * KiB);
    timers.splice(0)[0]?.();
    assert.equal(each.expectedBytes, 64 * KiB);
  }
  patches.changed(a, -300 * KiB);
  patches.changed(b, -300 * KiB);
  patches.closed(b);
  assert.deepEqual([a.expectedBytes, b.expectedBytes], [0, 0]);
  told.length = 0;
  comes(c, 255 * KiB);
  assert.deepEqual(told, []);
});

const file = new FileNode({ gateway: { patchBytes: 64 * KiB } });

inBoth('LIMIT-3 many sockets with large patches lose nothing, and others go on', async (t, codec) => {
  const COUNT = 12;
  const op = [{ op: 'add', path: '/a', value: 'x'.repeat(50 * KiB) }];
  const heavy = await Promise.all(Array.from({ length: 6 }, () => file.connect(t, codec)));
  const typist = await file.connect(t, codec);
  const small = file.newDoc();
  await typist.open(small, 'json');
  const done = heavy.map(async (client) => {
    const doc = file.newDoc();
    await client.open(doc, 'json');
    for (let seq = 1; seq <= COUNT; seq++) client.send({ type: 'submit', doc, seq, op });
    for (let version = 0; version < COUNT; ) version = Number((await client.next('commit')).version);
  });
  for (let seq = 1; seq <= 20; seq++) {
    const answer = await typist.submit(small, seq, [{ op: 'add', path: '/n', value: seq }]);
    assert.equal(answer.type, 'commit');
  }
  await Promise.all(done);
});
