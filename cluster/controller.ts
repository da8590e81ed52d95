// The part of a node in the cluster. The controller ties the rooms of this folder together: it passes each
// event of peers, Redis, the database and the node's workers to the rooms that need it, and carries on with
// their answers. It decides nothing that a room decides, and runs no documents.
import { ThreadCounts } from '../actors/metrics/thread-counts.ts';
import type { Quarantined } from '../actors/quarantine.ts';
import type { SessionId } from '../actors/storage/store.ts';
import { type ClusterStatus, clusterStatus } from './cluster-status.ts';
import { ClusterView } from './cluster-view.ts';
import type { ControllerOptions } from './controller-options.ts';
import type { Lease, MapEntry } from './liveness/lease-store.ts';
import { MemberTracker } from './liveness/member-tracker.ts';
import { OwnLease } from './liveness/own-lease.ts';
import { Announcements } from './news/announcements.ts';
import { ClientDirectory } from './news/client-directory.ts';
import {
  type ControlMessage,
  controlMessage,
  controlMessageOfText,
  quarantinedMessage,
} from './news/control-messages.ts';
import { OwnNews } from './news/own-news.ts';
import { OperatorEvents } from './operator-events.ts';
import type { Peer, PeerEnd } from './peer/network.ts';
import { PeerLinks } from './peer/peer-links.ts';
import { PinBoard } from './placement/pin-board.ts';
import { NodeShards } from './shards/node-shards.ts';
import type { OwnerLink } from './shards/owner-link.ts';
import { SerialReading } from './timing/serial-reading.ts';
import type { SlotHost, SlotListener } from './workers/slot-host.ts';

const SWEEP_MS = 2000;
/** The number of sweeps after which the whole map is read from the database. */
const SWEEPS_PER_MAP = 5;
/** Pause between two consecutive readings of the cluster. */
const READING_GAP_MS = 20;

