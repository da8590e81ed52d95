// The owner of each shard as far as this node knows: its session and epoch. PostgreSQL decides; this map
// holds the latest news, from peers, Redis or the database. Epochs order the news of a shard, over whichever
// way it came. The map asks and notifies nobody.
import { SHARDS } from '../../actors/shard.ts';
import type { Epoch, SessionId, ShardRow } from '../../actors/storage/store.ts';
import type { MapEntry } from '../liveness/lease-store.ts';

/** No session has this id: ids start at 1. */
const NOBODY = 0;

export class ShardMap {
  readonly #owners = new Float64Array(SHARDS);
  readonly #epochs = new Float64Array(SHARDS).fill(-1);
  readonly #fenced = new Set<SessionId>();
  /** The fenced sessions as of the last reading of the whole map. */
  #fencedBefore: ReadonlySet<SessionId> = new Set();
  /** Rises with every change of an owner. */
  revision = 0;
  /** The shards of each owner at revision `indexed`. It is read far more often than it changes. */
  #index: ReadonlyMap<SessionId, readonly number[]> = new Map();
  #unowned = SHARDS;
  #indexed = 0;

  /** Takes entries that are newer than the known ones. Returns the shards whose owner has changed. */
  apply(entries: Iterable<MapEntry>): readonly number[] {
    const changed: number[] = [];
    for (const entry of entries) if (this.#take(entry[0], entry[1], entry[2])) changed.push(entry[0]);
    if (changed.length > 0) this.revision++;
    return changed;
  }

  /**
   * Takes the whole map as read from the database. A reading must start after the previous one was applied.
   * Returns the shards whose owner has changed or is now fenced.
   */
  applyRows(rows: readonly ShardRow[]): readonly number[] {
    const fenced = new Set<SessionId>();
    for (const { owner, ownerState } of rows)
      if (owner !== null && ownerState === 'fenced') fenced.add(owner);
    const changed = new Set(this.fence(fenced));
    let isNew = false;
    for (const { shard, owner, epoch } of rows) {
      if (!this.#take(shard, owner ?? NOBODY, epoch)) continue;
      changed.add(shard);
      isNew = true;
    }
    if (isNew) this.revision++;
    this.#forgetFenced(rows);
    return [...changed];
  }

  /** These sessions own nothing from now on. Returns the shards that have lost their owner by this. */
  fence(sessions: Iterable<SessionId>): readonly number[] {
    const news = new Set([...sessions].filter((session) => !this.#fenced.has(session)));
    for (const session of news) this.#fenced.add(session);
    if (news.size === 0) return [];
    this.revision++;
    return this.#shardsWhere((owner) => news.has(owner));
  }

  /** Undefined if no session owns the shard that could still write. */
  ownerOf(shard: number): SessionId | undefined {
    const owner = this.#owners[shard] ?? NOBODY;
    return owner === NOBODY || this.#fenced.has(owner) ? undefined : owner;
  }

  epochOf(shard: number): Epoch {
    return Math.max(0, this.#epochs[shard] ?? 0);
  }

  /** The shards of each owner. Owners are in the order of their first shards. */
  byOwner(): ReadonlyMap<SessionId, readonly number[]> {
    if (this.#indexed === this.revision) return this.#index;
    const index = new Map<SessionId, number[]>();
    for (let shard = 0; shard < SHARDS; shard++) {
      const owner = this.ownerOf(shard);
      if (owner === undefined) continue;
      const shards = index.get(owner);
      if (shards === undefined) index.set(owner, [shard]);
      else shards.push(shard);
    }
    let owned = 0;
    for (const shards of index.values()) owned += shards.length;
    this.#unowned = SHARDS - owned;
    this.#index = index;
    this.#indexed = this.revision;
    return index;
  }

  /** In ascending order. */
  shardsOf(session: SessionId): readonly number[] {
    return this.byOwner().get(session) ?? [];
  }

  /** How many shards each session owns. */
  loads(): ReadonlyMap<SessionId, number> {
    return new Map([...this.byOwner()].map(([owner, shards]) => [owner, shards.length]));
  }

  /** Shards without an owner that could still write. */
  get orphans(): number {
    this.byOwner();
    return this.#unowned;
  }

  /** Entries of these shards, for a peer that has just connected. */
  entriesOf(shards: Iterable<number>): readonly MapEntry[] {
    return [...shards].map((shard): MapEntry => [shard, this.#owners[shard] ?? NOBODY, this.epochOf(shard)]);
  }

  /** Takes an entry if it is newer. True if the owner has changed. */
  #take(shard: number, owner: SessionId, epoch: Epoch): boolean {
    if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS) return false;
    if (epoch <= (this.#epochs[shard] ?? 0)) return false;
    this.#epochs[shard] = epoch;
    if (this.#owners[shard] === owner) return false;
    this.#owners[shard] = owner;
    return true;
  }

  /**
   * Forgets sessions that were fenced before this reading and own nothing in it. Their former shards are
   * known under a higher epoch by now, so late news about them is older and is dropped.
   */
  #forgetFenced(rows: readonly ShardRow[]): void {
    if (this.#fencedBefore.size > 0) {
      const ownNothing = new Set<SessionId | null>(this.#fencedBefore);
      for (const owner of this.#owners) ownNothing.delete(owner);
      for (const { owner } of rows) ownNothing.delete(owner);
      for (const session of this.#fencedBefore) if (ownNothing.has(session)) this.#fenced.delete(session);
    }
    this.#fencedBefore = new Set(this.#fenced);
  }

  #shardsWhere(is: (owner: SessionId) => boolean): readonly number[] {
    const shards: number[] = [];
    for (let shard = 0; shard < SHARDS; shard++) if (is(this.#owners[shard] ?? NOBODY)) shards.push(shard);
    return shards;
  }
}
