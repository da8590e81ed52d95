// A node's part in the cluster: it keeps its own picture of members and shard owners, claims the shards that
// fall to it, hands over those that should be elsewhere, and leads the router where each shard's owner is. Who
// may write PostgreSQL decides; a picture that is behind costs a pause, never an edit. It runs no documents,
// and it fences nobody by itself: that is takeover.ts's.
//
// Over 400 lines, because every event of the cluster meets the one picture here.
import type { Clock } from '../actors/clock.ts';
import type { LinkOptions } from '../actors/link.ts';
import { SHARDS } from '../actors/shard.ts';
import type { ControlStore, OpenedSession, SessionId } from '../actors/storage/store.ts';
import { type ControlMessage, controlMessage } from './control-messages.ts';
import type { Lease, LeaseStore, MapEntry } from './lease-store.ts';
import { CONTROL_SLOT, type Member, Members } from './members.ts';
import { encodeOperatorEvent, type LeaveProgress, operatorEvent } from './operator-events.ts';
import type { OwnerLink, OwnerLinkListener } from './owner-link.ts';
import type { Peer, PeerDial, PeerNetwork, PeerStream } from './peer/network.ts';
import { PeerLinks } from './peer-links.ts';
import { PinBoard } from './pin-board.ts';
import { type Pin, pinnedNodes, type ResolvedPins } from './pins.ts';
import { rebalance } from './rebalance.ts';
import type { Placement } from './ring.ts';
import { keyOf, type Rings } from './rings.ts';
import type { Router } from './router.ts';
import { ShardMap } from './shard-map.ts';
import { Takeover } from './takeover.ts';
import type { Epochs, SlotListener } from './workers.ts';

/** The workers of this node, as `Workers` has them. */
export interface SlotHost {
  claim(slot: number, shards: readonly number[]): Promise<Epochs>;
  adopt(slot: number, shards: readonly number[]): Promise<Epochs>;
  release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs>;
  attach(session: SessionId, stream: PeerStream): boolean;
  /** As `Workers` has it. */
  diedOf(doc: string): void;
}

export interface ControllerOptions {
  readonly run: string;
  readonly node: string;
  /** host:port that peers dial. */
  readonly address: string;
  readonly weight: number;
  readonly session: OpenedSession;
  /** Of the configuration. */
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
  /** What the lease thread writes from now on. */
  readonly setLease: (lease: Lease) => void;
  /** This run is fenced: nothing of it will ever be written again. */
  readonly onFenced: () => void;
  /** An operator wants the node to leave, and is told how far it is. May be called again. */
  readonly onLeaveAsked?: () => LeaveProgress;
}

/** What should be where, for these members (`key`), pins and owners (`current`). */
interface Plan {
  readonly key: string;
  readonly pinsRevision: number;
  readonly current: Placement;
  /** Of the picture that it was last found to fit. */
  revision: number;
  readonly pins: ResolvedPins;
  readonly placement: Placement;
}

const SWEEP_MS = 2000;
/** The whole map is read from the database at least every so many sweeps. */
const SWEEPS_PER_MAP = 5;
/** A node gets shards from others when it has been live for so long. */
const STEADY_MS = 3000;
const MOVE_EVERY_MS = 200;
/** Shards handed over at once, for each worker. */
const MOVE_SHARDS = 16;
const DRAIN_SHARDS = 64;
/** Before a session that did not get its shards is handed some again. */
const REFUSED_MS = 2000;
/** Of shards that are the ring's to give to another, before anybody takes them. */
const ORPHAN_MS = 3000;
const REROUTE_MS = 100;
/** Nodes that say something of themselves before the database shows them. */
const EARLY_LEASES = 1000;
const RECONCILE_MS = 10;

