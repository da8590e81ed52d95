// The news of this node for the other nodes: its lease, its shards, its clients, and whether it reaches the
// database. A peer that connects is told all of it, and all peers are told every change.
import type { Quarantined } from '../../actors/quarantine.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Lease } from '../liveness/lease-store.ts';
import type { Peer } from '../peer/network.ts';
import type { Announcements } from './announcements.ts';
import { type ControlMessage, quarantinedMessage } from './control-messages.ts';

export interface OwnNewsOptions {
  readonly view: Pick<ClusterView, 'own' | 'map'>;
  readonly announcements: Pick<Announcements, 'toPeers' | 'everywhere'>;
  readonly lease: () => Lease;
  /** Sets the lease that the lease thread writes from now on. */
  readonly setLease: (lease: Lease) => void;
  /** The URL where clients reach this node. Undefined if the other nodes are not told one. */
  readonly clientUrl: string | undefined;
  /** Clients connected to this node. Undefined until the node takes clients. */
  readonly clients: () => number | undefined;
  /** At most so many documents that are out of service. */
  readonly quarantined: (most: number) => readonly Quarantined[];
}

/** Quarantined documents that a peer is told when it connects. */
const MOST_QUARANTINED_TOLD = 100;

export class OwnNews {
  readonly #options: OwnNewsOptions;
  #database = true;

  constructor(options: OwnNewsOptions) {
    this.#options = options;
  }

  get reachesDatabase(): boolean {
    return this.#database;
  }

  /** The lease has changed. A node that joins is announced to no other node yet. */
  leaseChanged(lease: Lease): void {
    this.#options.setLease(lease);
    if (lease.state !== 'joining') this.#options.announcements.everywhere({ type: 'state', lease });
  }

  databaseReached(reached: boolean): void {
    this.#database = reached;
    this.#options.announcements.toPeers({ type: 'database', reached });
  }

  /** Tells a peer that has just connected the state of this node. */
  greet(peer: Pick<Peer, 'send'>): void {
    for (const message of this.#all()) peer.send(message);
  }

  *#all(): Iterable<ControlMessage> {
    const { view, lease, clients, clientUrl, quarantined } = this.#options;
    const count = clients();
    yield { type: 'state', lease: lease() };
    for (const [, { session }] of view.own.all()) {
      const entries = view.map.entriesOf(view.map.shardsOf(session));
      if (entries.length > 0) yield { type: 'map', entries };
    }
    if (!this.#database) yield { type: 'database', reached: false };
    if (count !== undefined) yield { type: 'clients', count };
    for (const each of quarantined(MOST_QUARANTINED_TOLD)) yield quarantinedMessage(each);
    if (clientUrl !== undefined) yield { type: 'url', url: clientUrl };
  }
}
