// The knowledge that a node has of its cluster: members, owners of shards, pins, and its own workers. It may
// lag behind PostgreSQL, which decides which session may write, so a lag causes a pause and never a lost edit.
// This class decides nothing and notifies nobody.
import { SHARDS } from '../actors/shard.ts';
import type { SessionId } from '../actors/storage/store.ts';
import { Members } from './liveness/members.ts';
import type { PinBoard } from './placement/pin-board.ts';
import type { Placement } from './placement/ring.ts';
import { OwnSlots } from './shards/own-slots.ts';
import { ShardMap } from './shards/shard-map.ts';

export class ClusterView {
  readonly map = new ShardMap();
  readonly members = new Members();
  readonly own = new OwnSlots();
  readonly pinBoard: PinBoard;
  readonly #node: string;

  /** `node`: the name of this node. */
  constructor(node: string, pinBoard: PinBoard) {
    this.#node = node;
    this.pinBoard = pinBoard;
  }

  /**
   * Changes whenever any part may have changed. Each part's revision only rises, so the sum is equal only if
   * all parts are.
   */
  get revision(): number {
    const { map, members, pinBoard, own } = this;
    return map.revision + members.revision + pinBoard.revision + own.revision;
  }

  /** The name of each shard's owning node, by shard. */
  owners(): Placement {
    const owners = new Array<string | undefined>(SHARDS).fill(undefined);
    for (const [session, shards] of this.map.byOwner()) {
      const node = this.#nodeOf(session);
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

  /** Shards of members that are live in the database, but not connected to this node. */
  unreachedShards(): readonly number[] {
    return [...this.members.all()]
      .filter(({ state, peer }) => state === 'live' && peer === undefined)
      .flatMap(({ workers }) => [...workers.values()].flatMap((session) => this.map.shardsOf(session)));
  }

  #nodeOf(owner: SessionId): string | undefined {
    return this.own.has(owner) ? this.#node : this.members.ofSession(owner)?.node;
  }
}
