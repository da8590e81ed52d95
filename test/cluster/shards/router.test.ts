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

test('the shards that lead nowhere are counted, however often an owner is set', () => {
  const router = new Router();
  const nowhere = (): number[] => [router.shardsNowhere, Number(router.leadsNowhere)];
  assert.deepEqual(nowhere(), [SHARDS, 1]);
  router.setOwner([0, 1, 1], link());
  router.setOwner([1], link());
  assert.deepEqual(nowhere(), [SHARDS - 2, 0]);
  router.setOwner([1, 2], undefined);
  assert.deepEqual(nowhere(), [SHARDS - 1, 0]);
  router.setOwner([0], undefined);
  assert.deepEqual(nowhere(), [SHARDS, 1]);
});

test('a shard that there is not is a mistake', () => {
  const router = new Router();
  for (const shard of [-1, SHARDS, 1.5, Number.NaN]) assert.throws(() => router.setOwner([shard], link()));
});
