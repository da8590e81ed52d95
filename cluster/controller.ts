// The part of a node in the cluster. The controller keeps the picture of members and shard owners up to date,
// and passes every event to the modules that route shards (routes.ts), acquire them (acquisition.ts), hand
// them over (hand-over.ts) and fence dead nodes (takeover.ts). PostgreSQL decides which session may write, so
// a picture that lags causes a pause, never a lost edit. The controller runs no documents.
//
// The file has over 400 lines, because every event of the cluster meets the one picture here.
import type { Clock } from '../actors/clock.ts';
import type { LinkOptions } from '../actors/link/link.ts';
import type { Quarantined } from '../actors/quarantine.ts';
import type { ControlStore, OpenedSession, SessionId } from '../actors/storage/store.ts';
import { Backoff } from './backoff.ts';
import { EarlyLeases } from './liveness/early-leases.ts';
import type { Lease, LeaseStore, MapEntry } from './liveness/lease-store.ts';
import { CONTROL_SLOT, type Member } from './liveness/members.ts';
import { Takeover } from './liveness/takeover.ts';
import { answerRelease, encodeOperatorEvent, type LeaveProgress, operatorEvent } from './operator-events.ts';
import { addressOf } from './peer/address.ts';
import { type ControlMessage, controlMessage, quarantinedMessage } from './peer/control-messages.ts';
import type { Peer, PeerDial, PeerEnd, PeerNetwork, PeerStream } from './peer/network.ts';
import { PeerLinks } from './peer/peer-links.ts';
import { Picture } from './picture.ts';
import { PinBoard } from './placement/pin-board.ts';
import type { Pin } from './placement/pins.ts';
import { Planner } from './placement/planner.ts';
import type { Rings } from './placement/rings.ts';
import { Acquisition } from './shards/acquisition.ts';
import { HandOver } from './shards/hand-over.ts';
import type { OwnerLink, OwnerLinkListener } from './shards/owner-link.ts';
import type { Router } from './shards/router.ts';
import { Routes } from './shards/routes.ts';
import type { Epochs, SlotListener } from './workers.ts';

/** The workers of this node; see `Workers`. */
export interface SlotHost {
  claim(slot: number, shards: readonly number[]): Promise<Epochs>;
  adopt(slot: number, shards: readonly number[]): Promise<Epochs>;
  release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs>;
  attach(session: SessionId, stream: PeerStream): boolean;
  /** The next four methods are those of `Workers`. */
  countFailure(doc: string): void;
  adoptQuarantined(quarantined: Quarantined): void;
  releaseQuarantined(doc: string): boolean;
  quarantined(most: number): readonly Quarantined[];
}

export interface ControllerOptions {
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
  /** 0 <= x < 1. */
  readonly random: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields: object) => void;
  /** Sets the lease that the lease thread writes from now on. */
  readonly setLease: (lease: Lease) => void;
  /** Called when this run is fenced: none of its later writes will be accepted. */
  readonly onFenced: () => void;
  /** Called when an operator wants the node to leave; returns the progress. May be called again. */
  readonly onLeaveAsked?: () => LeaveProgress;
}

/** The number of clients connected to a node, and the node's weight, which sets its share. */
export interface ClientShare {
  readonly node: string;
  readonly clients: number;
  readonly weight: number;
}

const SWEEP_MS = 2000;
/** The number of sweeps after which the whole map is read from the database. */
const SWEEPS_PER_MAP = 5;
const MOVE_EVERY_MS = 200;
/** Shards that each worker hands over at a time. */
const MOVE_SHARDS = 16;
const DRAIN_SHARDS = 64;
const REROUTE_MS = 100;
const REROUTE_MOST_MS = 3000;
const RECONCILE_MS = 10;
/** Quarantined documents that a peer is told when it connects. */
const MOST_QUARANTINED_TOLD = 100;
/** Pause between two consecutive readings. */
const REFRESH_GAP_MS = 20;

