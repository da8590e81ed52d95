// The shards as one node sees them: it takes news of their owners, keeps the routes in line, claims shards
// that belong here, and hands over those that do not. It ties the modules of this folder together. PostgreSQL
// decides which session owns a shard.
import type { Clock } from '../../actors/clock.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { ControlStore, SessionId } from '../../actors/storage/store.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { LeaseStore, MapEntry } from '../liveness/lease-store.ts';
import type { Member } from '../liveness/members.ts';
import type { NodeState } from '../liveness/own-lease.ts';
import type { ControlMessage } from '../news/control-messages.ts';
import type { PeerLinks } from '../peer/peer-links.ts';
import { Planner } from '../placement/planner.ts';
import type { Rings } from '../placement/rings.ts';
import { Backoff } from '../timing/backoff.ts';
import { DelayedAction } from '../timing/delayed-action.ts';
import type { Epochs, ShardWorkers } from '../workers/slot-host.ts';
import { Acquisition } from './acquisition.ts';
import { HandOver } from './hand-over.ts';
import { MapReading } from './map-reading.ts';
import type { OwnerLink, OwnerLinkListener } from './owner-link.ts';
import type { Router } from './router.ts';
import { Routes } from './routes.ts';
import { ShardMoves } from './shard-moves.ts';

export interface NodeShardsOptions {
  readonly view: ClusterView;
  /** The name of this node. */
  readonly node: string;
  readonly weight: number;
  readonly rings: Rings;
  readonly state: () => NodeState;
  readonly router: Router;
  readonly listener: OwnerLinkListener;
  readonly links: PeerLinks;
  /** The workers of this node. Undefined until the node has joined its cluster. */
  readonly workers: () => ShardWorkers | undefined;
  readonly store: Pick<ControlStore, 'orphans' | 'shardMap'>;
  readonly leases: Pick<LeaseStore, 'writeMap'>;
  readonly clock: Clock;
  readonly counts: ThreadCounts;
  /** Sends the message to all nodes. */
  readonly announce: (message: ControlMessage) => void;
  /** Asks for a reading of the cluster, because the map may differ from the truth in PostgreSQL. */
  readonly onStale: () => void;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

/**
 * Delays before routes are made again. A worker that is down but not fenced yet refuses its streams, possibly
 * for long.
 */
const REROUTE = { firstMs: 100, mostMs: 3000 };

export class NodeShards {
  readonly #options: NodeShardsOptions;
  readonly #planner: Planner;
  readonly #routes: Routes;
  readonly #acquisition: Acquisition;
  readonly #handOver: HandOver;
  readonly #moves: ShardMoves;
  readonly #mapReading: MapReading;
  readonly #rerouting: DelayedAction;

