// Maps a document name to its shard. Every process of a cluster must agree for ever:
// test/actors/shard.test.ts has golden vectors.

/** Number of shards of a cluster, for its whole life. */
export const SHARDS = 4096;

/**
 * The shard of `org/doc`: 32-bit FNV-1a over its UTF-16 units (names are ASCII), finished by murmur3's
 * mixer.
 */
export function shardOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % SHARDS;
}
