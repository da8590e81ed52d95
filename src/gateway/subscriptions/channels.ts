// All channels of a gateway, by document, by number and by shard. Each channel gets a number that is never
// used twice, so a late message of an old owner under an old number finds no channel. It sends nothing.
import { shardOf } from '../../../actors/shard.ts';
import type { SharedQuotas } from '../quotas/shared-quotas.ts';
import { Channel } from './channel.ts';

export const organisationOf = (doc: string): string => doc.slice(0, doc.indexOf('/'));

export class Channels {
  readonly #byName = new Map<string, Channel>();
  readonly #byNumber = new Map<number, Channel>();
  readonly #byShard = new Map<number, Set<Channel>>();
  readonly #organisations: SharedQuotas | undefined;
  #lastChan = 0;

  /** `organisations`: undefined if nothing is limited. */
  constructor(organisations?: SharedQuotas) {
    this.#organisations = organisations;
  }

  /** The document's channel; a new one waits for an owner. */
  of(doc: string): Channel {
    let channel = this.#byName.get(doc);
    if (channel === undefined) {
      const quota = this.#organisations?.hold(organisationOf(doc));
      channel = new Channel(doc, shardOf(doc), ++this.#lastChan, quota === 'full' ? undefined : quota);
      this.#byName.set(doc, channel);
      this.#byNumber.set(channel.channelId, channel);
      let neighbours = this.#byShard.get(channel.shard);
      if (neighbours === undefined) {
        neighbours = new Set();
        this.#byShard.set(channel.shard, neighbours);
      }
      neighbours.add(channel);
    }
    return channel;
  }

  /** The number of documents. */
  get size(): number {
    return this.#byName.size;
  }

  /** Subscriptions of all channels. */
  get subscriptions(): number {
    let count = 0;
    for (const { subs } of this.#byName.values()) count += subs.size;
    return count;
  }

  numbered(channelId: number): Channel | undefined {
    return this.#byNumber.get(channelId);
  }

  /**
   * A copy of the current list, because channels may be disposed of while the caller goes through it.
   * `shards` omitted: all channels.
   */
  list(shards?: readonly number[]): readonly Channel[] {
    if (shards === undefined) return [...this.#byName.values()];
    return shards.flatMap((shard) => [...(this.#byShard.get(shard) ?? [])]);
  }

  /** Gives the channel a new number. Messages for its old number find no channel from now on. */
  renumber(channel: Channel): void {
    this.#byNumber.delete(channel.channelId);
    channel.channelId = ++this.#lastChan;
    this.#byNumber.set(channel.channelId, channel);
  }

  /** Drops the channel if no socket has it open. */
  dispose(channel: Channel): void {
    if (channel.subs.size > 0 || this.#byName.get(channel.doc) !== channel) return;
    channel.endWait();
    if (channel.quota !== undefined) this.#organisations?.release(organisationOf(channel.doc));
    if (channel.mode !== 'waiting') channel.setOwnership({ mode: 'waiting' });
    this.#byName.delete(channel.doc);
    this.#byNumber.delete(channel.channelId);
    const neighbours = this.#byShard.get(channel.shard);
    neighbours?.delete(channel);
    if (neighbours?.size === 0) this.#byShard.delete(channel.shard);
  }
}
