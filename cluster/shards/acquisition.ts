// Brings shards to this node: its workers claim orphans that are placed here, and adopt shards that other
// workers have handed to them. Afterwards the module routes the shards to the worker and announces them to
// all nodes. It decides no ownership: PostgreSQL does.
import type { Clock } from '../../actors/clock.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import { SHARDS } from '../../actors/shard.ts';
import type { SessionId } from '../../actors/storage/store.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { LeaseStore, MapEntry } from '../liveness/lease-store.ts';
import type { ControlMessage } from '../news/control-messages.ts';
import type { Planner } from '../placement/planner.ts';
import { Backoff } from '../timing/backoff.ts';
import { DelayedAction } from '../timing/delayed-action.ts';
import type { Epochs } from '../workers/slot-host.ts';
import type { Routes } from './routes.ts';

export interface AcquisitionOptions {
  readonly view: ClusterView;
  readonly planner: Pick<Planner, 'wanted'>;
  readonly routes: Pick<Routes, 'leadHome'>;
  /** The name of this node. */
  readonly node: string;
  readonly clock: Clock;
  readonly counts: ThreadCounts;
  readonly slots: {
    claim(slot: number, shards: readonly number[]): Promise<Epochs>;
    adopt(slot: number, shards: readonly number[]): Promise<Epochs>;
  };
  readonly leases: Pick<LeaseStore, 'writeMap'>;
  readonly announce: (message: ControlMessage) => void;
  /** Asks for the map to be read anew, because it differs from the truth in PostgreSQL. */
  readonly onStale: () => void;
  /** Called when a worker that was busy, and had orphans to claim, is free again. */
  readonly onFree: () => void;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

/** In place of a time: the shard has an owner. */
const OWNED = -1;
/** How long a shard that is placed on another node stays an orphan before any node may claim it. */
const ORPHAN_MS = 3000;
/**
 * Delays between attempts after the store has refused. They grow, because a store may refuse writes for long
 * while it still answers reads.
 */
const RETRY = { firstMs: 50, mostMs: 2000 };

export class Acquisition {
  readonly #options: AcquisitionOptions;
  /** Since when each shard has had no owner, by shard. OWNED if it has one. */
  readonly #orphanSince = new Float64Array(SHARDS).fill(OWNED);
  /** Nothing is claimed while a retry is pending. */
  readonly #retry: DelayedAction;
  #ended = false;

  constructor(options: AcquisitionOptions) {
    this.#options = options;
    const retries = new Backoff(options.clock, RETRY);
    this.#retry = new DelayedAction(
      options.clock,
      () => retries.next(),
      () => options.onStale(),
    );
  }

  /** Answers that are still to come change nothing after this. */
  end(): void {
    this.#ended = true;
    this.#retry.stop();
  }

  /** Notes that these shards have owners. */
  areOwned(shards: readonly number[]): void {
    for (const shard of shards) this.#orphanSince[shard] = OWNED;
  }

  /** Claims the orphans that are placed on this node, and orphans that stayed unclaimed for ORPHAN_MS. */
  claimOrphans(): void {
    const { clock, node, view, planner } = this.#options;
    const { map, own } = view;
    if (own.size === 0 || this.#retry.isPending) return;
    const { placement, pins } = planner.wanted();
    if (map.orphans === 0) {
      this.#orphanSince.fill(OWNED);
      return;
    }
    const now = clock.now();
    const bySlot = new Map<number, number[]>();
    const loads = new Map([...own.all()].map(([slot, { session }]) => [slot, map.shardsOf(session).length]));
    for (let shard = 0; shard < SHARDS; shard++) {
      if (map.ownerOf(shard) !== undefined) {
        this.#orphanSince[shard] = OWNED;
        continue;
      }
      const before = this.#orphanSince[shard] ?? OWNED;
      const since = before === OWNED ? now : before;
      this.#orphanSince[shard] = since;
      if (placement[shard] !== node && now - since < ORPHAN_MS) continue;
      const slot = slotFor(pins.shards.get(shard)?.slot, loads);
      const shards = bySlot.get(slot) ?? [];
      shards.push(shard);
      bySlot.set(slot, shards);
    }
    for (const [slot, shards] of bySlot) {
      const busy = own.busyWith(slot);
      if (busy === undefined) own.occupy(slot, () => this.#claim(slot, shards));
      else void busy.then(() => this.#options.onFree());
    }
  }

  /** Adopts shards that were handed to this session, if it belongs to a worker of this node. */
  async adopt(session: SessionId, shards: readonly number[]): Promise<void> {
    const { view, slots, counts, log } = this.#options;
    const slot = view.own.slotOf(session);
    if (slot === undefined) return;
    try {
      const adopted = await slots.adopt(slot, shards);
      counts.countAs(METRICS.shardsTaken, 'handed', adopted.size);
      this.#owned(slot, adopted);
    } catch (error) {
      // The next reading of the map finds these shards.
      this.#retry.request();
      log('warn', 'shards could not be adopted yet', { shards: shards.length, error: String(error) });
    }
  }

  async #claim(slot: number, shards: readonly number[]): Promise<void> {
    const { slots, counts, log, onStale } = this.#options;
    try {
      const won = await slots.claim(slot, shards);
      counts.countAs(METRICS.shardsTaken, 'claimed', won.size);
      this.#owned(slot, won);
      if (won.size > 0) log('info', 'this node has claimed shards', { slot, shards: won.size });
      // Another node was faster. The map names the new owner.
      if (won.size < shards.length) onStale();
    } catch (error) {
      this.#retry.request();
      log('warn', 'shards could not be claimed yet', { slot, error: String(error) });
    }
  }

  /** Publishes shards that a worker of this node owns now. */
  #owned(slot: number, epochs: Epochs): void {
    const { view, routes, leases, announce } = this.#options;
    const own = view.own.get(slot);
    if (own === undefined || epochs.size === 0 || this.#ended) return;
    const all = [...epochs].map(([shard, epoch]): MapEntry => [shard, own.session, epoch]);
    view.map.apply(all);
    // A shard may have moved on since this answer was sent. The newer news came first, and it counts.
    const entries = all.filter(([shard]) => view.map.ownerOf(shard) === own.session);
    const shards = entries.map(([shard]) => shard);
    this.areOwned(shards);
    routes.leadHome(shards, own.link);
    leases.writeMap(entries).catch(() => undefined);
    announce({ type: 'map', entries });
  }
}

/**
 * The pinned slot if it is up, or else the slot with the fewest shards. The load of the chosen slot grows by
 * one.
 */
function slotFor(pinned: number | undefined, loads: Map<number, number>): number {
  let best = pinned !== undefined && loads.has(pinned) ? pinned : -1;
  if (best < 0) for (const [slot, load] of loads) if (best < 0 || load < (loads.get(best) ?? 0)) best = slot;
  loads.set(best, (loads.get(best) ?? 0) + 1);
  return best;
}
