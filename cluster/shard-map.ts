// Who owns each shard, as far as this node knows: session and epoch. PostgreSQL decides; this is the latest
// that was heard of it, from peers, Redis or the database. Epochs order the news of a shard, whichever way
// they came. It asks nobody and tells nobody.
import { SHARDS } from '../actors/shard.ts';
import type { Epoch, SessionId, ShardRow } from '../actors/storage/store.ts';
import type { MapEntry } from './lease-store.ts';

/** Ids of sessions start at 1. */
const NOBODY = 0;

export class ShardMap {
  private readonly owners = new Float64Array(SHARDS);
  private readonly epochs = new Float64Array(SHARDS).fill(-1);
  private readonly fenced = new Set<SessionId>();
  /** Those of them that were fenced before the reading of the map that comes next. */
  private fencedBefore: ReadonlySet<SessionId> = new Set();
  /** Rises with every change of an owner. */
  revision = 0;
  /** Who owned what at `indexed`: looked at far oftener than it changes. */
  private index: ReadonlyMap<SessionId, readonly number[]> = new Map();
  private unowned = SHARDS;
  private indexed = 0;

  /** Takes what is newer than what is known; returns the shards whose owner is another now. */
  apply(entries: Iterable<MapEntry>): readonly number[] {
    const changed: number[] = [];
    for (const entry of entries) if (this.take(entry[0], entry[1], entry[2])) changed.push(entry[0]);
    if (changed.length > 0) this.revision++;
    return changed;
  }

  /**
   * The whole map as the database has it; each is read after the one before was applied. Returns the shards whose
   * owner is another now, or fenced now.
   */
  applyRows(rows: readonly ShardRow[]): readonly number[] {
    const fenced = new Set<SessionId>();
    for (const { owner, ownerState } of rows)
      if (owner !== null && ownerState === 'fenced') fenced.add(owner);
    const changed = new Set(this.fence(fenced));
    for (const { shard, owner, epoch } of rows)
      if (this.take(shard, owner ?? NOBODY, epoch)) changed.add(shard);
    this.revision++;
    this.forgetFenced(rows);
    return [...changed];
  }

  /** These sessions own nothing any more. Returns the shards that have lost their owner by it. */
  fence(sessions: Iterable<SessionId>): readonly number[] {
    const news = new Set([...sessions].filter((session) => !this.fenced.has(session)));
    for (const session of news) this.fenced.add(session);
    if (news.size === 0) return [];
    this.revision++;
    return this.shardsWhere((owner) => news.has(owner));
  }

  /** undefined: nobody who could still write. */
  ownerOf(shard: number): SessionId | undefined {
    const owner = this.owners[shard] ?? NOBODY;
    return owner === NOBODY || this.fenced.has(owner) ? undefined : owner;
  }

  epochOf(shard: number): Epoch {
    return Math.max(0, this.epochs[shard] ?? 0);
  }

  /** Whoever owns something, in the order of their first shards. */
  byOwner(): ReadonlyMap<SessionId, readonly number[]> {
    if (this.indexed === this.revision) return this.index;
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
    this.unowned = SHARDS - owned;
    this.index = index;
    this.indexed = this.revision;
    return index;
  }

  /** In their order. */
  shardsOf(session: SessionId): readonly number[] {
    return this.byOwner().get(session) ?? [];
  }

  /** How many shards each session owns. */
  loads(): ReadonlyMap<SessionId, number> {
    return new Map([...this.byOwner()].map(([owner, shards]) => [owner, shards.length]));
  }

  /** Shards that nobody owns who could still write. */
  get orphans(): number {
    this.byOwner();
    return this.unowned;
  }

  /** For whoever has just come. */
  entriesOf(shards: Iterable<number>): readonly MapEntry[] {
    return [...shards].map((shard): MapEntry => [shard, this.owners[shard] ?? NOBODY, this.epochOf(shard)]);
  }

  /** What is newer than what is known; true where the owner is another now. */
  private take(shard: number, owner: SessionId, epoch: Epoch): boolean {
    if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS) return false;
    if (epoch <= (this.epochs[shard] ?? 0)) return false;
    this.epochs[shard] = epoch;
    if (this.owners[shard] === owner) return false;
    this.owners[shard] = owner;
    return true;
  }

  /**
   * Who was fenced before this was read, and owned nothing then, never will: whatever it did own has gone on under a
   * higher epoch, which is known by now, and what is still told of it is older.
   */
  private forgetFenced(rows: readonly ShardRow[]): void {
    const owners = new Set<SessionId | null>(this.owners);
    for (const { owner } of rows) owners.add(owner);
    for (const session of this.fencedBefore) if (!owners.has(session)) this.fenced.delete(session);
    this.fencedBefore = new Set(this.fenced);
  }

  private shardsWhere(is: (owner: SessionId) => boolean): readonly number[] {
    const shards: number[] = [];
    for (let shard = 0; shard < SHARDS; shard++) if (is(this.owners[shard] ?? NOBODY)) shards.push(shard);
    return shards;
  }
}