export class Controller implements SlotListener {
  readonly #options: ControllerOptions;
  readonly #view: ClusterView;
  readonly #lease: OwnLease;
  readonly #members: MemberTracker;
  readonly #shards: NodeShards;
  readonly #links: PeerLinks;
  readonly #announcements: Announcements;
  readonly #news: OwnNews;
  /** The clients of this node and of the other nodes, as the peers tell. */
  readonly clients: ClientDirectory;
  readonly #operators: OperatorEvents;
  readonly #reading: SerialReading;
  readonly #closers: (() => unknown)[] = [];
  #slots: SlotHost | undefined;
  #sweeps = 0;
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#options = options;
    const { network, clock, listener, leases, store, log, counts = new ThreadCounts() } = options;
    const pinBoard = new PinBoard({
      store,
      configured: options.pins,
      onChange: () => this.#shards.claimSoon(),
      onFailed: (error) => log('warn', 'the pins could not be read', { error: String(error) }),
    });
    const view = new ClusterView(options.node, pinBoard);
    const { members, own } = view;
    const lease = new OwnLease({ ...options, session: options.session.id }, () => own.all());
    const announcements = new Announcements({ network, leases, store, members });
    this.#view = view;
    this.#lease = lease;
    this.#announcements = announcements;
    this.clients = new ClientDirectory({
      ...options,
      members,
      isServing: () => lease.state === 'live',
      onChange: (count) => announcements.toPeers({ type: 'clients', count }),
    });
    const moving = (): ReadonlyMap<string, number> => this.#shards.moving();
    this.#operators = new OperatorEvents({ ...options, pinBoard, moving, workers: () => this.#slots });
    this.#news = new OwnNews({
      view,
      announcements,
      lease: () => lease.current(),
      clients: () => this.clients.own,
      setLease: options.setLease,
      clientUrl: options.clientUrl,
      quarantined: (most) => this.#slots?.quarantined(most) ?? [],
    });
    this.#members = new MemberTracker({
      ...options,
      counts,
      members,
      tell: (message) => announcements.toPeers(message),
      onFenced: (run) => this.#runFenced(run),
      onSelfFenced: () => this.fenced(),
    });
    this.#links = new PeerLinks({
      link: options.link,
      clock,
      log: options.log,
      listener,
      onLost: (link) => this.#shards.linkLost(link),
      attach: (session, stream) => this.#slots?.attach(session, stream) ?? false,
    });
    this.#shards = new NodeShards({
      ...options,
      counts,
      view,
      links: this.#links,
      state: () => lease.state,
      workers: () => this.#slots,
      announce: (message) => announcements.everywhere(message),
      onStale: () => this.#reading.request(),
    });
    this.#reading = new SerialReading({
      clock,
      gapMs: READING_GAP_MS,
      read: () => this.#read(),
      onEnd: (error) => {
        if (error !== undefined)
          log('warn', 'the state of the cluster could not be read', { error: String(error) });
        this.#shards.claimSoon();
      },
    });
    network.onEvent((event) => {
      if (event.type === 'up') this.#peerUp(event.peer);
      else if (event.type === 'down') this.#peerDown(event.peer, event.reason);
      else this.#members.dialFailed(event.target.run, event.type);
    });
    // A peer that connected before this listener was attached has sent its state in vain. It dials again.
    for (const peer of network.peers()) peer.close();
  }

  /** Joins the cluster. `isRouted` turns true once every shard has an owner that this node can reach. */
  async start(slots: SlotHost): Promise<void> {
    const { store, leases, clock } = this.#options;
    const { pinBoard } = this.#view;
    this.#slots = slots;
    const events = await store.listen({
      onEvent: (event) => this.#notified(event),
      onGap: () => {
        void pinBoard.read();
        this.#shards.markStale();
      },
    });
    if (this.#stopped) return events.close();
    this.#closers.push(() => events.close());
    this.#closers.push(
      leases.subscribe({ onEvent: (event) => this.#published(event), onGap: () => this.#reading.request() }),
    );
    const [{ timeline }] = await Promise.all([store.timeline(), pinBoard.read()]);
    if (this.#stopped) return;
    this.#lease.raiseTimeline(timeline);
    // A node that is told to leave while it joins does not serve any more.
    if (this.#lease.state === 'joining') this.#lease.setState('live');
    this.#news.leaseChanged(this.#lease.current());
    this.#closers.push(clock.every(SWEEP_MS, () => this.#sweep()));
    this.#closers.push(this.#shards.start());
    this.#closers.push(this.#members.start());
    await store.notify('members').catch(() => undefined);
    this.#reading.request();
  }

  /** True if every shard is routed to an owner. */
  get isRouted(): boolean {
    return this.#shards.isRouted;
  }

  /**
   * Hands all shards over to the other nodes. Resolves when no shard is left, when no other node can take
   * shards, or after `timeoutMs`. The node takes no shards from now on.
   */
  async drain(timeoutMs: number): Promise<void> {
    const { store, session } = this.#options;
    if (this.#stopped) return;
    this.#lease.setState('draining');
    this.#news.leaseChanged(this.#lease.current());
    const told = store.setState(session, 'draining').catch(() => undefined);
    const { drained, end } = this.#shards.drain(timeoutMs, told);
    this.#closers.push(end);
    await drained;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#reading.stop();
    this.#shards.stop();
    for (const close of this.#closers.splice(0).reverse()) await close();
    this.#members.stop();
    await this.#options.leases.release(this.#options.run).catch(() => undefined);
  }

  status(): ClusterStatus {
    return clusterStatus(this.#view, this.#lease.current(), this.#shards.moving());
  }

  /** Whether the database answers about this node's sessions. */
  database(reached: boolean): void {
    this.#members.database(reached);
    this.#news.databaseReached(reached);
  }

  /**
   * True if the node has lost the database and all other nodes. The others may go on without it, and it
   * cannot notice.
   */
  get isCutOff(): boolean {
    const hasPeers = this.#options.network.peers().length > 0;
    return !this.#news.reachesDatabase && this.#view.members.size > 0 && !hasPeers;
  }

  /**
   * Shards of nodes that are live in the database, but not connected to this node. A node without its
   * database does not know which nodes live.
   */
  unreachedShards(): readonly number[] {
    return this.#news.reachesDatabase ? this.#view.unreachedShards() : [];
  }

  up(slot: number, session: SessionId, link: OwnerLink): void {
    this.#view.own.up(slot, session, link);
    this.#news.leaseChanged(this.#lease.current());
    // The shards of the previous worker are free by now.
    this.#shards.markStale();
  }

  down(slot: number, link: OwnerLink): void {
    const lost = this.#view.own.down(slot);
    if (lost !== undefined) this.#shards.unreached([lost.session]);
    this.#options.listener.lost(link);
    this.#news.leaseChanged(this.#lease.current());
  }

  docFailed(doc: string): void {
    this.#announcements.toPeers({ type: 'death', doc });
  }

  /** Other nodes are told, because a node that joined after the first failure has not counted all of them. */
  quarantined(quarantined: Quarantined): void {
    this.#announcements.toPeers(quarantinedMessage(quarantined));
  }

  /** Gives the other nodes the hint that rights of users have changed. */
  tellRights(): void {
    this.#announcements.everywhere({ type: 'rights' });
  }

  fenced(): void {
    if (this.#stopped) return;
    this.#options.log('error', 'this run is fenced', {});
    this.#options.onFenced();
  }

  #peerUp(peer: Peer): void {
    this.#links.up(peer);
    peer.onControl((value) => {
      const message = controlMessage(value);
      if (message !== undefined) this.#control(peer, message);
    });
    this.#news.greet(peer);
    const member = this.#members.peerUp(peer);
    if (member === undefined) this.#reading.request();
    else this.#shards.memberReached(member);
  }

  #peerDown(peer: Peer, reason: PeerEnd): void {
    this.#links.down(peer);
    const member = this.#members.peerDown(peer, reason);
    if (member === undefined) return;
    this.#shards.unreached(member.workers.values());
    // Messages from this peer may be lost.
    this.#shards.markStale();
  }

  #control(peer: Peer, message: ControlMessage): void {
    switch (message.type) {
      case 'state':
        if (message.lease.run === peer.run) this.#learnLease(message.lease);
        return;
      case 'map':
        this.#learnOwners(message.entries);
        return;
      case 'handed':
        this.#shards.adopt(message.session, message.shards);
        return;
      case 'fenced':
      case 'suspicion':
      case 'database':
        this.#members.told(message, peer.run);
        return;
      case 'death':
        this.#slots?.countFailure(message.doc);
        return;
      case 'quarantined':
        this.#slots?.adoptQuarantined(message);
        return;
      case 'rights':
        this.#options.onRightsChanged?.();
        return;
      case 'clients':
        this.clients.setCount(peer, message.count);
        return;
      case 'url':
        this.clients.setUrl(peer, message.url);
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  #learnLease(lease: Lease): void {
    if (lease.run === this.#options.run) return;
    this.seeTimeline(lease.timeline);
    const news = this.#members.learn(lease);
    if (news === 'unknown') this.#reading.request();
    const member = this.#view.members.get(lease.run);
    if (news !== 'changed' || member === undefined) return;
    this.#shards.memberReached(member);
    this.#shards.claimSoon();
  }

  #learnOwners(entries: readonly MapEntry[]): void {
    const areKnown = this.#shards.learn(entries);
    if (!areKnown) this.#reading.request();
  }

  /** The store must refuse a database server that has missed a failover. */
  seeTimeline(timeline: number): void {
    if (!this.#lease.raiseTimeline(timeline)) return;
    this.#options.store.refuseBelow(timeline);
    this.#news.leaseChanged(this.#lease.current());
  }

  /** Every event that is not an operator's is a hint that something has changed. */
  #notified(event: string): void {
    if (event === 'rights') {
      this.#options.onRightsChanged?.();
      return;
    }
    if (!this.#operators.handle(event)) this.#reading.request();
  }

  #published(event: string): void {
    const message = controlMessageOfText(event);
    if (message?.type === 'map') this.#learnOwners(message.entries);
    else if (message?.type === 'fenced') this.#members.wasFenced(message.run);
    else if (message?.type === 'state') this.#learnLease(message.lease);
    else if (message?.type === 'rights') this.#options.onRightsChanged?.();
  }

  #sweep(): void {
    if (++this.#sweeps % SWEEPS_PER_MAP === 0) {
      void this.#view.pinBoard.read();
      this.#shards.markStale();
    } else this.#reading.request();
  }

  /** Reads the members anew, and also the owners of shards if they may have changed unnoticed. */
  async #read(): Promise<void> {
    const { store, leases, session } = this.#options;
    const { members } = this.#view;
    const changes = await this.#members.read();
    if (this.#stopped) return;
    if (changes === 'self-fenced') {
      this.fenced();
      return;
    }
    // Shards of a member that were learnt before the member was known are not routed yet.
    for (const member of changes.come) this.#shards.memberReached(member);
    this.#shards.fenced(changes.fenced);
    // The lease of a run that has ended may still be there. It is no reason to read again.
    for (const lease of await leases.list().catch(() => []))
      if (members.get(lease.run) !== undefined) this.#learnLease(lease);
    for (const [run, sessions] of changes.abandoned)
      if (await store.fence(session, { run })) this.#shards.fenced(sessions);
    await this.#shards.read(changes.own);
  }

  #runFenced(run: string): void {
    const sessions = this.#members.forget(run);
    if (sessions === undefined) return;
    this.#shards.fenced(sessions);
    this.#shards.markStale();
  }
}