export class Controller implements SlotListener {
  private readonly options: ControllerOptions;
  private readonly map = new ShardMap();
  private readonly members = new Members();
  private readonly links: PeerLinks;
  private readonly takeover: Takeover;
  private readonly pins: PinBoard;
  private readonly dials = new Map<string, PeerDial>();
  private slots: SlotHost | undefined;
  /** Of this node: slot -> session and link, while the worker is up. */
  private readonly own = new Map<number, { readonly session: SessionId; readonly link: OwnerLink }>();
  /** Rises with every change of those. */
  private ownRevision = 0;
  private readonly busy = new Set<number>();
  /** Sessions that did not get what was handed to them, and when. */
  private readonly refusals = new Map<SessionId, number>();
  private state: Lease['state'] = 'joining';
  private readonly closers: (() => unknown)[] = [];
  private plan: Plan | undefined;
  /** Of runs that the database has not shown yet. */
  private readonly early = new Map<string, Lease>();
  private readonly orphanSince = new Map<number, number>();
  private sweeps = 0;
  private refreshing = false;
  private refreshAgain = false;
  private wantMap = true;
  private someFreed = false;
  private reconciling = false;
  private rerouting = false;
  private stopped = false;
  private timeline = 0;
  private reachesDatabase = true;

  constructor(options: ControllerOptions) {
    this.options = options;
    const { network, clock, listener, link, leases, store, session, run, log } = options;
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
      members: this.members,
      probe: (target, timeoutMs) => this.dials.get(target)?.redialNow(timeoutMs),
      tell: (message) => this.broadcast(message),
      onFenced: (victim) => this.runFenced(victim),
      onSelfFenced: () => this.fenced(),
    });
    this.pins = new PinBoard({
      store,
      configured: options.pins,
      onChange: () => this.reconcileSoon(),
      onFailed: (error) => log('warn', 'the pins are not read', { error: String(error) }),
    });
    network.onEvent((event) => {
      if (event.type === 'up') this.peerUp(event.peer);
      else if (event.type === 'down') this.peerDown(event.peer, event.reason);
      else this.takeover.dialFailed(event.target.run, event.type);
    });
    // Who has connected before anybody listened here has said its piece to nobody: it dials again.
    for (const peer of network.peers()) peer.close();
  }

  /** Joins. `ready` resolves once every shard has an owner that this node can reach. */
  async start(slots: SlotHost): Promise<void> {
    const { store, leases, clock } = this.options;
    this.slots = slots;
    const events = await store.listen({
      onEvent: (event) => this.notified(event),
      onGap: () => {
        this.wantMap = true;
        void this.pins.read();
        this.refresh();
      },
    });
    if (this.stopped) return events.close();
    this.closers.push(() => events.close());
    this.closers.push(
      leases.subscribe({ onEvent: (event) => this.published(event), onGap: () => this.refresh() }),
    );
    [{ timeline: this.timeline }] = await Promise.all([store.timeline(), this.pins.read()]);
    if (this.stopped) return;
    this.setState('live');
    this.closers.push(clock.every(SWEEP_MS, () => this.sweep()));
    this.closers.push(clock.every(MOVE_EVERY_MS, () => this.move()));
    this.closers.push(this.takeover.start());
    await store.notify('members').catch(() => undefined);
    this.refresh();
  }

  /** Every shard leads somewhere. */
  get isRouted(): boolean {
    for (let shard = 0; shard < SHARDS; shard++)
      if (this.options.router.linkOfShard(shard) === undefined) return false;
    return true;
  }

  /** Shards that this node's workers own. */
  get ownedShards(): number {
    let count = 0;
    for (const { session } of this.own.values()) count += this.map.shardsOf(session).length;
    return count;
  }

  /**
   * Hands everything over to the others; resolves when nothing is left, when there is nobody to take it, or
   * after `timeoutMs`. The node takes no shards from now on.
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
        if (this.ownedShards > 0 && this.placeable().length > 0 && !this.stopped) {
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
    const loads = this.map.loads();
    const own = { node: this.options.node, run: this.options.run, address: this.options.address };
    const shardsOf = (sessions: Iterable<SessionId>): number =>
      [...sessions].reduce((sum, session) => sum + (loads.get(session) ?? 0), 0);
    return {
      state: this.state,
      members: [
        { ...own, state: this.state, connected: true, shards: this.ownedShards },
        ...[...this.members.all()].map(({ node, run, address, state, peer, workers }) => ({
          node,
          run,
          address,
          state,
          connected: peer !== undefined,
          shards: shardsOf(workers.values()),
        })),
      ],
      orphans: this.map.orphans,
    };
  }

  /** Whether the database answers about this node's sessions. */
  database(reached: boolean): void {
    this.reachesDatabase = reached;
    this.takeover.database(reached);
    this.broadcast({ type: 'database', reached });
  }

  /** It has lost the database and all other nodes: they go on without it, and it cannot know. */
  get isCutOff(): boolean {
    return !this.reachesDatabase && this.members.size > 0 && this.options.network.peers().length === 0;
  }

  // Workers of this node

  up(slot: number, session: SessionId, link: OwnerLink): void {
    this.own.set(slot, { session, link });
    this.ownRevision++;
    this.tellState();
    // What its predecessor owned is free by now.
    this.wantMap = true;
    this.refresh();
  }

  down(slot: number, link: OwnerLink): void {
    const lost = this.own.get(slot);
    this.own.delete(slot);
    this.ownRevision++;
    this.busy.delete(slot);
    if (lost !== undefined) this.unroute(this.map.shardsOf(lost.session));
    this.options.listener.lost(link);
    this.tellState();
  }

  died(doc: string): void {
    this.broadcast({ type: 'death', doc });
  }

  /** Our workers refuse it, whoever asks. Where another node owns it that one decides: it may have started afresh. */
  quarantine(): void {}

  fenced(): void {
    if (this.stopped) return;
    this.options.log('error', 'this run is fenced', {});
    this.options.onFenced();
  }

  // Peers

  private peerUp(peer: Peer): void {
    this.links.up(peer);
    peer.onControl((value) => {
      const message = controlMessage(value);
      if (message !== undefined) this.control(peer, message);
    });
    peer.onHeartbeat(() => this.takeover.heard(peer.run));
    peer.send({ type: 'state', lease: this.lease() } satisfies ControlMessage);
    for (const { session } of this.own.values()) {
      const entries = this.map.entriesOf(this.map.shardsOf(session));
      if (entries.length > 0) peer.send({ type: 'map', entries } satisfies ControlMessage);
    }
    if (!this.reachesDatabase) peer.send({ type: 'database', reached: false } satisfies ControlMessage);
    const member = this.members.get(peer.run);
    if (member === undefined) {
      this.refresh();
      return;
    }
    member.peer = peer;
    this.takeover.linkUp(peer.run);
    this.routeMember(member);
  }

  private peerDown(peer: Peer, reason: string): void {
    this.links.down(peer);
    const member = this.members.get(peer.run);
    if (member?.peer !== peer) return;
    member.peer = undefined;
    this.unroute([...member.workers.values()].flatMap((session) => this.map.shardsOf(session)));
    this.takeover.linkDown(peer.run, reason);
    // Messages of it may be lost.
    this.wantMap = true;
    this.refresh();
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
        void this.adopt(message.session, message.shards);
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
        this.slots?.diedOf(message.doc);
        return;
      default:
        throw new Error(`unknown message ${String(message satisfies never)}`);
    }
  }

  private learn(lease: Lease): void {
    if (lease.run === this.options.run) return;
    this.seeTimeline(lease.timeline);
    if (this.members.get(lease.run) === undefined) {
      if (this.early.size < EARLY_LEASES) this.early.set(lease.run, lease);
      this.refresh();
    } else if (this.members.learn(lease, this.options.clock.now())) {
      const member = this.members.get(lease.run);
      if (member !== undefined) this.routeMember(member);
      this.reconcileSoon();
    }
  }

  /** A database that has missed a failover must not be believed. */
  seeTimeline(timeline: number): void {
    if (timeline <= this.timeline) return;
    this.timeline = timeline;
    this.options.store.refuseBelow(timeline);
    this.tellState();
  }

  /** Of the database's events those that are not an operator's are hints that something has changed. */
  private notified(event: string): void {
    const { store, run, onLeaveAsked } = this.options;
    const asked = operatorEvent(event);
    if (asked === undefined) this.refresh();
    else if (asked.type === 'pins') void this.pins.read();
    else if (asked.type === 'drain' && asked.run === run && onLeaveAsked !== undefined) {
      const answer = encodeOperatorEvent({ type: 'leaving', run, ...onLeaveAsked() });
      // Lost, it is asked for again.
      store.notify(answer).catch(() => undefined);
    }
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

  /** To all, whichever way is open. */
  private announce(message: ControlMessage): void {
    this.broadcast(message);
    this.options.leases.publish(JSON.stringify(message)).catch(() => undefined);
    const unreached = [...this.members.all()].some((member) => member.peer === undefined);
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
      workers: [...this.own].map(([slot, { session: id }]) => ({ slot, session: id })),
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

  // The picture

  private sweep(): void {
    if (++this.sweeps % SWEEPS_PER_MAP === 0) {
      this.wantMap = true;
      void this.pins.read();
    }
    this.refresh();
  }

  /** Reads anew who there is and, where it may have changed unheard, who owns what. One reading at a time. */
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
        this.options.log('warn', 'the cluster is not read', { error: String(error) }),
      )
      .finally(() => {
        this.refreshing = false;
        if (this.refreshAgain) this.refresh();
        else this.reconcileSoon();
      });
  }

  private async read(): Promise<void> {
    const { store, leases, run } = this.options;
    const rows = await store.sessions();
    if (this.stopped) return;
    if (!rows.some((row) => row.id === this.options.session.id)) {
      this.fenced();
      return;
    }
    const led = new Set(rows.filter((row) => row.slot === CONTROL_SLOT).map((row) => row.run));
    const { come, gone, fenced } = this.members.sync(
      rows.filter((row) => row.run !== run && led.has(row.run)),
    );
    const ownSessions = new Set(rows.filter((row) => row.run === run).map((row) => row.id));
    for (const member of come) this.met(member);
    for (const { member, sessions } of gone) this.leftBy(member, sessions);
    if (fenced.length > 0) this.freed(this.map.fence(fenced));
    // Of a run that is not there any more a lease may be left: no reason to look again.
    for (const lease of await leases.list().catch(() => []))
      if (this.members.get(lease.run) !== undefined) this.learn(lease);
    // A worker may open a session just after its run was fenced: nobody else would ever miss that one.
    for (const lost of new Set(rows.map((row) => row.run))) {
      if (!led.has(lost) && (await store.fence(this.options.session, { run: lost })))
        this.freed(this.map.fence(rows.filter((row) => row.run === lost).map((row) => row.id)));
    }
    const orphans = await store.orphans();
    if (orphans.length > 0 || this.wantMap) {
      this.wantMap = false;
      const shards = await store.shardMap().catch((error: unknown) => {
        this.wantMap = true;
        throw error;
      });
      this.route(this.map.applyRows(shards));
      // Handed to this node, and the message was lost.
      for (const [, { session }] of this.own) {
        const strangers = this.map.shardsOf(session).filter((shard) => !this.leadsHome(shard));
        if (ownSessions.has(session) && strangers.length > 0) void this.adopt(session, strangers);
      }
    }
  }

  private met(member: Member): void {
    const { network, run } = this.options;
    if (member.run === run || this.dials.has(member.run)) return;
    this.takeover.known(member.run);
    const early = this.early.get(member.run);
    if (early !== undefined) this.members.learn(early, this.options.clock.now());
    this.early.delete(member.run);
    if (member.address === this.options.address) this.takeover.predecessor(member.run);
    member.peer = network.peers().find((peer) => peer.run === member.run);
    if (member.peer !== undefined) this.takeover.linkUp(member.run);
    // What was heard of it before it was known led nowhere.
    this.routeMember(member);
    this.dials.set(member.run, network.dial({ run: member.run, address: addressOf(member.address) }));
  }

  private leftBy(member: Member, sessions: readonly SessionId[]): void {
    this.dials.get(member.run)?.close();
    this.dials.delete(member.run);
    this.takeover.gone(member.run);
    this.freed(this.map.fence(sessions));
  }

  private runFenced(run: string): void {
    const member = this.members.get(run);
    if (member === undefined) return;
    this.leftBy(member, this.members.remove(run));
    this.wantMap = true;
    this.refresh();
  }

  /** These shards have lost their owner. */
  private freed(shards: readonly number[]): void {
    this.unroute(shards);
    if (shards.length > 0) this.someFreed = true;
    this.reconcileSoon();
  }

  private apply(entries: readonly MapEntry[]): void {
    const changed = this.map.apply(entries);
    for (const shard of changed) this.orphanSince.delete(shard);
    // Also what is known but led nowhere yet: it has been handed over, and now the new owner says that it has it.
    const current = entries
      .filter((entry) => this.map.ownerOf(entry[0]) === entry[1])
      .map((entry) => entry[0]);
    const unknown = changed.some((shard) => {
      const owner = this.map.ownerOf(shard);
      return owner !== undefined && !this.isOwn(owner) && this.members.ofSession(owner) === undefined;
    });
    this.route([...changed, ...current]);
    if (unknown) this.refresh();
  }

  // Routing

  private isOwn(session: SessionId): boolean {
    for (const slot of this.own.values()) if (slot.session === session) return true;
    return false;
  }

  private leadsHome(shard: number): boolean {
    const link = this.options.router.linkOfShard(shard);
    if (link === undefined) return false;
    for (const slot of this.own.values()) if (slot.link === link) return true;
    return false;
  }

  /** Leads each shard to its owner as the map has it. A shard of our own leads to its worker once that has it. */
  private route(shards: readonly number[]): void {
    const { router, listener } = this.options;
    // The router outlives this run, and is the next one's by now: what was asked for before is answered too late.
    if (this.stopped) return;
    const changed: number[] = [];
    for (const shard of shards) {
      const owner = this.map.ownerOf(shard);
      if (owner !== undefined && this.isOwn(owner)) continue;
      const member = owner === undefined ? undefined : this.members.ofSession(owner);
      const link =
        owner === undefined || member?.peer === undefined ? undefined : this.links.to(member.peer, owner);
      if (router.linkOfShard(shard) === link) continue;
      router.setOwner([shard], link);
      changed.push(shard);
    }
    if (changed.length > 0) listener.changed(changed);
  }

  private unroute(shards: readonly number[]): void {
    const { router, listener } = this.options;
    if (this.stopped) return;
    const led = shards.filter((shard) => router.linkOfShard(shard) !== undefined);
    if (led.length === 0) return;
    router.setOwner(led, undefined);
    listener.changed(led);
  }

  private routeMember(member: Member): void {
    for (const session of member.workers.values()) this.route(this.map.shardsOf(session));
  }

  /** A worker of a peer has ended, or the whole peer. */
  private linkLost(link: OwnerLink): void {
    const { router, listener, clock } = this.options;
    const shards: number[] = [];
    for (let shard = 0; shard < SHARDS; shard++) if (router.linkOfShard(shard) === link) shards.push(shard);
    router.setOwner(shards, undefined);
    listener.lost(link);
    if (this.rerouting) return;
    this.rerouting = true;
    clock.after(REROUTE_MS, () => {
      this.rerouting = false;
      if (this.stopped) return;
      this.wantMap = true;
      this.refresh();
      for (const member of this.members.all()) this.routeMember(member);
    });
  }

  /** Shards that a worker of this node has now. */
  private owned(slot: number, epochs: Epochs): void {
    const own = this.own.get(slot);
    if (own === undefined || epochs.size === 0 || this.stopped) return;
    const all = [...epochs].map(([shard, epoch]): MapEntry => [shard, own.session, epoch]);
    this.map.apply(all);
    // Others have moved on since: that news was faster than this answer.
    const entries = all.filter(([shard]) => this.map.ownerOf(shard) === own.session);
    const shards = entries.map(([shard]) => shard);
    for (const shard of shards) this.orphanSince.delete(shard);
    this.options.router.setOwner(shards, own.link);
    this.options.listener.changed(shards);
    this.options.leases.writeMap(entries).catch(() => undefined);
    this.announce({ type: 'map', entries });
  }

  private async adopt(session: SessionId, shards: readonly number[]): Promise<void> {
    const slot = [...this.own].find(([, own]) => own.session === session)?.[0];
    if (slot === undefined || this.slots === undefined) return;
    try {
      this.owned(slot, await this.slots.adopt(slot, shards));
    } catch (error) {
      // The next sweep finds them in the map.
      this.wantMap = true;
      this.options.log('warn', 'shards are not adopted yet', { shards: shards.length, error: String(error) });
    }
  }

  // Who should have what

  /** Live members, this one included, that may get shards. */
  private placeable(): readonly { readonly name: string; readonly weight: number }[] {
    const { clock, node, weight } = this.options;
    const isEmpty = this.map.orphans === SHARDS;
    const others = [...this.members.all()]
      .filter(
        (member) =>
          member.state === 'live' &&
          member.peer !== undefined &&
          member.workers.size > 0 &&
          member.liveSince !== undefined &&
          (isEmpty || this.state === 'draining' || clock.now() - member.liveSince >= STEADY_MS),
      )
      .map((member) => ({ name: member.node, weight: member.weight }));
    const all = this.state === 'live' && this.own.size > 0 ? [{ name: node, weight }, ...others] : others;
    return all.filter((each, index) => all.findIndex(({ name }) => name === each.name) === index);
  }

  private wanted(): Plan {
    const members = this.placeable();
    const key = keyOf(members);
    const { plan } = this;
    // Each only rises: their sum stands still where all do.
    const revision = this.map.revision + this.members.revision + this.pins.revision + this.ownRevision;
    if (plan?.key === key && plan.revision === revision) return plan;
    const pinsRevision = this.pins.revision;
    const current = this.owners();
    if (plan?.key === key && plan.pinsRevision === pinsRevision && isOnItsWay(plan, current)) {
      plan.revision = revision;
      return plan;
    }
    const ring = this.options.rings.of(members);
    const pins = this.pins.resolve(members);
    const placement = rebalance(ring, current, pinnedNodes(pins));
    this.plan = { key, pinsRevision, pins, placement, current, revision };
    return this.plan;
  }

  /** shard -> node that owns it. */
  private owners(): Placement {
    const owners = new Array<string | undefined>(SHARDS).fill(undefined);
    for (const [session, shards] of this.map.byOwner()) {
      const node = this.nodeOf(session);
      for (const shard of shards) owners[shard] = node;
    }
    return owners;
  }

  private nodeOf(owner: SessionId): string | undefined {
    return this.isOwn(owner) ? this.options.node : this.members.ofSession(owner)?.node;
  }

  private reconcileSoon(): void {
    if (this.reconciling || this.stopped) return;
    this.reconciling = true;
    this.options.clock.after(RECONCILE_MS, () => {
      this.reconciling = false;
      // What a death has freed is known without reading the map anew; documents wait for it.
      if (!this.stopped && this.state === 'live' && (!this.wantMap || this.someFreed)) this.claimOwn();
      this.someFreed = false;
    });
  }

  /** Claims the orphans that fall to this node, and those that nobody else has taken in time. */
  private claimOwn(): void {
    const { clock, node } = this.options;
    if (this.own.size === 0) return;
    const { placement, pins } = this.wanted();
    if (this.map.orphans === 0) {
      this.orphanSince.clear();
      return;
    }
    const now = clock.now();
    const bySlot = new Map<number, number[]>();
    const loads = this.slotLoads();
    for (let shard = 0; shard < SHARDS; shard++) {
      if (this.map.ownerOf(shard) !== undefined) {
        this.orphanSince.delete(shard);
        continue;
      }
      const since = this.orphanSince.get(shard) ?? now;
      this.orphanSince.set(shard, since);
      if (placement[shard] !== node && now - since < ORPHAN_MS) continue;
      const slot = this.slotFor(pins.shards.get(shard)?.slot, loads);
      const shards = bySlot.get(slot) ?? [];
      shards.push(shard);
      bySlot.set(slot, shards);
    }
    for (const [slot, shards] of bySlot) if (!this.busy.has(slot)) void this.claim(slot, shards);
  }

  private async claim(slot: number, shards: readonly number[]): Promise<void> {
    this.busy.add(slot);
    try {
      const won = (await this.slots?.claim(slot, shards)) ?? new Map();
      this.owned(slot, won);
      if (won.size > 0) this.options.log('info', 'shards claimed', { slot, shards: won.size });
      // Somebody was faster: who, the map says.
      if (won.size < shards.length) this.wantMap = true;
    } catch (error) {
      this.wantMap = true;
      this.options.log('warn', 'shards are not claimed yet', { slot, error: String(error) });
    } finally {
      this.busy.delete(slot);
      if (this.wantMap) this.refresh();
    }
  }

  private slotLoads(): Map<number, number> {
    return new Map([...this.own].map(([slot, { session }]) => [slot, this.map.shardsOf(session).length]));
  }

  private slotFor(pinned: number | undefined, loads: Map<number, number>): number {
    let best = pinned !== undefined && loads.has(pinned) ? pinned : -1;
    if (best < 0)
      for (const [slot, load] of loads) if (best < 0 || load < (loads.get(best) ?? 0)) best = slot;
    loads.set(best, (loads.get(best) ?? 0) + 1);
    return best;
  }

  // Handing over

  /** A few of the shards that should be elsewhere, for each worker that is not handing over already. */
  private move(): void {
    if (this.stopped || this.state === 'joining' || this.wantMap) return;
    const { placement, pins } = this.wanted();
    const most = this.state === 'draining' ? DRAIN_SHARDS : MOVE_SHARDS;
    for (const [slot, { session }] of this.own) {
      if (this.busy.has(slot)) continue;
      const slotOf = (shard: number): number | undefined => pins.shards.get(shard)?.slot;
      const leaving = this.map
        .shardsOf(session)
        .filter((shard) =>
          placement[shard] === this.options.node
            ? this.ownSlot(slotOf(shard), slot) !== undefined
            : this.memberFor(placement[shard]) !== undefined,
        )
        // What an operator waits for does not queue behind the evening out.
        .sort((a, b) => Number(pins.shards.has(b)) - Number(pins.shards.has(a)));
      const [first] = leaving;
      if (first === undefined) continue;
      const shards = leaving
        .filter((shard) => placement[shard] === placement[first] && slotOf(shard) === slotOf(first))
        .slice(0, most);
      void this.handOver(slot, shards, this.memberFor(placement[first]), slotOf(first));
    }
  }

  /** The session of a slot of this node that shards of the slot `but` are pinned to. */
  private ownSlot(pinned: number | undefined, but: number): SessionId | undefined {
    return pinned === undefined || pinned === but ? undefined : this.own.get(pinned)?.session;
  }

  /** A session did not get what was handed to it: it may be gone, and asking resets the documents each time. */
  private refused(session: SessionId): void {
    this.refusals.set(session, this.options.clock.now());
    this.wantMap = true;
    this.refresh();
  }

  private isRefused(session: SessionId): boolean {
    const at = this.refusals.get(session);
    if (at === undefined) return false;
    if (this.options.clock.now() - at < REFUSED_MS) return true;
    this.refusals.delete(session);
    return false;
  }

  private memberFor(node: string | undefined): Member | undefined {
    if (node === undefined || node === this.options.node) return undefined;
    for (const member of this.members.all()) {
      if (
        member.node === node &&
        member.state === 'live' &&
        member.peer !== undefined &&
        member.workers.size > 0
      )
        return member;
    }
    return undefined;
  }

  /** `member` undefined: to another worker of this node. */
  private async handOver(
    slot: number,
    shards: readonly number[],
    member: Member | undefined,
    pinned: number | undefined,
  ): Promise<void> {
    const loads = this.map.loads();
    let to = member === undefined ? this.ownSlot(pinned, slot) : member.workers.get(pinned ?? -1);
    for (const session of to === undefined ? (member?.workers.values() ?? []) : [])
      if (to === undefined || (loads.get(session) ?? 0) < (loads.get(to) ?? 0)) to = session;
    if (to === undefined || this.slots === undefined || this.isRefused(to)) return;
    this.busy.add(slot);
    try {
      const moved = await this.slots.release(slot, shards, to);
      if (moved.size < shards.length) this.refused(to);
      const target = to;
      this.map.apply([...moved].map(([shard, epoch]): MapEntry => [shard, target, epoch]));
      const handed = [...moved.keys()];
      // Until the new owner says that it has them nothing leads there: what came earlier would be turned away. What
      // leads elsewhere by now has gone on from there, and that news was faster than this answer.
      this.unroute(handed.filter((shard) => this.leadsHome(shard)));
      if (member === undefined) void this.adopt(target, handed);
      else member.peer?.send({ type: 'handed', session: target, shards: handed } satisfies ControlMessage);
    } catch (error) {
      this.options.log('warn', 'shards are not handed over', { slot, error: String(error) });
      this.wantMap = true;
      this.refresh();
    } finally {
      this.busy.delete(slot);
    }
  }
}

/** What was carried out of a plan leaves its rest, which planning anew would give as well. */
function isOnItsWay({ placement, current }: Plan, now: Placement): boolean {
  for (let shard = 0; shard < SHARDS; shard++)
    if (now[shard] !== current[shard] && now[shard] !== placement[shard]) return false;
  return true;
}

function addressOf(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
