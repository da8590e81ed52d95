// The shards that a worker's session owns, and under which epochs. A shard comes by a claim or by a
// hand-off; it goes by a hand-off, which it begins by leaving: from then on nothing of its documents is
// taken, and what came meanwhile is told to ask elsewhere. It knows no documents and asks no store.
//
// A shard's states: foreign -> owned -> leaving -> foreign, leaving -> owned (nobody took it).
import { shardOf } from './shard.ts';
import type { Epoch } from './storage/store.ts';

/** A channel that was turned away while its shard was leaving. */
export interface StrayChannel {
  readonly link: number;
  readonly chan: number;
}

export class OwnedShards {
  private readonly epochs = new Map<number, Epoch>();
  /** Under which they went to somebody else: what is older is old news also now. */
  private readonly gone = new Map<number, Epoch>();
  private readonly leaving = new Map<number, Map<string, StrayChannel>>();

  /** Taking a shard again under the same epoch changes nothing; an older epoch is old news. */
  own(epochs: ReadonlyMap<number, Epoch>): void {
    for (const [shard, epoch] of epochs) {
      const isNews = epoch >= (this.epochs.get(shard) ?? 0) && epoch > (this.gone.get(shard) ?? 0);
      if (isNews) this.epochs.set(shard, epoch);
    }
  }

  get size(): number {
    return this.epochs.size;
  }

  epochOf(doc: string): Epoch | undefined {
    return this.epochs.get(shardOf(doc));
  }

  /** Owned, and not about to leave. */
  serves(doc: string): boolean {
    const shard = shardOf(doc);
    return this.epochs.has(shard) && !this.leaving.has(shard);
  }

  /** Cheap enough for each message. */
  get someLeave(): boolean {
    return this.leaving.size > 0;
  }

  isLeaving(doc: string): boolean {
    return this.leaving.has(shardOf(doc));
  }

  /** Those of `shards` that are owned and not leaving already leave from now on. */
  beginLeaving(shards: readonly number[]): readonly number[] {
    const begun = shards.filter((shard) => this.epochs.has(shard) && !this.leaving.has(shard));
    for (const shard of begun) this.leaving.set(shard, new Map());
    return begun;
  }

  /** A message came for a document that leaves: its channel is told when that has ended. */
  strayed(doc: string, link: number, chan: number): void {
    this.leaving.get(shardOf(doc))?.set(`${link}/${chan}`, { link, chan });
  }

  /** `moved`: those that somebody else has now. The rest is served again. Returns the channels to be told. */
  endLeaving(shards: readonly number[], moved: ReadonlyMap<number, Epoch>): readonly StrayChannel[] {
    const strays: StrayChannel[] = [];
    for (const shard of shards) {
      strays.push(...(this.leaving.get(shard)?.values() ?? []));
      this.leaving.delete(shard);
      const next = moved.get(shard);
      if (next === undefined) continue;
      this.gone.set(shard, next);
      // It may have come back already.
      if (next > (this.epochs.get(shard) ?? 0)) this.epochs.delete(shard);
    }
    return strays;
  }
}
