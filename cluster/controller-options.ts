// The settings and parts that a node gives to its controller.
import type { Clock } from '../actors/clock.ts';
import type { LinkOptions } from '../actors/link/link.ts';
import type { ThreadCounts } from '../actors/metrics/thread-counts.ts';
import type { ControlStore, OpenedSession } from '../actors/storage/store.ts';
import type { Lease, LeaseStore } from './liveness/lease-store.ts';
import type { OperatorEventsOptions } from './operator-events.ts';
import type { PeerNetwork } from './peer/network.ts';
import type { Pin } from './placement/pins.ts';
import type { Rings } from './placement/rings.ts';
import type { OwnerLinkListener } from './shards/owner-link.ts';
import type { Router } from './shards/router.ts';

export interface ControllerOptions extends Pick<OperatorEventsOptions, 'onLeaveAsked' | 'figures'> {
  readonly run: string;
  readonly node: string;
  /** host:port that peers dial. */
  readonly address: string;
  readonly weight: number;
  /** The `wss://host:port` where clients reach this node. Undefined if the other nodes are not told one. */
  readonly clientUrl?: string;
  readonly session: OpenedSession;
  /** Pins of the configuration. */
  readonly pins: readonly Pin[];
  readonly rings: Rings;
  readonly store: ControlStore;
  readonly leases: LeaseStore;
  readonly network: PeerNetwork;
  readonly router: Router;
  readonly listener: OwnerLinkListener;
  readonly link: LinkOptions;
  readonly clock: Clock;
  /** The counts of this thread. */
  readonly counts?: ThreadCounts;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /** Sets the lease that the lease thread writes from now on. */
  readonly setLease: (lease: Lease) => void;
  /** Called when this run is fenced: none of its later writes will be accepted. */
  readonly onFenced: () => void;
  /** Called when another node has changed rights of users. A call may be missing. */
  readonly onRightsChanged?: () => void;
}
