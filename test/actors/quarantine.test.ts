// The documents that are out of service, and for how long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quarantine } from '../../actors/quarantine.ts';

const MINUTE = 60_000;
const LIMITS = { firstMs: MINUTE, mostMs: 4 * MINUTE };
const DOC = 'acme/plan';

/**
 * Fails at `now` until the document is put out of service. Returns the failures and for how long it is out.
 */
function putOut(quarantine: Quarantine, now: number): { failures: number; forMs: number } {
  for (let failures = 1; ; failures++) {
    const { putOut: out } = quarantine.failed(DOC, now);
    if (out !== undefined) return { failures, forMs: out.forMs };
  }
}

test('a document is put out at its third failure, and comes back by itself', () => {
  const quarantine = new Quarantine(LIMITS);
  assert.deepEqual(putOut(quarantine, 0), { failures: 3, forMs: MINUTE });
  assert.equal(quarantine.leftMs(DOC, 1), MINUTE - 1);
  assert.equal(quarantine.leftMs('acme/other', 1), 0);
  assert.equal(quarantine.leftMs(DOC, MINUTE), 0);
});

test('one failure after that puts it out for twice as long, up to the most', () => {
  const quarantine = new Quarantine(LIMITS);
  let now = 0;
  const told: { failures: number; forMs: number }[] = [];
  for (let round = 0; round < 4; round++) {
    const out = putOut(quarantine, now);
    told.push(out);
    now += out.forMs;
  }
  assert.deepEqual(told, [
    { failures: 3, forMs: MINUTE },
    { failures: 1, forMs: 2 * MINUTE },
    { failures: 1, forMs: 4 * MINUTE },
    { failures: 1, forMs: 4 * MINUTE },
  ]);
});

test('failures while it is out of service do not make it longer', () => {
  const quarantine = new Quarantine(LIMITS);
  putOut(quarantine, 0);
  assert.equal(quarantine.failed(DOC, 1000).putOut, undefined);
  assert.equal(quarantine.leftMs(DOC, 1000), MINUTE - 1000);
});

test('failures that are far apart do not count together, and a document that has behaved begins afresh', () => {
  const quarantine = new Quarantine(LIMITS);
  for (let at = 0; at < 10; at++)
    assert.equal(quarantine.failed(DOC, at * 11 * MINUTE).putOut, undefined, `failure ${at}`);
  const now = 1000 * MINUTE;
  putOut(quarantine, now);
  assert.deepEqual(putOut(quarantine, now + 12 * MINUTE), { failures: 3, forMs: MINUTE });
});

test('a release forgets its failures', () => {
  const quarantine = new Quarantine(LIMITS);
  putOut(quarantine, 0);
  assert.equal(quarantine.release(DOC, 1), true);
  assert.equal(quarantine.leftMs(DOC, 1), 0);
  assert.equal(quarantine.release(DOC, 1), false);
  assert.deepEqual(putOut(quarantine, 2), { failures: 3, forMs: MINUTE });
});

test('a document that another node has put out is out for the rest of its time, and one failure after that is enough here too', () => {
  const theirs = new Quarantine(LIMITS);
  putOut(theirs, 0);
  const ours = new Quarantine(LIMITS);
  for (const quarantined of theirs.list(10_000)) ours.adopt(quarantined, 5_000_000);
  assert.equal(ours.leftMs(DOC, 5_000_000), MINUTE - 10_000);
  assert.deepEqual(theirs.list(MINUTE), [], 'one that is back is not told of');
  assert.deepEqual(putOut(ours, 5_000_000 + MINUTE), { failures: 1, forMs: 2 * MINUTE });
});

test('the report on documents out of service is bounded, the latest first', () => {
  const quarantine = new Quarantine(LIMITS);
  for (let n = 0; n < 5; n++) for (let failure = 0; failure < 3; failure++) quarantine.failed(`acme/${n}`, n);
  assert.deepEqual(
    quarantine.list(10, 2).map(({ doc }) => doc),
    ['acme/4', 'acme/3'],
  );
});
