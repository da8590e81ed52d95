// Tests of the large snapshots that owners send ahead: what they hold in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import { OwnerSnapshots } from '../../../src/gateway/subscriptions/owner-snapshots.ts';

const LINK: OwnerLink = {
  offer: () => true,
  send: () => undefined,
};

function kept(batchBytes: number, pieceBytes: number) {
  const batch = new Uint8Array(batchBytes).map((_, at) => at % 251);
  const piece = batch.subarray(20, 20 + pieceBytes);
  const snapshots = new OwnerSnapshots();
  snapshots.add(LINK, 1, piece);
  const [held] = snapshots.get(LINK, 1)?.pieces ?? [];
  assert.ok(held !== undefined && Buffer.compare(held, piece) === 0);
  assert.equal(snapshots.get(LINK, 1)?.bytes, pieceBytes);
  return { batch, held };
}

test('a piece that has its batch with few others is not copied', () => {
  const { batch, held } = kept(512 * 1024 + 100, 128 * 1024);
  assert.equal(held.buffer, batch.buffer);
});

test('a small piece of a large batch does not keep the batch in memory', () => {
  const { batch, held } = kept(512 * 1024 + 100, 64 * 1024);
  assert.notEqual(held.buffer, batch.buffer);
  assert.ok(held.buffer.byteLength <= 128 * 1024);
});