export class Controller implements SlotListener {
  private readonly options: ControllerOptions;
  private readonly picture: Picture;
  private readonly links: PeerLinks;
  private readonly routes: Routes;
  private readonly planner: Planner;
  private readonly acquisition: Acquisition;
  private readonly handOver: HandOver;
  private readonly takeover: Takeover;
  private readonly dials = new Map<string, PeerDial>();
  private slots: SlotHost | undefined;
  private state: Lease['state'] = 'joining';
  private readonly closers: (() => unknown)[] = [];
  /** Leases of runs that the database has not shown yet. */
  private readonly early = new EarlyLeases();
  private sweeps = 0;
  private refreshing = false;
  private refreshAgain = false;
  private wantMap = true;
  private someFreed = false;
  /** Clients connected to this node. Undefined until the node takes clients. */
  private clients: number | undefined;
  /** Client counts as told by the peers, possibly before the database has shown the peer's run. */
  private readonly clientsAt = new WeakMap<Peer, number>();
  private readonly urlOf = new WeakMap<Peer, string>();
  private reconciling = false;
  private rerouting = false;
  /**
   * Delays before routes are made again. A worker that is down but not fenced yet refuses its streams,
   * possibly for long.
   */
  private readonly reroutes: Backoff;
  private stopped = false;
  private timeline = 0;
  private reachesDatabase = true;

  constructor(options: ControllerOptions) {
    this.options = options;
    const { network, router, clock, listener, link, leases, store, session, run, node, weight, rings, log } =
      options;
    const pins = new PinBoard({
      store,
      configured: options.pins,
      onChange: () => this.reconcileSoon(),
      onFailed: (error) => log('warn', 'the pins could not be read', { error: String(error) }),
    });
    const picture = new Picture(node, pins);
    this.picture = picture;
    this.links = new PeerLinks({
      link,
      clock,
      listener,
      onLost: (lost) => this.linkLost(lost),
      attach: (target, stream) => this.slots?.attach(target, stream) ?? false,
    });
    this.takeover = new Takeover({
      run,
      session,
      store,
      leases,
      clock,
      log,
      members: picture.members,
      probe: (target, timeoutMs) => this.dials.get(target)?.redialNow(timeoutMs),
      tell: (message) => this.broadcast(message),
      onFenced: (victim) => this.runFenced(victim),
      onSelfFenced: () => this.fenced(),
    });
    this.reroutes = new Backoff(clock, { firstMs: REROUTE_MS, mostMs: REROUTE_MOST_MS });
    const state = () => this.state;
    this.routes = new Routes({ picture, router, listener, links: this.links });
    this.planner = new Planner({ picture, node, weight, rings, clock, state });
    const shared = {
      picture,
      planner: this.planner,
      routes: this.routes,
      node,
      clock,
      log,
      onStale: () => this.mapIsStale(),
    };
    const none = Promise.resolve<Epochs>(new Map());
    this.acquisition = new Acquisition({
      ...shared,
      leases,
      slots: {
        claim: (slot, shards) => this.slots?.claim(slot, shards) ?? none,
        adopt: (slot, shards) => this.slots?.adopt(slot, shards) ?? none,
      },
      announce: (message) => this.announce(message),
      onFree: () => this.reconcileSoon(),
    });
    this.handOver = new HandOver({
      ...shared,
      slots: { release: (slot, shards, to) => this.slots?.release(slot, shards, to) ?? none },
      adopt: (to, shards) => void this.acquisition.adopt(to, shards),
    });
    network.onEvent((event) => {
      if (event.type === 'up') this.peerUp(event.peer);
      else if (event.type === 'down') this.peerDown(event.peer, event.reason);
      else this.takeover.dialFailed(event.target.run, event.type);
    });
    // A peer that connected before this listener was attached has sent its state in vain. It dials again.
    for (const peer of network.peers()) peer.close();
  }

  /** Joins the cluster. `isRouted` turns true once every shard has an owner that this node can reach. */
  async start(slots: SlotHost): Promise<void> {
    const { store, leases, clock } = this.options;
    this.slots = slots;
    const events = await store.listen({
      onEvent: (event) => this.notified(event),
      onGap: () => {
        void this.picture.pins.read();
        this.mapIsStale();
      },
    });
    if (this.stopped) return events.close();
    this.closers.push(() => events.close());
    this.closers.push(
      leases.subscribe({ onEvent: (event) => this.published(event), onGap: () => this.refresh() }),
    );
    [{ timeline: this.timeline }] = await Promise.all([store.timeline(), this.picture.pins.read()]);
    if (this.stopped) return;
    this.setState('live');
    this.closers.push(clock.every(SWEEP_MS, () => this.sweep()));
    this.closers.push(clock.every(MOVE_EVERY_MS, () => this.move()));
    this.closers.push(this.takeover.start());
    await store.notify('members').catch(() => undefined);
    this.refresh();
  }

