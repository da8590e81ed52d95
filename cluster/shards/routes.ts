// Keeps the router in line with the owners of the view, and tells the gateway of every change after the
// router has it. A shard of this node is routed to its worker once the worker has it. This class decides
// nothing.
import { SHARDS } from '../../actors/shard.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Member } from '../liveness/members.ts';
import type { PeerLinks } from '../peer/peer-links.ts';
import type { OwnerLink, OwnerLinkListener } from './owner-link.ts';
import type { Router } from './router.ts';

export interface RoutesOptions {
  readonly view: ClusterView;
  readonly router: Router;
  readonly listener: OwnerLinkListener;
  readonly links: PeerLinks;
}

export class Routes {
  readonly #options: RoutesOptions;
  #ended = false;

  constructor(options: RoutesOptions) {
    this.#options = options;
  }

  /**
   * Ends this run's changes. The router outlives the run and belongs to the next one from now on, so late
   * answers must not change it.
   */
  end(): void {
    this.#ended = true;
  }

  /** True if every shard is routed to an owner. */
  get isComplete(): boolean {
    return this.#options.router.shardsNowhere === 0;
  }

  /** True if the shard is routed to one of this node's workers. */
  leadsHome(shard: number): boolean {
    const link = this.#options.router.linkOfShard(shard);
    return link !== undefined && this.#options.view.own.isLink(link);
  }

  /**
   * Routes each of these shards to its owner in the map. Shards of this node's workers are left as they are.
   */
  lead(shards: readonly number[]): void {
    const { view, router, links, listener } = this.#options;
    if (this.#ended) return;
    const changed: number[] = [];
    for (const shard of shards) {
      const owner = view.map.ownerOf(shard);
      if (owner !== undefined && view.own.has(owner)) continue;
      const peer = owner === undefined ? undefined : view.members.ofSession(owner)?.peer;
      const link = owner === undefined || peer === undefined ? undefined : links.to(peer, owner);
      if (router.linkOfShard(shard) === link) continue;
      router.setOwner([shard], link);
      changed.push(shard);
    }
    if (changed.length > 0) listener.changed(changed);
  }

  leadTo(member: Member): void {
    for (const session of member.workers.values()) this.lead(this.#options.view.map.shardsOf(session));
  }

  /** Routes shards to the worker of this node that has them. */
  leadHome(shards: readonly number[], link: OwnerLink): void {
    if (this.#ended) return;
    this.#options.router.setOwner(shards, link);
    this.#options.listener.changed(shards);
  }

  /** Ends the routes of shards without a known owner. */
  drop(shards: readonly number[]): void {
    const { router, listener } = this.#options;
    if (this.#ended) return;
    const led = shards.filter((shard) => router.linkOfShard(shard) !== undefined);
    if (led.length === 0) return;
    router.setOwner(led, undefined);
    listener.changed(led);
  }

  /** Called when a worker of a peer has ended, or the whole peer. */
  linkLost(link: OwnerLink): void {
    const { router, listener } = this.#options;
    const shards: number[] = [];
    for (let shard = 0; shard < SHARDS; shard++) if (router.linkOfShard(shard) === link) shards.push(shard);
    router.setOwner(shards, undefined);
    listener.lost(link);
  }
}
