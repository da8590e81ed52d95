// Messages of this node to all nodes of the cluster, and over which ways they go. A message is a hint: any of
// them may be lost, and PostgreSQL is read anew from time to time.
import type { ControlStore } from '../../actors/storage/store.ts';
import type { LeaseStore } from '../liveness/lease-store.ts';
import type { Members } from '../liveness/members.ts';
import type { PeerNetwork } from '../peer/network.ts';
import type { ControlMessage } from './control-messages.ts';

export interface AnnouncementsOptions {
  readonly network: Pick<PeerNetwork, 'peers'>;
  readonly leases: Pick<LeaseStore, 'publish'>;
  readonly store: Pick<ControlStore, 'notify'>;
  readonly members: Pick<Members, 'all'>;
}

export class Announcements {
  readonly #options: AnnouncementsOptions;

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
  }

  /** Sends the message to the peers that are connected. */
  toPeers(message: ControlMessage): void {
    for (const peer of this.#options.network.peers()) peer.send(message);
  }

  /**
   * Sends the message over every way that is open: to the peers, through Redis and, if a member is not
   * connected, as a hint through the database.
   */
  everywhere(message: ControlMessage): void {
    const { leases, store, members } = this.#options;
    this.toPeers(message);
    leases.publish(JSON.stringify(message)).catch(() => undefined);
    const isUnreached = [...members.all()].some((member) => member.peer === undefined);
    if (isUnreached) store.notify(message.type).catch(() => undefined);
  }
}
