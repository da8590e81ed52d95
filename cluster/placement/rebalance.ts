// Decides which shards should move, given their owners now: few shards, and none without a reason. A shard
// stays unless its owner is no member, its owner is above its limit, or another member has less than its
// share. The module plans; it moves nothing and knows no time.
//
// The bounded ring alone cannot promise this: with 41 shards a node its limits evict shards and take them
// back. Here a join moves only the shards that the new node gets.
//
// A plan that was carried out in part is planned again as its rest: a member that gets shards ends at its
// mean at most, and gives none away later. So nodes that plan from slightly different views do no harm.
import type { Placement, Ring } from './ring.ts';

/**
 * Returns the planned owners. Every member gets at least its mean, rounded down, and stays within its limit,
 * with as few changes to `current` as that takes. If no shard has an owner, this is the ring's placement,
 * evened out. `pinned` shards go to their pinned node. They count as its load, and too many of them push a
 * node over its limit.
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

/** Releases shards of nodes above their limits, first the shards that the ring places elsewhere. */
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

/** Takes shards from the fullest nodes, first the shards that the ring places on the taker. */
function takeUpToMean(
  loads: Loads,
  taker: string,
  next: Placement,
  wanted: Placement,
  movable: (shard: number) => boolean,
): void {
  const cannotGive = new Set([taker]);
  /** donor -> its shards in the order in which it gives them. Only the taker gets shards here. */
  const offers = new Map<string, number[]>();
  while (loads.lacks(taker)) {
    const donor = loads.fullest(cannotGive);
    if (donor === undefined) return;
    let offer = offers.get(donor);
    if (offer === undefined) {
      offer = offerOf(donor, taker, next, wanted, movable);
      offers.set(donor, offer);
    }
    const given = offer.pop();
    if (given === undefined) cannotGive.add(donor);
    else loads.give(given, taker);
  }
}

/** The shards that a donor may give, best last. */
function offerOf(
  donor: string,
  taker: string,
  next: Placement,
  wanted: Placement,
  movable: (shard: number) => boolean,
): number[] {
  const liked: number[] = [];
  const others: number[] = [];
  for (let shard = next.length - 1; shard >= 0; shard--)
    if (next[shard] === donor && movable(shard)) (wanted[shard] === taker ? liked : others).push(shard);
  return [...others, ...liked];
}

/** The load of each node in a placement that is being changed. */
class Loads {
  readonly #ring: Ring;
  readonly #next: (string | undefined)[];
  readonly #counts = new Map<string, number>();

  constructor(ring: Ring, next: (string | undefined)[]) {
    this.#ring = ring;
    this.#next = next;
    for (const owner of next) if (owner !== undefined) this.#counts.set(owner, this.#of(owner) + 1);
  }

  give(shard: number, to: string | undefined): void {
    const from = this.#next[shard];
    if (from !== undefined) this.#counts.set(from, this.#of(from) - 1);
    if (to !== undefined) this.#counts.set(to, this.#of(to) + 1);
    this.#next[shard] = to;
  }

  /** True if the node has less than its mean, rounded down. */
  lacks(name: string): boolean {
    return this.#of(name) + 1 <= this.#ring.meanOf(name);
  }

  /** True if the node has less than its mean, rounded up. */
  hasRoom(name: string): boolean {
    return this.#of(name) < this.#ring.meanOf(name);
  }

  aboveLimit(name: string): boolean {
    return this.#of(name) > this.#ring.limitOf(name);
  }

  isAnyAboveLimit(): boolean {
    return this.#ring.members.some(({ name }) => this.aboveLimit(name));
  }

  /** The node above its mean with the highest load relative to its mean. */
  fullest(except: ReadonlySet<string>): string | undefined {
    let best: string | undefined;
    let bestRatio = 1;
    for (const { name } of this.#ring.members) {
      const ratio = this.#of(name) / this.#ring.meanOf(name);
      if (except.has(name) || ratio <= bestRatio) continue;
      best = name;
      bestRatio = ratio;
    }
    return best;
  }

  #of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
}
