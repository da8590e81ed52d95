// What a node knows of the cluster: members, owners of shards, pins, and its own workers. It may be behind: who
// may write PostgreSQL decides. Nothing is decided here, and nobody is told.
import { SHARDS } from '../actors/shard.ts';
import type { SessionId } from '../actors/storage/store.ts';
import { Members } from './members.ts';
import { OwnSlots } from './own-slots.ts';
import type { PinBoard } from './pin-board.ts';
import type { Placement } from './ring.ts';
import { ShardMap } from './shard-map.ts';

export class Picture {
  readonly map = new ShardMap();
  readonly members = new Members();
  readonly own = new OwnSlots();
  readonly pins: PinBoard;
  private readonly node: string;

  /** `node`: this one's name. */
  constructor(node: string, pins: PinBoard) {
    this.node = node;
    this.pins = pins;
  }

  /** Another number where anything may be otherwise. Each part's only rises: their sum stands still where all do. */
  get revision(): number {
    const { map, members, pins, own } = this;
    return map.revision + members.revision + pins.revision + own.revision;
  }

  /** shard -> node that owns it. */
  owners(): Placement {
    const owners = new Array<string | undefined>(SHARDS).fill(undefined);
    for (const [session, shards] of this.map.byOwner()) {
      const node = this.nodeOf(session);
      for (const shard of shards) owners[shard] = node;
    }
    return owners;
  }

  /** Shards that this node's workers own. */
  get ownedShards(): number {
    let count = 0;
    for (const [, { session }] of this.own.all()) count += this.map.shardsOf(session).length;
    return count;
  }

  private nodeOf(owner: SessionId): string | undefined {
    return this.own.has(owner) ? this.node : this.members.ofSession(owner)?.node;
  }
}