  constructor(options: NodeShardsOptions) {
    this.#options = options;
    const { view, clock } = options;
    const planner = new Planner(options);
    const routes = new Routes(options);
    const none = Promise.resolve<Epochs>(new Map());
    const slots: ShardWorkers = {
      claim: (slot, shards) => options.workers()?.claim(slot, shards) ?? none,
      adopt: (slot, shards) => options.workers()?.adopt(slot, shards) ?? none,
      release: (slot, shards, to) => options.workers()?.release(slot, shards, to) ?? none,
    };
    const onStale = (): void => this.markStale();
    const acquisition = new Acquisition({
      ...options,
      planner,
      routes,
      slots,
      onStale,
      onFree: () => this.claimSoon(),
    });
    const handOver = new HandOver({
      ...options,
      planner,
      routes,
      slots,
      adopt: (to, shards) => void acquisition.adopt(to, shards),
      onStale,
    });
    this.#planner = planner;
    this.#routes = routes;
    this.#acquisition = acquisition;
    this.#handOver = handOver;
    this.#mapReading = new MapReading(options.store, view.map);
    this.#moves = new ShardMoves({
      clock,
      state: options.state,
      map: this.#mapReading,
      claimOrphans: () => acquisition.claimOrphans(),
      handOver: (most) => handOver.move(most),
    });
    const reroutes = new Backoff(clock, REROUTE);
    this.#rerouting = new DelayedAction(
      clock,
      () => reroutes.next(),
      () => {
        onStale();
        for (const member of view.members.all()) routes.leadTo(member);
      },
    );
  }

  /** Hands shards over from time to time, until the returned function is called. */
  start(): () => void {
    return this.#moves.start();
  }

  /** No route changes and no shard is claimed after this, whatever is still answered. */
  stop(): void {
    this.#moves.stop();
    this.#rerouting.stop();
    this.#routes.end();
    this.#acquisition.end();
  }

  /** As `HandOver.moving`. */
  moving(): ReadonlyMap<string, number> {
    return this.#handOver.moving();
  }

  /** True if every shard is routed to an owner. */
  get isRouted(): boolean {
    return this.#routes.isComplete;
  }

  /**
   * Hands all shards over to the other nodes, from the end of `told` on. `drained` resolves when no shard is
   * left, when no other node can take shards, after `timeoutMs`, or when `end` is called.
   */
  drain(
    timeoutMs: number,
    told: Promise<unknown>,
  ): { readonly drained: Promise<void>; readonly end: () => void } {
    return this.#moves.drain(timeoutMs, {
      told,
      isDone: () => this.#options.view.ownedShards === 0 || this.#planner.placeable().length === 0,
    });
  }

  claimSoon(): void {
    this.#moves.claimSoon();
  }

  /** Asks for a reading of the cluster that reads the whole map. No shard is handed over before that. */
  markStale(): void {
    this.#mapReading.markStale();
    this.#options.onStale();
  }

  /**
   * Reads the owners of all shards if they may have changed unnoticed. `liveSessions`: the sessions of this
   * node's workers that the database has shown just before.
   */
  async read(liveSessions: ReadonlySet<SessionId>): Promise<void> {
    const { map, own } = this.#options.view;
    const changed = await this.#mapReading.read();
    if (changed === undefined) return;
    this.#routes.lead(changed);
    // The shards were handed to this node, but the message about it was lost.
    for (const [, { session }] of own.all()) {
      const unrouted = map.shardsOf(session).filter((shard) => !this.#routes.leadsHome(shard));
      if (liveSessions.has(session) && unrouted.length > 0) this.adopt(session, unrouted);
    }
  }

  /** Takes news of owners. False if one of the owners is a session of no known member. */
  learn(entries: readonly MapEntry[]): boolean {
    const { map, members, own } = this.#options.view;
    const changed = map.apply(entries);
    this.#acquisition.areOwned(changed);
    // Entries that the map knew already are routed too: after a hand-over a shard has no route until its new
    // owner announces it.
    const current = entries.filter((entry) => map.ownerOf(entry[0]) === entry[1]).map((entry) => entry[0]);
    this.#routes.lead([...changed, ...current]);
    return changed.every((shard) => {
      const owner = map.ownerOf(shard);
      return owner === undefined || own.has(owner) || members.ofSession(owner) !== undefined;
    });
  }

  /** Shards were handed to this session, which is one of this node's workers if it is still up. */
  adopt(session: SessionId, shards: readonly number[]): void {
    void this.#acquisition.adopt(session, shards);
  }

  /** The sessions are fenced: their shards have no owner, and may be claimed at once. */
  fenced(sessions: readonly SessionId[]): void {
    const freed = this.#options.view.map.fence(sessions);
    this.#routes.drop(freed);
    this.#moves.freed(freed);
  }

  /** A member can be reached, or has other workers. */
  memberReached(member: Member): void {
    this.#routes.leadTo(member);
  }

  /** These sessions cannot be reached, and still own their shards. */
  unreached(sessions: Iterable<SessionId>): void {
    const { map } = this.#options.view;
    this.#routes.drop([...sessions].flatMap((session) => map.shardsOf(session)));
  }

  /** Called when a worker of a peer has ended, or the whole peer. */
  linkLost(link: OwnerLink): void {
    this.#routes.linkLost(link);
    this.#rerouting.request();
  }
}
