// Leads the router where the owner of each shard is, as the picture has it, and tells the gateway of every change,
// the router first. A shard of this node leads to its worker once that one has it. It decides nothing.
import { SHARDS } from '../actors/shard.ts';
import type { Member } from './members.ts';
import type { OwnerLink, OwnerLinkListener } from './owner-link.ts';
import type { PeerLinks } from './peer-links.ts';
import type { Picture } from './picture.ts';
import type { Router } from './router.ts';

export interface RoutesOptions {
  readonly picture: Picture;
  readonly router: Router;
  readonly listener: OwnerLinkListener;
  readonly links: PeerLinks;
}

export class Routes {
  private readonly options: RoutesOptions;
  private ended = false;

  constructor(options: RoutesOptions) {
    this.options = options;
  }

  /** The router outlives this run, and is the next one's from now on: what was asked for before is answered too late. */
  end(): void {
    this.ended = true;
  }

  /** Every shard leads somewhere. */
  get isComplete(): boolean {
    for (let shard = 0; shard < SHARDS; shard++)
      if (this.options.router.linkOfShard(shard) === undefined) return false;
    return true;
  }

  /** To one of this node's workers. */
  leadsHome(shard: number): boolean {
    const link = this.options.router.linkOfShard(shard);
    return link !== undefined && this.options.picture.own.isLink(link);
  }

  /** Each of these to its owner as the map has it. */
  lead(shards: readonly number[]): void {
    const { picture, router, links, listener } = this.options;
    if (this.ended) return;
    const changed: number[] = [];
    for (const shard of shards) {
      const owner = picture.map.ownerOf(shard);
      if (owner !== undefined && picture.own.has(owner)) continue;
      const peer = owner === undefined ? undefined : picture.members.ofSession(owner)?.peer;
      const link = owner === undefined || peer === undefined ? undefined : links.to(peer, owner);
      if (router.linkOfShard(shard) === link) continue;
      router.setOwner([shard], link);
      changed.push(shard);
    }
    if (changed.length > 0) listener.changed(changed);
  }

  leadTo(member: Member): void {
    for (const session of member.workers.values()) this.lead(this.options.picture.map.shardsOf(session));
  }

  /** A worker of this node has them. */
  leadHome(shards: readonly number[], link: OwnerLink): void {
    if (this.ended) return;
    this.options.router.setOwner(shards, link);
    this.options.listener.changed(shards);
  }

  /** They have no owner that is known to have them. */
  drop(shards: readonly number[]): void {
    const { router, listener } = this.options;
    if (this.ended) return;
    const led = shards.filter((shard) => router.linkOfShard(shard) !== undefined);
    if (led.length === 0) return;
    router.setOwner(led, undefined);
    listener.changed(led);
  }

  /** A worker of a peer has ended, or the whole peer. */
  linkLost(link: OwnerLink): void {
    const { router, listener } = this.options;
    const shards: number[] = [];
    for (let shard = 0; shard < SHARDS; shard++) if (router.linkOfShard(shard) === link) shards.push(shard);
    router.setOwner(shards, undefined);
    listener.lost(link);
  }
}
