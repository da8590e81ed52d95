// Document -> shard -> link: a hash and one array look-up on the hot path. It knows which owner to ask
// and whether there is one now; it does not start owners, tells nobody of changes, and sends nothing.
import { SHARDS, shardOf } from '../actors/shard.ts';
import type { OwnerLink } from './owner-link.ts';

export class Router {
  private readonly links: (OwnerLink | undefined)[] = new Array<OwnerLink | undefined>(SHARDS).fill(
    undefined,
  );

  /** The owner's link; undefined: it has no owner at the moment. */
  linkOf(doc: string): OwnerLink | undefined {
    return this.links[shardOf(doc)];
  }

  linkOfShard(shard: number): OwnerLink | undefined {
    return this.links[shard];
  }

  /** No shard has an owner that this node can reach. */
  get leadsNowhere(): boolean {
    return this.links.every((link) => link === undefined);
  }

  setOwner(shards: Iterable<number>, link: OwnerLink | undefined): void {
    for (const shard of shards) {
      if (!Number.isInteger(shard) || shard < 0 || shard >= SHARDS) throw new Error(`no shard: ${shard}`);
      this.links[shard] = link;
    }
  }
}
