// Large snapshots go over a link in pieces, once for all subscribers behind it, and within bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORGET, SNAPSHOT, type ToGateway } from '../../../actors/link/link-messages.ts';
import { SnapshotSender } from '../../../actors/link/snapshot-sender.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const WINDOW = 2 * MiB;

/** A sender. The test controls the other end of its link, and the turns of the event loop. */
function start() {
  const sent: ToGateway[] = [];
  const turns: (() => void)[] = [];
  const state = { now: 0, backlog: 0 };
  const sender = new SnapshotSender({
    link: {
      send: (message) => {
        sent.push(message);
        if (message[0] === SNAPSHOT) state.backlog += message[2].length;
      },
      get backlogBytes() {
        return state.backlog;
      },
    },
    windowBytes: WINDOW,
    clock: { now: () => state.now, soon: (run) => turns.push(run) },
  });
  /** Runs turns until nothing more can be sent without credit. */
  const run = (): void => {
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
  };
  const credit = (): void => {
    state.backlog = 0;
    sender.credited();
    run();
  };
  const settle = (): void => {
    run();
    for (let before = -1; before < sent.length; ) {
      before = sent.length;
      credit();
    }
  };
  const bytesOf = (number: number): number =>
    sent.reduce((sum, m) => sum + (m[0] === SNAPSHOT && m[1] === number ? m[2].length : 0), 0);
  const forgotten = (): number[] => sent.flatMap((m) => (m[0] === FORGET ? [m[1]] : []));
  return { sender, sent, state, turns, run, credit, settle, bytesOf, forgotten };
}

const bytes = (length: number): Uint8Array => new Uint8Array(length);

test('all who wait for a snapshot share one copy, and are called when the link has all of it', () => {
  const { sender, settle, bytesOf, sent } = start();
  const snapshot = bytes(3 * MiB);
  const called: number[] = [];
  for (const subscriptionId of [1, 2, 3])
    assert.ok(
      sender.send(snapshot, () => {
        called.push(subscriptionId);
        assert.equal(bytesOf(1), snapshot.length);
      }),
    );
  assert.equal(sender.numberOf(snapshot), undefined);
  settle();
  assert.deepEqual(called, [1, 2, 3]);
  assert.equal(sender.numberOf(snapshot), 1);
  assert.equal(bytesOf(1), snapshot.length);
  assert.ok(sent.every((m) => m[0] === SNAPSHOT && m[1] === 1 && m[2].length <= 128 * KiB));
});

test('one turn sends at most 512 KiB, and no more than half a window is under way', () => {
  const { sender, turns, run, credit, bytesOf } = start();
  let isSent = false;
  sender.send(bytes(5 * MiB), () => {
    isSent = true;
  });
  turns.shift()?.();
  assert.equal(bytesOf(1), 512 * KiB);
  run();
  assert.equal(bytesOf(1), WINDOW / 2);
  for (let sent = WINDOW / 2; sent < 5 * MiB; sent += WINDOW / 2) {
    assert.equal(isSent, false);
    credit();
    assert.equal(bytesOf(1), sent + WINDOW / 2);
  }
  assert.ok(isSent);
});

test('snapshots are sent in the order in which they were asked for', () => {
  const { sender, settle } = start();
  const order: string[] = [];
  sender.send(bytes(2 * MiB), () => order.push('first'));
  sender.send(bytes(100), () => order.push('second'));
  settle();
  assert.deepEqual(order, ['first', 'second']);
});

test('the other end keeps 64 MiB of snapshots, and forgets the least recently used', () => {
  const { sender, settle, forgotten } = start();
  const all = [bytes(30 * MiB), bytes(30 * MiB), bytes(30 * MiB)];
  const [first, second, third] = all as [Uint8Array, Uint8Array, Uint8Array];
  for (const snapshot of [first, second]) sender.send(snapshot, () => undefined);
  settle();
  assert.equal(sender.numberOf(first), 1);
  sender.send(third, () => undefined);
  settle();
  assert.deepEqual(forgotten(), [2]);
  assert.deepEqual(
    all.map((snapshot) => sender.numberOf(snapshot)),
    [1, undefined, 3],
  );
});

test('a snapshot that was not used for 5 s is forgotten', () => {
  const { sender, settle, state, forgotten } = start();
  const snapshot = bytes(100);
  sender.send(snapshot, () => undefined);
  settle();
  state.now = 4000;
  assert.equal(sender.numberOf(snapshot), 1);
  state.now = 8999;
  sender.sweep();
  assert.deepEqual(forgotten(), []);
  state.now = 9001;
  sender.sweep();
  assert.deepEqual(forgotten(), [1]);
  assert.equal(sender.numberOf(snapshot), undefined);
});

test('after the queue of the link was dropped, a snapshot is sent anew from its beginning, under another number', () => {
  const { sender, run, settle, bytesOf, forgotten } = start();
  const kept = bytes(100);
  sender.send(kept, () => undefined);
  run();
  let isSent = false;
  const snapshot = bytes(3 * MiB);
  sender.send(snapshot, () => {
    isSent = true;
  });
  run();
  assert.ok(bytesOf(2) > 0 && bytesOf(2) < snapshot.length);
  sender.restart();
  settle();
  assert.deepEqual(forgotten(), [1, 2]);
  assert.ok(isSent);
  assert.equal(bytesOf(3), snapshot.length);
  assert.deepEqual([sender.numberOf(kept), sender.numberOf(snapshot)], [undefined, 3]);
});

test('a snapshot that has waited for room in the queue is sent when the queue was dropped', () => {
  const { sender, run, state, bytesOf } = start();
  state.backlog = WINDOW;
  sender.send(bytes(100), () => undefined);
  run();
  assert.equal(bytesOf(1), 0);
  state.backlog = 0;
  sender.restart();
  run();
  assert.equal(bytesOf(1), 100);
});

test('when the link is gone, all who wait are called, and nothing more is sent', () => {
  const { sender, sent, run } = start();
  let calls = 0;
  sender.send(bytes(100), () => calls++);
  sender.send(bytes(100), () => calls++);
  sender.dispose();
  assert.equal(calls, 2);
  run();
  assert.deepEqual(sent, []);
  assert.equal(
    sender.send(bytes(1), () => undefined),
    false,
  );
});

test('at most 10,000 subscribers wait', () => {
  const { sender, settle } = start();
  const snapshot = bytes(100);
  let calls = 0;
  for (let i = 0; i < 10_000; i++) assert.ok(sender.send(snapshot, () => calls++));
  assert.equal(
    sender.send(snapshot, () => calls++),
    false,
  );
  settle();
  assert.equal(calls, 10_000);
  assert.ok(sender.send(snapshot, () => undefined));
});
