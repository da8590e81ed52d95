// Document -> shard -> slot -> link: two array look-ups on the hot path. It knows which owner to ask
// and whether there is one now; it does not start owners, and it sends nothing itself.
import { shardOf } from '../actors/shard.ts';
import type { OwnerLink } from './owner-link.ts';

export class Router {
  private readonly placement: Int32Array;
  private readonly links: (OwnerLink | undefined)[] = [];
  private readonly quarantined = new Set<string>();

  constructor(placement: Int32Array) {
    this.placement = placement;
  }

  /** The owner's link; undefined: it has no owner at the moment. */
  linkOf(doc: string): OwnerLink | undefined {
    return this.links[this.placement[shardOf(doc)] ?? 0];
  }

  isQuarantined(doc: string): boolean {
    return this.quarantined.has(doc);
  }

  setLink(slot: number, link: OwnerLink | undefined): void {
    this.links[slot] = link;
  }

  /** Takes a document out of service until the node starts again. */
  quarantine(doc: string): void {
    this.quarantined.add(doc);
  }
}
