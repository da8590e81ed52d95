// Follows the other runs of the cluster from their arrival to their end: it keeps the members up to date with
// the news of peers, leases and the database, dials each member, and feeds the takeover with signs of life. It
// answers what has changed; the caller moves shards and routes.
import type { Clock } from '../../actors/clock.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { ControlStore, OpenedSession, SessionId } from '../../actors/storage/store.ts';
import type { ControlMessage } from '../news/control-messages.ts';
import type { Peer, PeerEnd, PeerNetwork } from '../peer/network.ts';
import { PeerDials } from '../peer/peer-dials.ts';
import type { Lease, LeaseStore } from './lease-store.ts';
import type { Member, Members } from './members.ts';
import { PendingLeases } from './pending-leases.ts';
import { readSessions, type SessionChanges } from './session-reading.ts';
import { Takeover } from './takeover.ts';

export interface MemberTrackerOptions {
  readonly run: string;
  /** host:port of this node. */
  readonly address: string;
  readonly session: OpenedSession;
  readonly members: Members;
  readonly store: ControlStore;
  readonly leases: LeaseStore;
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly counts: ThreadCounts;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /** Sends to all peers. */
  readonly tell: (message: ControlMessage) => void;
  /** Called when another run has been fenced and can no longer write. */
  readonly onFenced: (run: string) => void;
  readonly onSelfFenced: () => void;
}

/** The control messages about lives and deaths. */
export type LivenessMessage = Extract<ControlMessage, { type: 'fenced' | 'suspicion' | 'database' }>;

export class MemberTracker {
  readonly #options: MemberTrackerOptions;
  readonly #dials: PeerDials;
  readonly #takeover: Takeover;
  /** Leases of runs that the database has not shown yet. */
  readonly #early = new PendingLeases();

  constructor(options: MemberTrackerOptions) {
    this.#options = options;
    const { network } = options;
    this.#dials = new PeerDials(network);
    this.#takeover = new Takeover({
      ...options,
      probe: (run, timeoutMs) => this.#dials.probe(run, timeoutMs),
    });
  }

  /** Watches for dead members, until the returned function is called. */
  start(): () => void {
    return this.#takeover.start();
  }

  stop(): void {
    this.#dials.endAll();
  }

  /** Takes a lease of another run. 'unknown': the database has not shown that run yet. */
  learn(lease: Lease): 'unknown' | 'changed' | 'unchanged' {
    const { members, clock } = this.#options;
    const now = clock.now();
    if (members.get(lease.run) === undefined) {
      this.#early.keep(lease, now);
      return 'unknown';
    }
    return members.learn(lease, now) ? 'changed' : 'unchanged';
  }

  /** Returns the member behind the new connection. Undefined if the database has not shown it yet. */
  peerUp(peer: Peer): Member | undefined {
    const takeover = this.#takeover;
    peer.onHeartbeat(() => takeover.heard(peer.run, 'heartbeat'));
    peer.onPulse(() => takeover.heard(peer.run, 'pulse'));
    const member = this.#options.members.get(peer.run);
    if (member === undefined) return undefined;
    member.peer = peer;
    takeover.linkUp(peer.run);
    return member;
  }

  /** Returns the member that is not connected any more. Undefined if this was not its connection. */
  peerDown(peer: Peer, reason: PeerEnd): Member | undefined {
    const member = this.#options.members.get(peer.run);
    if (member?.peer !== peer) return undefined;
    member.peer = undefined;
    this.#takeover.linkDown(peer.run, reason);
    return member;
  }

  dialFailed(run: string, how: 'refused' | 'replaced' | 'unreachable'): void {
    this.#takeover.dialFailed(run, how);
  }

  /** Takes a message of the node with the run `by`. */
  told(message: LivenessMessage, by: string): void {
    if (message.type === 'fenced') this.wasFenced(message.run);
    else if (message.type === 'database') this.#takeover.database(message.reached, by);
    else this.#takeover.suspicion(message.run, by, message.suspects);
  }

  /** Whether this node reaches the database. */
  database(reached: boolean): void {
    this.#takeover.database(reached);
  }

  /** A node says that it has fenced this run. The outcome is reported as for a fencing of our own. */
  wasFenced(run: string): void {
    this.#takeover.wasFenced(run);
  }

  /**
   * Reads the runs that live by the database. The runs that have come are dialled from now on, and the runs
   * that have gone no more.
   */
  async read(): Promise<SessionChanges | 'self-fenced'> {
    const changes = await readSessions(this.#options);
    if (changes === 'self-fenced') return changes;
    for (const member of changes.come) this.#met(member);
    for (const { run } of changes.gone) this.#left(run);
    return changes;
  }

  /** Forgets a fenced run. Returns its sessions, or undefined if the run was not known. */
  forget(run: string): readonly SessionId[] | undefined {
    const { members } = this.#options;
    if (members.get(run) === undefined) return undefined;
    this.#left(run);
    return members.remove(run);
  }

  #met(member: Member): void {
    const { members, network, address, clock } = this.#options;
    this.#takeover.known(member.run);
    const early = this.#early.take(member.run);
    if (early !== undefined) members.learn(early, clock.now());
    if (member.address === address) this.#takeover.predecessor(member.run);
    member.peer = network.peers().find((peer) => peer.run === member.run);
    if (member.peer !== undefined) this.#takeover.linkUp(member.run);
    this.#dials.begin(member);
  }

  #left(run: string): void {
    this.#dials.end(run);
    this.#takeover.gone(run);
  }
}
