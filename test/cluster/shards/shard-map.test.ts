// The owners of shards as a node knows them: epochs order the news, and a fenced session owns nothing,
// however late its news come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS } from '../../../actors/shard.ts';
import type { SessionId, ShardRow } from '../../../actors/storage/store.ts';
import { ShardMap } from '../../../cluster/shards/shard-map.ts';

const DEAD = 7;
const HEIR = 8;
const SHARD = 5;

/** The rows of the whole map, as the database has them. */
const rows = (owner: SessionId, epoch: number, ownerState: ShardRow['ownerState'] = 'live'): ShardRow[] =>
  Array.from({ length: SHARDS }, (_, shard) => ({ shard, owner, epoch, ownerState }));

/** True if the map still remembers that the session is fenced. */
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
  // The dead session claims a shard while the map is read again, and is fenced. No news of its claim has
  // come.
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
