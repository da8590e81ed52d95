// Which node should own which shard: consistent hashing with bounded loads. It is a pure function of the set
// of members, so all processes agree without talking (golden vectors: test/cluster/placement/ring.test.ts). It never
// considers the current owners; rebalance.ts decides which shards move when the members change.
//
// The ring of `consistent-hash` is built anew for each membership, from the sorted names, with control points
// of our own: the default points are random, `uniform` depends on the order of adding, and `remove` followed
// by `add` throws.
import { createHash } from 'node:crypto';
import ConsistentHash from 'consistent-hash';
import { SHARDS } from '../../actors/shard.ts';
import { MAX_WEIGHT, MIN_WEIGHT } from '../../config/keys/weight.ts';

export interface RingNode {
  readonly name: string;
  /**
   * Share of the shards relative to the other members: weight 2 gets twice as many as weight 1. MIN_WEIGHT to
   * MAX_WEIGHT.
   */
  readonly weight: number;
}

/** shard -> name of the node. Undefined if there is no node. */
export type Placement = readonly (string | undefined)[];

export interface RingOptions {
  /** Control points of a node of weight 1. All processes of a cluster need the same number. */
  readonly pointsPerWeight?: number;
}

/** No node gets more shards than its share times this limit. */
export const LOAD_LIMIT = 1.1;
/** More points make more even loads, so fewer shards miss their preferred node. */
const POINTS_PER_WEIGHT = 512;
const RANGE = 2 ** 29 - 1;
/** Preferred nodes that are read from the ring at first. A shard whose first 8 nodes are all full is rare. */
const USUAL_PREFERENCES = 8;

export function placeOnRing(members: readonly RingNode[], options?: RingOptions): Placement {
  return new Ring(members, options).place();
}

export class Ring {
  /** Sorted by name. */
  readonly members: readonly RingNode[];
  readonly #ring = new ConsistentHash({ range: RANGE });
  readonly #means = new Map<string, number>();
  readonly #limits: ReadonlyMap<string, number>;
  #placement: Placement | undefined;
  /** shard -> its preferred node. Undefined before the first question about the shard. */
  readonly #firsts = new Array<string | undefined>(SHARDS).fill(undefined);

  /** Throws for a duplicate name, or a weight out of range. */
  constructor(members: readonly RingNode[], options: RingOptions = {}) {
    this.members = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
    let total = 0;
    for (const { name, weight } of this.members) {
      if (!(weight >= MIN_WEIGHT && weight <= MAX_WEIGHT)) throw new Error(`weight of ${name}: ${weight}`);
      total += weight;
    }
    for (const { name, weight } of this.members) {
      if (this.#means.has(name)) throw new Error(`two members are called ${name}`);
      this.#means.set(name, (SHARDS * weight) / total);
      const points = controlPoints(
        name,
        Math.max(1, Math.round((options.pointsPerWeight ?? POINTS_PER_WEIGHT) * weight)),
      );
      this.#ring.add(name, points.length, points);
    }
    this.#limits = limitsFor(this.#means);
  }

  /** The node's exact share of the shards, not rounded. */
  meanOf(name: string): number {
    return this.#means.get(name) ?? 0;
  }

  /** The most shards the node may own. All limits together are at least SHARDS. */
  limitOf(name: string): number {
    return this.#limits.get(name) ?? 0;
  }

  /** The shard's preferred nodes, best first: `count` of them, or all if there are fewer. */
  preferenceList(shard: number, count: number): readonly string[] {
    return this.#ring.get(shardKey(shard), Math.min(count, this.members.length)) ?? [];
  }

  /** The shard's most preferred node that `accepts` returns true for. */
  firstOf(shard: number, accepts: (name: string) => boolean): string | undefined {
    // The first node mostly accepts. Reading further ones costs a walk along the ring.
    this.#firsts[shard] ??= this.preferenceList(shard, 1)[0];
    const first = this.#firsts[shard];
    if (first !== undefined && accepts(first)) return first;
    return (
      this.preferenceList(shard, USUAL_PREFERENCES).find(accepts) ??
      this.preferenceList(shard, this.members.length).find(accepts)
    );
  }

  /** Gives each shard, in order, its most preferred node that is below its limit. */
  place(): Placement {
    this.#placement ??= this.#placeAll();
    return this.#placement;
  }

  #placeAll(): Placement {
    const loads = new Map<string, number>();
    return Array.from({ length: SHARDS }, (_, shard) => {
      const node = this.firstOf(shard, (name) => (loads.get(name) ?? 0) < this.limitOf(name));
      if (node !== undefined) loads.set(node, (loads.get(node) ?? 0) + 1);
      return node;
    });
  }
}

/**
 * Limits are rounded down, so that they hold exactly. With about a hundred nodes the rounding loses more than
 * the spare tenth; then limits are rounded up.
 */
function limitsFor(means: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const rounded = (round: (limit: number) => number) =>
    new Map([...means].map(([name, mean]) => [name, round(LOAD_LIMIT * mean)]));
  const down = rounded(Math.floor);
  return [...down.values()].reduce((sum, limit) => sum + limit, 0) >= SHARDS ? down : rounded(Math.ceil);
}

/**
 * Returns one point in each of `count` equal parts of the ring. The places within the parts are a permutation
 * made by a cryptographic hash of `name:i`. As the keys are evenly spaced too, loads vary less than with
 * independent points.
 */
function controlPoints(name: string, count: number): number[] {
  const hashes = hashWords(name, count + 1);
  const phase = (hashes[count] ?? 0) / 2 ** 32;
  // Sorted as numbers: the hash in the high digits, the part in the low digits.
  const order = Float64Array.from({ length: count }, (_, part) => (hashes[part] ?? 0) * count + part).sort();
  const points = new Array<number>(count);
  order.forEach((packed, rank) => {
    const part = packed % count;
    points[part] = Math.floor(((part + (rank + phase) / count) / count) * RANGE);
  });
  return points;
}

/** Returns `count` words of 32 bits, 16 from each SHA-512 of `name:i`. */
function hashWords(name: string, count: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i += 16) {
    const digest = createHash('sha512')
      .update(`${name}:${i / 16}`)
      .digest();
    for (let j = 0; j < 16 && i + j < count; j++) words[i + j] = digest.readUInt32BE(4 * j);
  }
  return words;
}

/**
 * The library's string hash shifts by 4 bits a character and keeps 24 bits. Names, even hashed ones, do not
 * spread evenly over it. Six characters below 16 are their own hash, so these keys lie evenly on the ring.
 */
function shardKey(shard: number): string {
  if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS) throw new Error(`no shard: ${shard}`);
  const hash = (shard + 0.5) * (2 ** 24 / SHARDS);
  return String.fromCharCode(...[20, 16, 12, 8, 4, 0].map((shift) => (hash >>> shift) & 15));
}
