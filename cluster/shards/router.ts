// Document -> shard -> link: a hash and one array look-up on the hot path. The router knows each shard's
// owner and whether there is one now. It starts no owners, notifies nobody and sends nothing.
import { SHARDS, shardOf } from '../../actors/shard.ts';
import type { OwnerLink } from './owner-link.ts';

export class Router {
  readonly #links: (OwnerLink | undefined)[] = new Array<OwnerLink | undefined>(SHARDS).fill(undefined);

  /** The number of shards without an owner that this node reaches. */
  #nowhere = SHARDS;

  /** The link to the owner. Undefined if the document has no owner at the moment. */
  linkOf(doc: string): OwnerLink | undefined {
    return this.#links[shardOf(doc)];
  }

  linkOfShard(shard: number): OwnerLink | undefined {
    return this.#links[shard];
  }

  /** True if this node reaches the owner of no shard. */
  get leadsNowhere(): boolean {
    return this.#nowhere === SHARDS;
  }

  /** The number of shards without an owner that this node reaches. */
  get shardsNowhere(): number {
    return this.#nowhere;
  }

  setOwner(shards: Iterable<number>, link: OwnerLink | undefined): void {
    for (const shard of shards) {
      if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS) throw new Error(`no shard: ${shard}`);
      this.#nowhere += Number(link === undefined) - Number(this.#links[shard] === undefined);
      this.#links[shard] = link;
    }
  }
}
