// The shards of a session: late or repeated news never bring back a shard that another session has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnedShards } from '../../actors/owned-shards.ts';
import { shardOf } from '../../actors/shard.ts';

const DOC = 'acme/plan';
const SHARD = shardOf(DOC);
const at = (epoch: number): ReadonlyMap<number, number> => new Map([[SHARD, epoch]]);

test('a shard that went away does not come back by an older answer', () => {
  const shards = new OwnedShards();
  shards.own(at(6));
  shards.beginLeaving([SHARD]);
  shards.endLeaving([SHARD], at(7));
  shards.own(at(6));
  assert.equal(shards.serves(DOC), false);
  shards.own(at(8));
  assert.equal(shards.epochOf(DOC), 8);
});

test('a shard that came back before its hand-over was answered stays', () => {
  const shards = new OwnedShards();
  shards.own(at(6));
  shards.beginLeaving([SHARD]);
  shards.own(at(8));
  shards.endLeaving([SHARD], at(7));
  assert.equal(shards.serves(DOC), true);
  assert.equal(shards.epochOf(DOC), 8);
});

test('a shard that nobody took is served again', () => {
  const shards = new OwnedShards();
  shards.own(at(6));
  shards.beginLeaving([SHARD]);
  shards.endLeaving([SHARD], new Map());
  assert.equal(shards.serves(DOC), true);
});
