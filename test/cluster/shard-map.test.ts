// Whose shards a node takes which for: epochs order the news, and who is fenced owns nothing, however late its news come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS } from '../../actors/shard.ts';
import type { SessionId, ShardRow } from '../../actors/storage/store.ts';
import { ShardMap } from '../../cluster/shards/shard-map.ts';

const DEAD = 7;
const HEIR = 8;
const SHARD = 5;

/** The whole map, as the database has it. */
const rows = (owner: SessionId, epoch: number, ownerState: ShardRow['ownerState'] = 'live'): ShardRow[] =>
  Array.from({ length: SHARDS }, (_, shard) => ({ shard, owner, epoch, ownerState }));

/** The map does not have to be told of its fence again. */
function isRemembered(map: ShardMap, session: SessionId): boolean {
  const { revision } = map;
  map.fence([session]);
  return map.revision === revision;
}

test('news of a fenced session do not make it an owner again, while it is remembered and afterwards', () => {
  const map = new ShardMap();
  map.applyRows(rows(DEAD, 1));
  map.fence([DEAD]);
  map.apply([[SHARD, DEAD, 2]]);
  assert.equal(map.ownerOf(SHARD), undefined);
  for (let times = 0; times < 3; times++) map.applyRows(rows(HEIR, 3));
  map.apply([[SHARD, DEAD, 2]]);
  assert.equal(map.ownerOf(SHARD), HEIR);
  assert.equal(isRemembered(map, DEAD), false);
});

test('a fenced session is remembered while the database has it as an owner', () => {
  const map = new ShardMap();
  for (let times = 0; times < 3; times++) map.applyRows(rows(DEAD, 1, 'fenced'));
  assert.equal(isRemembered(map, DEAD), true);
});

test('a fenced session is remembered by the map that may have been read before its fence', () => {
  const map = new ShardMap();
  map.applyRows(rows(HEIR, 1));
  // While the map is read again it claims a shard, and is fenced; of its claim nobody has told yet.
  map.fence([DEAD]);
  map.applyRows(rows(HEIR, 1));
  map.apply([[SHARD, DEAD, 2]]);
  assert.equal(map.ownerOf(SHARD), undefined);
  map.applyRows(rows(HEIR, 1));
  assert.equal(isRemembered(map, DEAD), true, 'it owns a shard as far as was heard');
  map.applyRows(rows(HEIR, 3));
  map.applyRows(rows(HEIR, 3));
  assert.equal(isRemembered(map, DEAD), false);
});
