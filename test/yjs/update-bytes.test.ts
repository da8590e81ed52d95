// The largest update of a Yjs client fits wherever it passes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../config/load.ts';
import { largestUpdate } from '../../src/yjs/update-bytes.ts';

const KiB = 1024;
const { yjs, limits, actors, gateway } = loadConfig();
const DEFAULTS = { yjs, limits, actors, gateway };

test('by default it is yjs.updateBytes', () => {
  assert.equal(largestUpdate(DEFAULTS), yjs.updateBytes);
});

test('it is less where a mailbox, a frame or the outbox of a reader has less room, but never below limits.opBytes', () => {
  const large = { ...limits, opBytes: KiB };
  const of = (changed: object) => largestUpdate({ ...DEFAULTS, limits: large, ...changed });
  assert.equal(of({ actors: { mailboxBytes: 64 * KiB } }), 64 * KiB);
  for (const changed of [
    { gateway: { outboxBytes: 65 * KiB } },
    { limits: { ...large, receiveBytes: 65 * KiB } },
  ])
    assert.equal(of(changed), 48 * KiB);
  assert.equal(of({ limits: { ...limits, receiveBytes: 65 * KiB } }), limits.opBytes);
});
