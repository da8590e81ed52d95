// The shards that this node gets: orphans that fall to it, which its workers claim, and those that others have handed
// to it, which they adopt. What the workers have it leads home and tells all. PostgreSQL says who wins.
import type { Clock } from '../actors/clock.ts';
import { SHARDS } from '../actors/shard.ts';
import type { SessionId } from '../actors/storage/store.ts';
import { Backoff } from './backoff.ts';
import type { ControlMessage } from './control-messages.ts';
import type { LeaseStore, MapEntry } from './lease-store.ts';
import type { Picture } from './picture.ts';
import type { Planner } from './planner.ts';
import type { Routes } from './routes.ts';
import type { Epochs } from './workers.ts';

export interface AcquisitionOptions {
  readonly picture: Picture;
  readonly planner: Pick<Planner, 'wanted'>;
  readonly routes: Pick<Routes, 'leadHome'>;
  /** This one's. */
  readonly node: string;
  readonly clock: Clock;
  readonly slots: {
    claim(slot: number, shards: readonly number[]): Promise<Epochs>;
    adopt(slot: number, shards: readonly number[]): Promise<Epochs>;
  };
  readonly leases: Pick<LeaseStore, 'writeMap'>;
  readonly announce: (message: ControlMessage) => void;
  /** The map is not what it is taken for: it is to be read anew. */
  readonly onStale: () => void;
  /** A worker that was to claim and was busy is not so any more. */
  readonly onFree: () => void;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

/** Of shards that are the ring's to give to another, before anybody takes them. */
const ORPHAN_MS = 3000;
/** What the store refuses is asked for again after a while: it may refuse for long, and read all the time. */
const RETRY = { firstMs: 50, mostMs: 2000 };

export class Acquisition {
  private readonly options: AcquisitionOptions;
  private readonly orphanSince = new Map<number, number>();
  private readonly retries: Backoff;
  /** Nothing is claimed while it runs. */
  private isWaiting = false;
  private ended = false;

  constructor(options: AcquisitionOptions) {
    this.options = options;
    this.retries = new Backoff(options.clock, RETRY);
  }

  /** What is still answered changes nothing any more. */
  end(): void {
    this.ended = true;
  }

  /** Somebody has them. */
  areOwned(shards: readonly number[]): void {
    for (const shard of shards) this.orphanSince.delete(shard);
  }

  /** Claims the orphans that fall to this node, and those that nobody else has taken in time. */
  claimOrphans(): void {
    const { clock, node, picture, planner } = this.options;
    const { map, own } = picture;
    if (own.size === 0 || this.isWaiting) return;
    const { placement, pins } = planner.wanted();
    if (map.orphans === 0) {
      this.orphanSince.clear();
      return;
    }
    const now = clock.now();
    const bySlot = new Map<number, number[]>();
    const loads = new Map([...own.all()].map(([slot, { session }]) => [slot, map.shardsOf(session).length]));
    for (let shard = 0; shard < SHARDS; shard++) {
      if (map.ownerOf(shard) !== undefined) {
        this.orphanSince.delete(shard);
        continue;
      }
      const since = this.orphanSince.get(shard) ?? now;
      this.orphanSince.set(shard, since);
      if (placement[shard] !== node && now - since < ORPHAN_MS) continue;
      const slot = slotFor(pins.shards.get(shard)?.slot, loads);
      const shards = bySlot.get(slot) ?? [];
      shards.push(shard);
      bySlot.set(slot, shards);
    }
    for (const [slot, shards] of bySlot) {
      const busy = own.busyWith(slot);
      if (busy === undefined) own.occupy(slot, () => this.claim(slot, shards));
      else void busy.then(() => this.options.onFree());
    }
  }

  /** They have been handed to this session, if it is one of ours. */
  async adopt(session: SessionId, shards: readonly number[]): Promise<void> {
    const { picture, slots, log } = this.options;
    const slot = picture.own.slotOf(session);
    if (slot === undefined) return;
    try {
      this.owned(slot, await slots.adopt(slot, shards));
    } catch (error) {
      // They are found in the map.
      this.lookLater();
      log('warn', 'shards are not adopted yet', { shards: shards.length, error: String(error) });
    }
  }

  private async claim(slot: number, shards: readonly number[]): Promise<void> {
    const { slots, log, onStale } = this.options;
    try {
      const won = await slots.claim(slot, shards);
      this.owned(slot, won);
      if (won.size > 0) log('info', 'shards claimed', { slot, shards: won.size });
      // Somebody was faster: who, the map says.
      if (won.size < shards.length) onStale();
    } catch (error) {
      this.lookLater();
      log('warn', 'shards are not claimed yet', { slot, error: String(error) });
    }
  }

  private lookLater(): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.options.clock.after(this.retries.next(), () => {
      this.isWaiting = false;
      if (!this.ended) this.options.onStale();
    });
  }

  /** Shards that a worker of this node has now. */
  private owned(slot: number, epochs: Epochs): void {
    const { picture, routes, leases, announce } = this.options;
    const own = picture.own.get(slot);
    if (own === undefined || epochs.size === 0 || this.ended) return;
    const all = [...epochs].map(([shard, epoch]): MapEntry => [shard, own.session, epoch]);
    picture.map.apply(all);
    // Others have moved on since: that news was faster than this answer.
    const entries = all.filter(([shard]) => picture.map.ownerOf(shard) === own.session);
    const shards = entries.map(([shard]) => shard);
    this.areOwned(shards);
    routes.leadHome(shards, own.link);
    leases.writeMap(entries).catch(() => undefined);
    announce({ type: 'map', entries });
  }
}

/** The pinned one where it is up, or the one with the fewest shards, which has one more by it. */
function slotFor(pinned: number | undefined, loads: Map<number, number>): number {
  let best = pinned !== undefined && loads.has(pinned) ? pinned : -1;
  if (best < 0) for (const [slot, load] of loads) if (best < 0 || load < (loads.get(best) ?? 0)) best = slot;
  loads.set(best, (loads.get(best) ?? 0) + 1);
  return best;
}
