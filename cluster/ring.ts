// Which node should own which shard: consistent hashing with bounded loads. A pure function of the set of
// members, so all processes agree without talking (golden vectors: test/cluster/ring.test.ts). It never
// looks at who owns a shard now: which shards move when the members change is rebalance.ts.
//
// The ring of `consistent-hash` is made afresh for each membership, from the sorted names, with points of
// our own: its default ones are random, `uniform` depends on the order of adding, `remove` then `add` throws.
import { createHash } from 'node:crypto';
import ConsistentHash from 'consistent-hash';
import { SHARDS } from '../actors/shard.ts';
import { MAX_WEIGHT, MIN_WEIGHT } from '../config/weight.ts';

export interface Member {
  readonly name: string;
  /** Its share relative to the others: 2 gets twice what 1 gets. MIN_WEIGHT to MAX_WEIGHT. */
  readonly weight: number;
}

/** shard -> name of the node; undefined: there is no node. */
export type Placement = readonly (string | undefined)[];

export interface RingOptions {
  /** Control points of a node of weight 1. All processes of a cluster need the same. */
  readonly pointsPerWeight?: number;
}

/** No node gets more shards than this times its share. */
export const LOAD_LIMIT = 1.1;
/** Many points make even loads, and so few shards that cannot have the node they like best; half as many move a fifth more. */
const POINTS_PER_WEIGHT = 512;
const RANGE = 2 ** 29 - 1;
/** Nodes to ask the ring for at first: a shard whose first 8 are all full is rare. */
const USUAL_PREFERENCES = 8;

export function placeOnRing(members: readonly Member[], options?: RingOptions): Placement {
  return new Ring(members, options).place();
}

export class Ring {
  /** Sorted by name. */
  readonly members: readonly Member[];
  private readonly ring = new ConsistentHash({ range: RANGE });
  private readonly means = new Map<string, number>();
  private readonly limits: ReadonlyMap<string, number>;
  private placement: Placement | undefined;
  /** shard -> the node that it likes best, as far as anybody has asked. */
  private readonly firsts = new Array<string | undefined>(SHARDS).fill(undefined);

  /** Throws for a name that is there twice, or a weight out of range. */
  constructor(members: readonly Member[], options: RingOptions = {}) {
    this.members = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
    let total = 0;
    for (const { name, weight } of this.members) {
      if (!(weight >= MIN_WEIGHT && weight <= MAX_WEIGHT)) throw new Error(`weight of ${name}: ${weight}`);
      total += weight;
    }
    for (const { name, weight } of this.members) {
      if (this.means.has(name)) throw new Error(`two members are called ${name}`);
      this.means.set(name, (SHARDS * weight) / total);
      const points = controlPoints(
        name,
        Math.max(1, Math.round((options.pointsPerWeight ?? POINTS_PER_WEIGHT) * weight)),
      );
      this.ring.add(name, points.length, points);
    }
    this.limits = limitsFor(this.means);
  }

  /** What the node would own if shards could be divided. */
  meanOf(name: string): number {
    return this.means.get(name) ?? 0;
  }

  /** The most it may own. All limits together are never less than SHARDS. */
  limitOf(name: string): number {
    return this.limits.get(name) ?? 0;
  }

  /** The nodes that the shard likes, best first: `count` of them, or all where there are fewer. */
  preferenceList(shard: number, count: number): readonly string[] {
    return this.ring.get(shardKey(shard), Math.min(count, this.members.length)) ?? [];
  }

  /** Of those that `accepts`, the node that the shard likes best. */
  firstOf(shard: number, accepts: (name: string) => boolean): string | undefined {
    // Mostly the first will do, and finding more costs a walk along the ring.
    this.firsts[shard] ??= this.preferenceList(shard, 1)[0];
    const first = this.firsts[shard];
    if (first !== undefined && accepts(first)) return first;
    return (
      this.preferenceList(shard, USUAL_PREFERENCES).find(accepts) ??
      this.preferenceList(shard, this.members.length).find(accepts)
    );
  }

  /** In the order of shards, each gets the node it likes best of those below their limits. */
  place(): Placement {
    this.placement ??= this.placeAll();
    return this.placement;
  }

  private placeAll(): Placement {
    const loads = new Map<string, number>();
    return Array.from({ length: SHARDS }, (_, shard) => {
      const node = this.firstOf(shard, (name) => (loads.get(name) ?? 0) < this.limitOf(name));
      if (node !== undefined) loads.set(node, (loads.get(node) ?? 0) + 1);
      return node;
    });
  }
}

/**
 * Rounded down, so that the limit holds to the letter. With some hundred nodes what is rounded away is more than
 * the tenth that is to spare: then rounded up.
 */
function limitsFor(means: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const rounded = (round: (limit: number) => number) =>
    new Map([...means].map(([name, mean]) => [name, round(LOAD_LIMIT * mean)]));
  const down = rounded(Math.floor);
  return [...down.values()].reduce((sum, limit) => sum + limit, 0) >= SHARDS ? down : rounded(Math.ceil);
}

/**
 * One point in each of `count` equal parts of the ring; their places within the parts are a permutation made
 * by a cryptographic hash of `name:i`. With the keys evenly spaced too, this halves the variance of loads that
 * independent points would have.
 */
function controlPoints(name: string, count: number): number[] {
  const hashes = hashWords(name, count + 1);
  const phase = (hashes[count] ?? 0) / 2 ** 32;
  // Sorted as numbers: a hash in front, the part it belongs to behind.
  const order = Float64Array.from({ length: count }, (_, part) => (hashes[part] ?? 0) * count + part).sort();
  const points = new Array<number>(count);
  order.forEach((packed, rank) => {
    const part = packed % count;
    points[part] = Math.floor(((part + (rank + phase) / count) / count) * RANGE);
  });
  return points;
}

/** `count` words of 32 bits, 16 from each SHA-512 of `name:i`. */
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
 * The library's string hash shifts by 4 bits a character and keeps 24, of which names, hashed ones too, fill some
 * better than others. Six characters below 16 are their own hash: with them the keys lie evenly on the ring.
 */
function shardKey(shard: number): string {
  if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS) throw new Error(`no shard: ${shard}`);
  const hash = (shard + 0.5) * (2 ** 24 / SHARDS);
  return String.fromCharCode(...[20, 16, 12, 8, 4, 0].map((shift) => (hash >>> shift) & 15));
}
