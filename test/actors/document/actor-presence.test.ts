// PRES: the presence that a reader hears while it is being caught up, and what the wait costs the document.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GONE_KEPT } from '../../../actors/document/subscribers/presence.ts';
import { LOST, OPENED, type ToGateway } from '../../../actors/link/link-messages.ts';
import { ActorHarness, HISTORY, lastOpened, presenceIn } from './actor-harness.ts';

const SINCE_0 = { since: 0, history: HISTORY };

/** A document with a long history, written by subscription 1; subscription 2 has it open, with presence. */
function longDocument(): ActorHarness {
  const harness = new ActorHarness();
  harness.open(1);
  harness.open(2);
  harness.write(1, 200);
  harness.presence(2, 'at 1');
  harness.tick();
  harness.taken();
  return harness;
}

/** Pulls until the subscription has joined. Returns the frames that its client was sent meanwhile. */
function pullAll(harness: ActorHarness, subscriptionId: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let chunks = 0; chunks < 100; chunks++) {
    harness.pull(subscriptionId);
    const opened = lastOpened(harness.taken(), subscriptionId);
    frames.push(...opened[3]);
    if (opened[7]) return frames;
  }
  throw new Error('it never joins');
}

const isComplete = (message: ToGateway): boolean => message[0] === OPENED && message[7];

test('PRES-3 while one reader never pulls, a join tells the others nothing that they know', () => {
  const harness = longDocument();
  harness.open(3, SINCE_0);
  assert.ok(!isComplete(lastOpened(harness.taken(), 3)), 'it is caught up in chunks');
  for (let subscriptionId = 10; subscriptionId < 60; subscriptionId++) {
    harness.open(subscriptionId);
    harness.presence(subscriptionId, 'here');
    harness.tick();
    harness.close(subscriptionId);
    harness.tick();
  }
  harness.open(4);
  assert.deepEqual(harness.tick(), {});
});

test('PRES-3 PRES-4 a client that was caught up in chunks hears at the end the states that it missed, and only these', () => {
  const harness = longDocument();
  harness.open(5);
  harness.presence(5, 'still');
  harness.open(3, SINCE_0);
  const known = presenceIn(lastOpened(harness.taken(), 3)[3]);
  assert.deepEqual(known, { 'client-2': 'at 1', 'client-5': 'still' });
  harness.presence(1, 'new');
  harness.presence(3, 'its own');
  harness.close(2);
  harness.tick();
  const frames = pullAll(harness, 3);
  assert.deepEqual(presenceIn(frames), { 'client-1': 'new', 'client-2': null });
  assert.deepEqual(harness.tick(), {}, 'nobody else is told again');
});

test('PRES-3 a client that opens again and is caught up in chunks misses no presence', () => {
  const harness = longDocument();
  harness.open(30, { ...SINCE_0, client: 'client-2', replaces: 2 });
  assert.ok(!isComplete(lastOpened(harness.taken(), 30)));
  harness.presence(1, 'new');
  harness.tick();
  assert.deepEqual(presenceIn(pullAll(harness, 30)), { 'client-1': 'new' });
});

test('PRES-3 a client that opens again while it is caught up is told by that open', () => {
  const harness = longDocument();
  harness.open(30, { ...SINCE_0, client: 'client-2', replaces: 2 });
  harness.presence(1, 'new');
  harness.tick();
  harness.taken();
  harness.open(31, { client: 'client-2', replaces: 30 });
  const opened = lastOpened(harness.taken(), 31);
  assert.equal(opened[3].length, 1);
  assert.deepEqual(presenceIn(opened[3]), { 'client-1': 'new' });
});

test('PRES-3 a client that resumes hears all states, in chunks or at once, and which clients have gone since', () => {
  for (const since of [0, 200]) {
    const harness = longDocument();
    harness.open(3, { since, history: HISTORY, resume: true });
    const first = lastOpened(harness.taken(), 3);
    if (since === 0) harness.presence(1, 'new');
    harness.tick();
    const frames = isComplete(first) ? first[3] : pullAll(harness, 3);
    const states = { 'client-2': 'at 1', ...(since === 0 ? { 'client-1': 'new' } : {}) };
    assert.deepEqual(presenceIn(frames), states, `since ${since}`);
  }
});

test('PRES-2 PRES-3 an `opened` that waits for the store shows the presence of when it leaves', () => {
  for (const request of [{}, { since: 198, history: HISTORY }]) {
    const harness = longDocument();
    harness.submit(1, 201, 'not durable');
    harness.open(3, request);
    harness.presence(1, 'new');
    harness.close(2);
    harness.tick();
    assert.deepEqual(harness.taken(), [], 'nothing is opened yet');
    harness.commit();
    assert.deepEqual(presenceIn(lastOpened(harness.taken(), 3)[3]), { 'client-1': 'new' });
  }
});

test('PRES-4 a client that was shown more clients that have gone since than are remembered opens afresh', () => {
  for (const [gone, ends] of [
    [GONE_KEPT, false],
    [GONE_KEPT + 1, true],
  ] as const) {
    const harness = longDocument();
    harness.open(3, SINCE_0);
    harness.taken();
    for (let subscriptionId = 10; subscriptionId < 10 + gone; subscriptionId++) {
      harness.open(subscriptionId);
      harness.presence(subscriptionId, 'x');
      harness.close(subscriptionId);
    }
    harness.taken();
    for (let chunks = 0; chunks < 100; chunks++) {
      harness.pull(3);
      const told = harness.taken();
      const last = told.at(-1);
      if (last?.[0] === LOST) {
        assert.ok(ends);
        break;
      }
      if (told.some(isComplete)) {
        assert.ok(!ends);
        break;
      }
    }
    // The actor remembers nothing while no reader is behind.
    harness.open(4, SINCE_0);
    harness.taken();
    assert.ok(pullAll(harness, 4).length > 0);
  }
});
