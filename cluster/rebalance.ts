// Which shards should move, given who owns them now: few, and none without a reason. A shard stays where it is
// unless its owner is no member, is above its limit, or another member has less than its share. It plans; it
// moves nothing and knows no time.
//
// The bounded ring alone cannot promise this: with 41 shards a node its limits evict and take back, and joins
// at 60 to 100 nodes move 1.3 fair shares on average, 1.7 at worst. Here one moves what the new node gets.
//
// A plan that was carried out in part is planned again as its rest: who gets shards gets no more than its mean
// by it, and gives none away after. So it does no harm when nodes plan from views that differ by some moves.
import type { Placement, Ring } from './ring.ts';

/**
 * The owners to come: every member has its mean, rounded down, at least, and is within its limit, `current` being
 * changed as little as that takes. Nobody owns anything: the ring's placement, evened out. `pinned` shards go
 * where they are pinned to; they count, and too many of them push a node over its limit.
 */
export function rebalance(
  ring: Ring,
  current: Placement,
  pinned: ReadonlyMap<number, string> = new Map(),
): Placement {
  const wanted = ring.place();
  if (ring.members.length === 0) return wanted;
  const owned = wanted.map((_, shard) => ownerAmongMembers(ring, current[shard]));
  const fresh = owned.every((owner) => owner === undefined);
  const next = (fresh ? wanted : owned).map((owner, shard) => pinned.get(shard) ?? owner);
  const loads = new Loads(ring, next);
  const movable = (shard: number) => !pinned.has(shard);
  releaseExcess(loads, next, wanted, movable);
  for (let shard = 0; shard < next.length; shard++) {
    if (next[shard] !== undefined) continue;
    loads.give(
      shard,
      ring.firstOf(shard, (name) => loads.lacks(name)) ??
        ring.firstOf(shard, (name) => loads.hasRoom(name)) ??
        ring.preferenceList(shard, 1)[0],
    );
  }
  for (const { name } of ring.members) takeUpToMean(loads, name, next, wanted, movable);
  return next;
}

function ownerAmongMembers(ring: Ring, owner: string | undefined): string | undefined {
  return owner !== undefined && ring.meanOf(owner) > 0 ? owner : undefined;
}

/** Of what a node has above its limit, first what the ring would have elsewhere. */
function releaseExcess(
  loads: Loads,
  next: Placement,
  wanted: Placement,
  movable: (shard: number) => boolean,
): void {
  for (const foreign of [true, false]) {
    if (!loads.isAnyAboveLimit()) return;
    for (let shard = next.length - 1; shard >= 0; shard--) {
      const owner = next[shard];
      if (owner === undefined || !loads.aboveLimit(owner) || !movable(shard)) continue;
      if ((wanted[shard] !== owner) === foreign) loads.give(shard, undefined);
    }
  }
}

/** From the nodes that are fullest; of their shards, first what the ring gives to the taker. */
function takeUpToMean(
  loads: Loads,
  taker: string,
  next: Placement,
  wanted: Placement,
  movable: (shard: number) => boolean,
): void {
  const cannotGive = new Set([taker]);
  /** donor -> its shards in the order in which it gives them; nobody gets any but the taker. */
  const offers = new Map<string, number[]>();
  while (loads.lacks(taker)) {
    const donor = loads.fullest(cannotGive);
    if (donor === undefined) return;
    let offer = offers.get(donor);
    if (offer === undefined) {
      const all = [...next.keys()].filter((shard) => next[shard] === donor && movable(shard));
      const ofTaker = (shard: number): boolean => wanted[shard] === taker;
      offer = [...all.filter(ofTaker), ...all.filter((shard) => !ofTaker(shard))].reverse();
      offers.set(donor, offer);
    }
    const given = offer.pop();
    if (given === undefined) cannotGive.add(donor);
    else loads.give(given, taker);
  }
}

/** Counts of a placement that is being changed. */
class Loads {
  private readonly ring: Ring;
  private readonly next: (string | undefined)[];
  private readonly counts = new Map<string, number>();

  constructor(ring: Ring, next: (string | undefined)[]) {
    this.ring = ring;
    this.next = next;
    for (const owner of next) if (owner !== undefined) this.counts.set(owner, this.of(owner) + 1);
  }

  give(shard: number, to: string | undefined): void {
    const from = this.next[shard];
    if (from !== undefined) this.counts.set(from, this.of(from) - 1);
    if (to !== undefined) this.counts.set(to, this.of(to) + 1);
    this.next[shard] = to;
  }

  /** Has less than its mean, rounded down. */
  lacks(name: string): boolean {
    return this.of(name) + 1 <= this.ring.meanOf(name);
  }

  /** Has less than its mean, rounded up. */
  hasRoom(name: string): boolean {
    return this.of(name) < this.ring.meanOf(name);
  }

  aboveLimit(name: string): boolean {
    return this.of(name) > this.ring.limitOf(name);
  }

  isAnyAboveLimit(): boolean {
    return this.ring.members.some(({ name }) => this.aboveLimit(name));
  }

  /** Of the nodes above their means, the one with the most for its weight. */
  fullest(except: ReadonlySet<string>): string | undefined {
    let best: string | undefined;
    let bestRatio = 1;
    for (const { name } of this.ring.members) {
      const ratio = this.of(name) / this.ring.meanOf(name);
      if (except.has(name) || ratio <= bestRatio) continue;
      best = name;
      bestRatio = ratio;
    }
    return best;
  }

  private of(name: string): number {
    return this.counts.get(name) ?? 0;
  }
}
