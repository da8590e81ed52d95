// Snapshots as an actor asks for them. The actor writes a small document itself, and the snapshot leaves when
// its version is durable. A large document is folded from the log, and so is one of which memory does not
// know enough.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEPT_CLIENTS } from '../../../actors/document/document.ts';
import { ActorHarness } from './actor-harness.ts';

const LIMITS = { snapshotMinBytes: 60, snapshotRatio: 0 };

test('a small document is written down at its head, and leaves when that is durable', () => {
  const harness = new ActorHarness(LIMITS);
  harness.open(1);
  harness.open(2);
  harness.submit(1, 1, 'a'.repeat(40));
  harness.submit(2, 1, 'b'.repeat(40));
  harness.submit(2, 2, 'c');
  harness.actor.durableTo(1);
  assert.equal(harness.folds.length, 0, 'made, with patches that are not durable');
  harness.actor.durableTo(2);
  assert.equal(harness.folds.length, 0);
  harness.submit(1, 2, 'later');
  harness.actor.durableTo(3);
  const [asked] = harness.folds;
  assert.equal(asked?.version, 3);
  const content = [{ insert: `c${'b'.repeat(40)}${'a'.repeat(40)}\n` }];
  assert.deepEqual(JSON.parse(Buffer.from(asked?.made?.state ?? []).toString()), content);
  assert.equal(asked?.made?.previous, 0);
  assert.deepEqual(asked?.made?.clients, [
    { client: 'client-1', user: 'u', lastSeq: 1, pairs: [[1, 1]] },
    {
      client: 'client-2',
      user: 'u',
      lastSeq: 2,
      pairs: [
        [2, 3],
        [1, 2],
      ],
    },
  ]);
  asked?.done({ bytes: 100 });
  harness.commit();
  assert.equal(harness.folds.length, 1, 'the next one has its own log to wait for');
  harness.submit(1, 3, 'd'.repeat(60));
  harness.commit();
  assert.equal(harness.folds[1]?.made?.previous, 3);
  assert.deepEqual(harness.folds[1]?.made?.clients, [
    {
      client: 'client-1',
      user: 'u',
      lastSeq: 3,
      pairs: [
        [3, 5],
        [2, 4],
      ],
    },
  ]);
});

test('a large document is folded from its log, up to what is durable', () => {
  const harness = new ActorHarness(LIMITS);
  harness.open(1);
  harness.submit(1, 1, 'a'.repeat(100_000));
  harness.submit(1, 2, 'b');
  harness.actor.durableTo(1);
  assert.deepEqual(
    harness.folds.map(({ version, made }) => [version, made]),
    [[1, undefined]],
  );
});

test('so is one that has forgotten who committed since the last snapshot', () => {
  const harness = new ActorHarness({ ...LIMITS, snapshotMinBytes: 1e6 });
  for (let subscriptionId = 1; subscriptionId <= 3 * KEPT_CLIENTS; subscriptionId++) {
    harness.open(subscriptionId);
    harness.submit(subscriptionId, 1, 'x');
    harness.commit();
    harness.close(subscriptionId);
  }
  assert.ok(harness.document.rememberedClients < 3 * KEPT_CLIENTS);
  harness.actor.foldWhenIdle();
  assert.deepEqual(
    harness.folds.map(({ version, made }) => [version, made]),
    [[3 * KEPT_CLIENTS, undefined]],
  );
});

test('after one that failed the next is folded from the log, which finds what the store has', () => {
  const harness = new ActorHarness(LIMITS);
  harness.open(1);
  for (let seq = 1; seq <= 4; seq++) {
    harness.submit(1, seq, 'a'.repeat(60));
    harness.commit();
    // The second one's answer is lost.
    harness.folds.at(-1)?.done(seq === 2 ? undefined : { bytes: 100 });
  }
  assert.deepEqual(
    harness.folds.map(({ version, made }) => [version, made?.previous]),
    [
      [1, 0],
      [2, 1],
      [3, undefined],
      [4, 3],
    ],
  );
});

test('an idle document is written down for a share of its size, and at least 4 KiB', () => {
  const harness = new ActorHarness({ snapshotMinBytes: 65_536, snapshotRatio: 0.5 });
  harness.open(1);
  harness.submit(1, 1, 'a'.repeat(25_000));
  harness.commit();
  harness.actor.foldWhenIdle();
  harness.folds.at(-1)?.done({ bytes: 25_000 });
  assert.equal(harness.folds.length, 1);
  harness.submit(1, 2, 'b'.repeat(10_000));
  harness.commit();
  assert.equal(harness.actor.foldWhenIdle(), false, 'less than half of the document');
  harness.submit(1, 3, 'c'.repeat(18_000));
  harness.commit();
  assert.equal(harness.actor.foldWhenIdle(), true);
  assert.equal(harness.folds[1]?.version, 3);
  assert.equal(harness.folds[1]?.made?.previous, 1);
  assert.ok((harness.folds[1]?.made?.logged ?? 0) >= 28_000);
});
