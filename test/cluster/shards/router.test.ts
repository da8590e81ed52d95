// The router: the links to which it leads, by shard and by slot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS, shardOf } from '../../../actors/shard.ts';
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';
import { Router } from '../../../cluster/shards/router.ts';

const DOC = 'acme/plan';
const SHARD = shardOf(DOC);
const link = (): OwnerLink => ({ offer: () => true, send: () => undefined });

test('a document belongs to the present owner of its shard', () => {
  const router = new Router();
  assert.equal(router.linkOf(DOC), undefined);
  const [a, b] = [link(), link()];
  router.setOwner([SHARD, 0], a);
  assert.equal(router.linkOf(DOC), a);
  assert.equal(router.linkOfShard(SHARD), a);
  router.setOwner(new Set([SHARD]), b);
  assert.deepEqual([router.linkOfShard(SHARD) === b, router.linkOfShard(0) === a], [true, true]);
  router.setOwner([SHARD], undefined);
  assert.equal(router.linkOf(DOC), undefined);
});

test('a shard that there is not is a mistake', () => {
  const router = new Router();
  for (const shard of [-1, SHARDS, 1.5, Number.NaN]) assert.throws(() => router.setOwner([shard], link()));
});