  /** True if every shard is routed to an owner. */
  get isRouted(): boolean {
    return this.routes.isComplete;
  }

  /**
   * Hands all shards over to the other nodes. Resolves when no shard is left, when no other node can take
   * shards, or after `timeoutMs`. The node takes no shards from now on.
   */
  async drain(timeoutMs: number): Promise<void> {
    const { store, session, clock } = this.options;
    this.setState('draining');
    let isTold = false;
    const told = (): void => {
      isTold = true;
    };
    store.setState(session, 'draining').then(told, told);
    await new Promise<void>((resolve) => {
      const end = clock.after(timeoutMs, resolve);
      const done = (): void => {
        end();
        resolve();
      };
      const look = clock.every(MOVE_EVERY_MS / 4, () => {
        if (!isTold && !this.stopped) return;
        if (this.picture.ownedShards > 0 && this.planner.placeable().length > 0 && !this.stopped) {
          this.move();
          return;
        }
        look();
        done();
      });
      this.closers.push(look, done);
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.routes.end();
    this.acquisition.end();
    for (const close of this.closers.splice(0).reverse()) await close();
    for (const dial of this.dials.values()) dial.close();
    await this.options.leases.release(this.options.run).catch(() => undefined);
  }

  status(): {
    readonly state: Lease['state'];
    readonly members: readonly {
      readonly node: string;
      readonly run: string;
      readonly address: string;
      readonly state: Lease['state'];
      readonly connected: boolean;
      readonly shards: number;
    }[];
    readonly orphans: number;
  } {
    const { map, members } = this.picture;
    const loads = map.loads();
    const own = { node: this.options.node, run: this.options.run, address: this.options.address };
    const shardsOf = (sessions: Iterable<SessionId>): number =>
      [...sessions].reduce((sum, session) => sum + (loads.get(session) ?? 0), 0);
    return {
      state: this.state,
      members: [
        { ...own, state: this.state, connected: true, shards: this.picture.ownedShards },
        ...[...members.all()].map(({ node, run, address, state, peer, workers }) => ({
          node,
          run,
          address,
          state,
          connected: peer !== undefined,
          shards: shardsOf(workers.values()),
        })),
      ],
      orphans: map.orphans,
    };
  }

  /** Whether the database answers about this node's sessions. */
  database(reached: boolean): void {
    this.reachesDatabase = reached;
    this.takeover.database(reached);
    this.broadcast({ type: 'database', reached });
  }

  /**
   * True if the node has lost the database and all other nodes. The others may go on without it, and it
   * cannot notice.
   */
  get isCutOff(): boolean {
    return (
      !this.reachesDatabase && this.picture.members.size > 0 && this.options.network.peers().length === 0
    );
  }

  /** Tells the other nodes how many clients are connected to this node. */
  tellClients(count: number): void {
    if (count === this.clients) return;
    this.clients = count;
    this.broadcast({ type: 'clients', count });
  }

  /**
   * The client shares of this node and of all other serving nodes. Undefined if the share of any node is
   * unknown.
   */
  clientShares(): { readonly own: ClientShare; readonly others: readonly ClientShare[] } | undefined {
    if (this.state !== 'live') return undefined;
    const others: ClientShare[] = [];
    for (const { node, state, peer, weight } of this.picture.members.all()) {
      if (state !== 'live') continue;
      const clients = peer === undefined ? undefined : this.clientsAt.get(peer);
      if (clients === undefined) return undefined;
      others.push({ node, clients, weight });
    }
    const { node, weight } = this.options;
    return { own: { node, clients: this.clients ?? 0, weight }, others };
  }

  /**
   * The URLs of the other nodes that serve and are connected to this one, each once. Undefined if no node,
   * this one included, has a URL for clients.
   */
  clientUrls(): readonly string[] | undefined {
    const { clientUrl } = this.options;
    const urls = [...this.picture.members.all()].flatMap(({ state, peer }) => {
      const url = state === 'live' && peer !== undefined ? this.urlOf.get(peer) : undefined;
      return url === undefined || url === clientUrl ? [] : [url];
    });
    return urls.length === 0 && clientUrl === undefined ? undefined : [...new Set(urls)].sort();
  }

  /** Shards of nodes that are live in the database, but not connected to this node. */
  unreachedShards(): readonly number[] {
    if (!this.reachesDatabase) return [];
    return [...this.picture.members.all()]
      .filter(({ state, peer }) => state === 'live' && peer === undefined)
      .flatMap(({ workers }) =>
        [...workers.values()].flatMap((session) => this.picture.map.shardsOf(session)),
      );
  }

  // Workers of this node.

  up(slot: number, session: SessionId, link: OwnerLink): void {
    this.picture.own.up(slot, session, link);
    this.tellState();
    // The shards of the previous worker are free by now.
    this.mapIsStale();
  }

  down(slot: number, link: OwnerLink): void {
    const { own, map } = this.picture;
    const lost = own.down(slot);
    if (lost !== undefined) this.routes.drop(map.shardsOf(lost.session));
    this.options.listener.lost(link);
    this.tellState();
  }

  docFailed(doc: string): void {
    this.broadcast({ type: 'death', doc });
  }

  /** Other nodes are told, because a node that joined after the first failure has not counted all of them. */
  quarantined(quarantined: Quarantined): void {
    this.broadcast(quarantinedMessage(quarantined));
  }

  fenced(): void {
    if (this.stopped) return;
    this.options.log('error', 'this run is fenced', {});
    this.options.onFenced();
  }

  // Peers.

  private peerUp(peer: Peer): void {
    this.links.up(peer);
    peer.onControl((value) => {
      const message = controlMessage(value);
      if (message !== undefined) this.control(peer, message);
    });
    peer.onHeartbeat(() => this.takeover.heard(peer.run, 'heartbeat'));
    peer.onPulse(() => this.takeover.heard(peer.run, 'pulse'));
    peer.send({ type: 'state', lease: this.lease() } satisfies ControlMessage);
    for (const [, { session }] of this.picture.own.all()) {
      const entries = this.picture.map.entriesOf(this.picture.map.shardsOf(session));
      if (entries.length > 0) peer.send({ type: 'map', entries } satisfies ControlMessage);
    }
    if (!this.reachesDatabase) peer.send({ type: 'database', reached: false } satisfies ControlMessage);
    if (this.clients !== undefined)
      peer.send({ type: 'clients', count: this.clients } satisfies ControlMessage);
    for (const quarantined of this.slots?.quarantined(MOST_QUARANTINED_TOLD) ?? [])
      peer.send(quarantinedMessage(quarantined));
    if (this.options.clientUrl !== undefined)
      peer.send({ type: 'url', url: this.options.clientUrl } satisfies ControlMessage);
    const member = this.picture.members.get(peer.run);
    if (member === undefined) {
      this.refresh();
      return;
    }
    member.peer = peer;
    this.takeover.linkUp(peer.run);
    this.routes.leadTo(member);
  }

  private peerDown(peer: Peer, reason: PeerEnd): void {
    this.links.down(peer);
    const member = this.picture.members.get(peer.run);
    if (member?.peer !== peer) return;
    member.peer = undefined;
    this.routes.drop([...member.workers.values()].flatMap((session) => this.picture.map.shardsOf(session)));
    this.takeover.linkDown(peer.run, reason);
    // Messages from this peer may be lost.
    this.mapIsStale();
  }

  private control(peer: Peer, message: ControlMessage): void {
    switch (message.type) {
      case 'state':
        if (message.lease.run === peer.run) this.learn(message.lease);
        return;
      case 'map':
        this.apply(message.entries);
        return;
      case 'handed':
        void this.acquisition.adopt(message.session, message.shards);
        return;
      case 'fenced':
        this.takeover.wasFenced(message.run);
        return;
      case 'suspicion':
        this.takeover.suspicion(message.run, peer.run, message.suspects);
        return;
      case 'database':
        this.takeover.database(message.reached, peer.run);
        return;
      case 'death':
        this.slots?.countFailure(message.doc);
        return;
      case 'quarantined':
        this.slots?.adoptQuarantined(message);
        return;
      case 'clients':
        this.clientsAt.set(peer, message.count);
        return;
      case 'url':
        this.urlOf.set(peer, message.url);
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  private learn(lease: Lease): void {
    if (lease.run === this.options.run) return;
    this.seeTimeline(lease.timeline);
    if (this.picture.members.get(lease.run) === undefined) {
      this.early.keep(lease, this.options.clock.now());
      this.refresh();
    } else if (this.picture.members.learn(lease, this.options.clock.now())) {
      const member = this.picture.members.get(lease.run);
      if (member !== undefined) this.routes.leadTo(member);
      this.reconcileSoon();
    }
  }

  /** The store must refuse a database server that has missed a failover. */
  seeTimeline(timeline: number): void {
    if (timeline <= this.timeline) return;
    this.timeline = timeline;
    this.options.store.refuseBelow(timeline);
    this.tellState();
  }

  /**
   * Events of operators are handled by their type. Every other event is a hint that something has changed.
   */
  private notified(event: string): void {
    const { store, run, onLeaveAsked } = this.options;
    const asked = operatorEvent(event);
    if (asked === undefined) this.refresh();
    else if (asked.type === 'pins') void this.picture.pins.read();
    else if (asked.type === 'drain' && asked.run === run && onLeaveAsked !== undefined) {
      const answer = encodeOperatorEvent({ type: 'leaving', run, ...onLeaveAsked() });
      // If the answer is lost, the operator's command asks again.
      store.notify(answer).catch(() => undefined);
    } else if (asked.type === 'release' && this.slots !== undefined)
      answerRelease(store, run, this.slots, asked.doc);
  }

  private published(event: string): void {
    const message = controlMessage(parsed(event));
    if (message?.type === 'map') this.apply(message.entries);
    else if (message?.type === 'fenced') this.takeover.wasFenced(message.run);
    else if (message?.type === 'state') this.learn(message.lease);
  }

  private broadcast(message: ControlMessage): void {
    for (const peer of this.options.network.peers()) peer.send(message);
  }

  /** Sends the message to all nodes, over every way that is open. */
  private announce(message: ControlMessage): void {
    this.broadcast(message);
    this.options.leases.publish(JSON.stringify(message)).catch(() => undefined);
    const unreached = [...this.picture.members.all()].some((member) => member.peer === undefined);
    if (unreached) this.options.store.notify(message.type).catch(() => undefined);
  }

  private lease(): Lease {
    const { run, node, address, weight, session } = this.options;
    return {
      run,
      node,
      address,
      session: session.id,
      state: this.state,
      weight,
      workers: [...this.picture.own.all()].map(([slot, { session: id }]) => ({ slot, session: id })),
      timeline: this.timeline,
    };
  }

  private setState(state: Lease['state']): void {
    this.state = state;
    this.tellState();
  }

  private tellState(): void {
    const lease = this.lease();
    this.options.setLease(lease);
    if (this.state !== 'joining') this.announce({ type: 'state', lease });
  }

  // The picture.

  private sweep(): void {
    if (++this.sweeps % SWEEPS_PER_MAP === 0) {
      this.wantMap = true;
      void this.picture.pins.read();
    }
    this.refresh();
  }

  /**
   * Reads the members anew, and also the owners if they may have changed unnoticed. One reading runs at a
   * time.
   */
  private refresh(): void {
    if (this.stopped) return;
    if (this.refreshing) {
      this.refreshAgain = true;
      return;
    }
    this.refreshing = true;
    this.refreshAgain = false;
    this.read()
      .catch((error: unknown) =>
        this.options.log('warn', 'the state of the cluster could not be read', { error: String(error) }),
      )
      .finally(() => {
        this.refreshing = false;
        this.reconcileSoon();
        if (this.refreshAgain) this.refreshLater();
      });
  }

  /** Events may arrive faster than the cluster can be read. */
  private refreshLater(): void {
    this.refreshing = true;
    this.options.clock.after(REFRESH_GAP_MS, () => {
      this.refreshing = false;
      this.refresh();
    });
  }

  private async read(): Promise<void> {
    const { store, leases, run } = this.options;
    const { map, own } = this.picture;
    const rows = await store.sessions();
    if (this.stopped) return;
    if (!rows.some((row) => row.id === this.options.session.id)) {
      this.fenced();
      return;
    }
    const led = new Set(rows.filter((row) => row.slot === CONTROL_SLOT).map((row) => row.run));
    const { come, gone, fenced } = this.picture.members.sync(
      rows.filter((row) => row.run !== run && led.has(row.run)),
    );
    const ownSessions = new Set(rows.filter((row) => row.run === run).map((row) => row.id));
    for (const member of come) this.met(member);
    for (const { member, sessions } of gone) this.leftBy(member, sessions);
    if (fenced.length > 0) this.freed(map.fence(fenced));
    // The lease of a run that has ended may still be there. It is no reason to read again.
    for (const lease of await leases.list().catch(() => []))
      if (this.picture.members.get(lease.run) !== undefined) this.learn(lease);
    // A worker may open a session just after its run was fenced. No other mechanism would find that session.
    for (const lost of new Set(rows.map((row) => row.run))) {
      if (!led.has(lost) && (await store.fence(this.options.session, { run: lost })))
        this.freed(map.fence(rows.filter((row) => row.run === lost).map((row) => row.id)));
    }
    const orphans = await store.orphans();
    if (orphans.length > 0 || this.wantMap) {
      this.wantMap = false;
      const shards = await store.shardMap().catch((error: unknown) => {
        this.wantMap = true;
        throw error;
      });
      this.routes.lead(map.applyRows(shards));
      // The shards were handed to this node, but the message about it was lost.
      for (const [, { session }] of own.all()) {
        const strangers = map.shardsOf(session).filter((shard) => !this.routes.leadsHome(shard));
        if (ownSessions.has(session) && strangers.length > 0) void this.acquisition.adopt(session, strangers);
      }
    }
  }

  private met(member: Member): void {
    const { network, run } = this.options;
    if (member.run === run || this.dials.has(member.run)) return;
    this.takeover.known(member.run);
    const early = this.early.take(member.run);
    if (early !== undefined) this.picture.members.learn(early, this.options.clock.now());
    if (member.address === this.options.address) this.takeover.predecessor(member.run);
    member.peer = network.peers().find((peer) => peer.run === member.run);
    if (member.peer !== undefined) this.takeover.linkUp(member.run);
    // Shards of this member that were learnt before the member was known are not routed yet.
    this.routes.leadTo(member);
    this.dials.set(member.run, network.dial({ run: member.run, address: addressOf(member.address) }));
  }

  private leftBy(member: Member, sessions: readonly SessionId[]): void {
    this.dials.get(member.run)?.close();
    this.dials.delete(member.run);
    this.takeover.gone(member.run);
    this.freed(this.picture.map.fence(sessions));
  }

  private runFenced(run: string): void {
    const member = this.picture.members.get(run);
    if (member === undefined) return;
    this.leftBy(member, this.picture.members.remove(run));
    this.mapIsStale();
  }

  /** Handles shards that have lost their owner. */
  private freed(shards: readonly number[]): void {
    this.routes.drop(shards);
    if (shards.length > 0) this.someFreed = true;
    this.reconcileSoon();
  }

  private apply(entries: readonly MapEntry[]): void {
    const { map, members, own } = this.picture;
    const changed = map.apply(entries);
    this.acquisition.areOwned(changed);
    // Entries that the map knew already are routed too: after a hand-over a shard has no route until its new
    // owner announces it.
    const current = entries.filter((entry) => map.ownerOf(entry[0]) === entry[1]).map((entry) => entry[0]);
    const unknown = changed.some((shard) => {
      const owner = map.ownerOf(shard);
      return owner !== undefined && !own.has(owner) && members.ofSession(owner) === undefined;
    });
    this.routes.lead([...changed, ...current]);
    if (unknown) this.refresh();
  }

  /** Called when a worker of a peer has ended, or the whole peer. */
  private linkLost(link: OwnerLink): void {
    this.routes.linkLost(link);
    if (this.rerouting) return;
    this.rerouting = true;
    this.options.clock.after(this.reroutes.next(), () => {
      this.rerouting = false;
      if (this.stopped) return;
      this.mapIsStale();
      for (const member of this.picture.members.all()) this.routes.leadTo(member);
    });
  }

  // Moving shards.

  private reconcileSoon(): void {
    if (this.reconciling || this.stopped) return;
    this.reconciling = true;
    this.options.clock.after(RECONCILE_MS, () => {
      this.reconciling = false;
      // Shards that a fenced node has freed are known without a new reading of the map, and documents wait
      // for them.
      if (!this.stopped && this.state === 'live' && (!this.wantMap || this.someFreed))
        this.acquisition.claimOrphans();
      this.someFreed = false;
    });
  }

  private move(): void {
    if (this.stopped || this.state === 'joining' || this.wantMap) return;
    this.handOver.move(this.state === 'draining' ? DRAIN_SHARDS : MOVE_SHARDS);
  }

  /** Reads the map anew. No shard is handed over before that. */
  private mapIsStale(): void {
    this.wantMap = true;
    this.refresh();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
