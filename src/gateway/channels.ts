// All channels of a gateway, found by document, by number and by shard. It gives the numbers, which are
// never used twice: what an old owner says over an old number finds nobody. It sends nothing.
import { shardOf } from '../../actors/shard.ts';
import { Channel } from './channel.ts';

export class Channels {
  private readonly byName = new Map<string, Channel>();
  private readonly byNumber = new Map<number, Channel>();
  private readonly byShard = new Map<number, Set<Channel>>();
  private lastChan = 0;

  /** The document's channel; a new one waits for an owner. */
  of(doc: string): Channel {
    let channel = this.byName.get(doc);
    if (channel === undefined) {
      channel = new Channel(doc, shardOf(doc), ++this.lastChan);
      this.byName.set(doc, channel);
      this.byNumber.set(channel.chan, channel);
      let neighbours = this.byShard.get(channel.shard);
      if (neighbours === undefined) {
        neighbours = new Set();
        this.byShard.set(channel.shard, neighbours);
      }
      neighbours.add(channel);
    }
    return channel;
  }

  numbered(chan: number): Channel | undefined {
    return this.byNumber.get(chan);
  }

  /** As they are now: they may go while one looks at them. `shards` left out: all. */
  list(shards?: readonly number[]): readonly Channel[] {
    if (shards === undefined) return [...this.byName.values()];
    return shards.flatMap((shard) => [...(this.byShard.get(shard) ?? [])]);
  }

  /** What comes for its old number is for nobody from now on. */
  renumber(channel: Channel): void {
    this.byNumber.delete(channel.chan);
    channel.chan = ++this.lastChan;
    this.byNumber.set(channel.chan, channel);
  }

  /** Lets go of it where nobody has it open. */
  dispose(channel: Channel): void {
    if (channel.subs.size > 0 || this.byName.get(channel.doc) !== channel) return;
    channel.endWait();
    if (channel.mode !== 'waiting') channel.setOwnership({ mode: 'waiting' });
    this.byName.delete(channel.doc);
    this.byNumber.delete(channel.chan);
    const neighbours = this.byShard.get(channel.shard);
    neighbours?.delete(channel);
    if (neighbours?.size === 0) this.byShard.delete(channel.shard);
  }
}
