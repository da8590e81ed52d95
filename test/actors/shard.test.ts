// Documents keep their shard for ever: golden vectors, and an even spread.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS, shardOf } from '../../actors/shard.ts';

const GOLDEN: readonly (readonly [string, number])[] = [
  ['acme/plan', 3035],
  ['acme/a', 2826],
  ['rig/d0', 1950],
  ['a/b', 3906],
  ['org-1/doc.with~all:chars@x', 3865],
];

test('a document has the same shard in every process, for ever', () => {
  for (const [name, shard] of GOLDEN) assert.equal(shardOf(name), shard, name);
});

test('documents spread evenly over the shards, also those with names in a row', () => {
  const counts = new Array<number>(SHARDS).fill(0);
  for (let i = 0; i < SHARDS * 100; i++) {
    const shard = shardOf(`acme/doc-${i}`);
    counts[shard] = (counts[shard] ?? 0) + 1;
  }
  assert.ok(Math.min(...counts) > 50 && Math.max(...counts) < 160);
});
