// The shards that a worker's session owns, and their epochs. A shard comes by a claim or by a hand-off. It
// goes by a hand-off, which begins with leaving: from then on no message for its documents is taken, and
// the senders of such messages are told to ask elsewhere. It knows no documents and asks no store.
//
// States of a shard: foreign -> owned -> leaving -> foreign, or leaving -> owned if the hand-off failed.
import { shardOf } from './shard.ts';
import type { Epoch } from './storage/store.ts';

/** A channel that was turned away while its shard was leaving. */
export interface StrayChannel {
  readonly link: number;
  readonly channelId: number;
}

export class OwnedShards {
  readonly #epochs = new Map<number, Epoch>();
  /**
   * The epoch under which each shard went to another session. This and older epochs are out of date from
   * then on.
   */
  readonly #gone = new Map<number, Epoch>();
  readonly #leaving = new Map<number, Map<string, StrayChannel>>();

  /** Notes owned shards. The epoch that is known already changes nothing, and an older epoch is ignored. */
  own(epochs: ReadonlyMap<number, Epoch>): void {
    for (const [shard, epoch] of epochs) {
      const isNews = epoch >= (this.#epochs.get(shard) ?? 0) && epoch > (this.#gone.get(shard) ?? 0);
      if (isNews) this.#epochs.set(shard, epoch);
    }
  }

  get size(): number {
    return this.#epochs.size;
  }

  epochOf(doc: string): Epoch | undefined {
    return this.#epochs.get(shardOf(doc));
  }

  /** True if the shard of the document is owned and not leaving. */
  serves(doc: string): boolean {
    const shard = shardOf(doc);
    return this.#epochs.has(shard) && !this.#leaving.has(shard);
  }

  /** Cheap enough to be read for each message. */
  get someLeave(): boolean {
    return this.#leaving.size > 0;
  }

  isLeaving(doc: string): boolean {
    return this.#leaving.has(shardOf(doc));
  }

  /**
   * Lets the owned shards among `shards` leave and returns them, without the ones that were leaving
   * already.
   */
  beginLeaving(shards: readonly number[]): readonly number[] {
    const begun = shards.filter((shard) => this.#epochs.has(shard) && !this.#leaving.has(shard));
    for (const shard of begun) this.#leaving.set(shard, new Map());
    return begun;
  }

  /**
   * Notes a message for a document whose shard is leaving. Its channel is told when the hand-off has ended.
   */
  strayed(doc: string, link: number, channelId: number): void {
    this.#leaving.get(shardOf(doc))?.set(`${link}/${channelId}`, { link, channelId });
  }

  /**
   * Ends a hand-off. `moved` has the shards that another session owns now; the others are served again.
   * Returns the channels that must be told.
   */
  endLeaving(shards: readonly number[], moved: ReadonlyMap<number, Epoch>): readonly StrayChannel[] {
    const strays: StrayChannel[] = [];
    for (const shard of shards) {
      strays.push(...(this.#leaving.get(shard)?.values() ?? []));
      this.#leaving.delete(shard);
      const next = moved.get(shard);
      if (next === undefined) continue;
      this.#gone.set(shard, next);
      // The shard may have come back already.
      if (next > (this.#epochs.get(shard) ?? 0)) this.#epochs.delete(shard);
    }
    return strays;
  }
}
