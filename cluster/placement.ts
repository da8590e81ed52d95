// Which worker slot of a node serves which shard. With one node all shards are its own.
import { SHARDS } from '../actors/shard.ts';

/** shard -> slot, evenly. */
export function placeShards(slots: number): Int32Array {
  const placement = new Int32Array(SHARDS);
  for (let shard = 0; shard < SHARDS; shard++) placement[shard] = shard % slots;
  return placement;
}

export function shardsOf(placement: Int32Array, slot: number): readonly number[] {
  const shards: number[] = [];
  for (let shard = 0; shard < placement.length; shard++) if (placement[shard] === slot) shards.push(shard);
  return shards;
}
