// Hands over shards of this node that are placed elsewhere, to another node or another worker of this node, a
// few at a time. The worker announces the change of owner to its gateways after its last commits. This module
// tells the new owner, and stores nothing itself.
import type { Clock } from '../../actors/clock.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { SessionId } from '../../actors/storage/store.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { MapEntry } from '../liveness/lease-store.ts';
import type { Member } from '../liveness/members.ts';
import type { ControlMessage } from '../news/control-messages.ts';
import type { Planner } from '../placement/planner.ts';
import type { Epochs } from '../workers/slot-host.ts';
import type { Routes } from './routes.ts';

export interface HandOverOptions {
  readonly view: ClusterView;
  readonly planner: Pick<Planner, 'wanted' | 'memberFor' | 'placeable'>;
  readonly routes: Pick<Routes, 'drop' | 'leadsHome'>;
  /** The name of this node. */
  readonly node: string;
  readonly clock: Clock;
  readonly counts: ThreadCounts;
  readonly slots: {
    release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs>;
  };
  /** Called when shards have been handed to this session, which is one of this node's workers. */
  readonly adopt: (session: SessionId, shards: readonly number[]) => void;
  /** Asks for the map to be read anew, because it differs from the truth in PostgreSQL. */
  readonly onStale: () => void;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

/** Delay before a session that did not get its shards is handed shards again. */
const REFUSED_MS = 2000;

export class HandOver {
  readonly #options: HandOverOptions;
  /** Sessions that did not get the shards handed to them, and when that was. */
  readonly #refusals = new Map<SessionId, number>();

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /**
   * Hands over at most `most` of the shards that are placed elsewhere, for each worker that is not busy. All
   * of them go to one target: the first that can take shards.
   */
  move(most: number): void {
    const { view, planner } = this.#options;
    const { placement, pins } = planner.wanted();
    const slotOf = (shard: number): number | undefined => pins.shards.get(shard)?.slot;
    for (const [slot] of view.own.all()) {
      if (view.own.busyWith(slot) !== undefined) continue;
      // Shards that an operator has pinned come first.
      let rest = this.#leaving(slot);
      if (pins.shards.size > 0)
        rest = [
          ...rest.filter((shard) => pins.shards.has(shard)),
          ...rest.filter((shard) => !pins.shards.has(shard)),
        ];
      for (let first = rest[0]; first !== undefined; first = rest[0]) {
        const target = placement[first];
        const pinned = slotOf(first);
        const goesAlong = (shard: number): boolean => placement[shard] === target && slotOf(shard) === pinned;
        const shards: number[] = [];
        for (const shard of rest) {
          if (goesAlong(shard)) shards.push(shard);
          if (shards.length === most) break;
        }
        if (this.#handOver(slot, shards, planner.memberFor(target), pinned)) break;
        rest = rest.filter((shard) => !goesAlong(shard));
      }
    }
  }

  /** The number of shards of this node that are placed elsewhere, by the node on which they are placed. */
  moving(): ReadonlyMap<string, number> {
    const { view, planner } = this.#options;
    const moving = new Map<string, number>();
    if (planner.placeable().length === 0) return moving;
    const { placement } = planner.wanted();
    for (const [slot] of view.own.all()) {
      for (const shard of this.#leaving(slot)) {
        const target = placement[shard] ?? '';
        moving.set(target, (moving.get(target) ?? 0) + 1);
      }
    }
    return moving;
  }

  /** The shards of a worker that are placed elsewhere, where a session can take them. */
  #leaving(slot: number): number[] {
    const { view, planner, node } = this.#options;
    const { placement, pins } = planner.wanted();
    const own = view.own.get(slot);
    if (own === undefined) return [];
    const canTake = new Map<string | undefined, boolean>();
    const takes = (name: string | undefined): boolean => {
      let can = canTake.get(name);
      if (can === undefined) {
        can = planner.memberFor(name) !== undefined;
        canTake.set(name, can);
      }
      return can;
    };
    return view.map
      .shardsOf(own.session)
      .filter((shard) =>
        placement[shard] === node
          ? this.#ownSlot(pins.shards.get(shard)?.slot, slot) !== undefined
          : takes(placement[shard]),
      );
  }

  /**
   * Hands shards to `member`, or to another worker of this node if `member` is undefined. False if no session
   * can take them now.
   */
  #handOver(
    slot: number,
    shards: readonly number[],
    member: Member | undefined,
    pinned: number | undefined,
  ): boolean {
    const { own } = this.#options.view;
    const to = member === undefined ? this.#ownSlot(pinned, slot) : this.#sessionOf(member, pinned);
    if (to === undefined || this.#isRefused(to)) return false;
    own.occupy(slot, () => this.#release(slot, shards, to, member));
    return true;
  }

  async #release(
    slot: number,
    shards: readonly number[],
    to: SessionId,
    member: Member | undefined,
  ): Promise<void> {
    const { view, routes, slots, adopt, counts, log, onStale } = this.#options;
    try {
      const moved = await slots.release(slot, shards, to);
      // A live session takes all shards; a missing shard was not owned by this worker. If no shard moved, the
      // session is probably not live.
      if (moved.size === 0) this.#refused(to);
      if (moved.size < shards.length) onStale();
      view.map.apply([...moved].map(([shard, epoch]): MapEntry => [shard, to, epoch]));
      const handed = [...moved.keys()];
      counts.count(METRICS.shardsHandedOver, handed.length);
      // Until the new owner announces the shards they have no route, since it would turn away earlier
      // messages. A shard that is routed elsewhere by now has already moved on from there, and keeps its
      // route.
      routes.drop(handed.filter((shard) => routes.leadsHome(shard)));
      if (member === undefined) adopt(to, handed);
      else member.peer?.send({ type: 'handed', session: to, shards: handed } satisfies ControlMessage);
    } catch (error) {
      log('warn', 'shards could not be handed over', { slot, error: String(error) });
      onStale();
    }
  }

  /** The worker that the shards are pinned to, or the worker with the fewest shards. */
  #sessionOf(member: Member, pinned: number | undefined): SessionId | undefined {
    const found = member.workers.get(pinned ?? -1);
    if (found !== undefined) return found;
    const loads = this.#options.view.map.loads();
    let best: SessionId | undefined;
    for (const session of member.workers.values())
      if (best === undefined || (loads.get(session) ?? 0) < (loads.get(best) ?? 0)) best = session;
    return best;
  }

  /** The session of the pinned slot of this node. Undefined if there is no pin, or if the slot is `but`. */
  #ownSlot(pinned: number | undefined, but: number): SessionId | undefined {
    return pinned === undefined || pinned === but ? undefined : this.#options.view.own.get(pinned)?.session;
  }

  /**
   * Notes that a session did not get its shards. It may be gone, and each attempt interrupts the documents of
   * the shards.
   */
  #refused(session: SessionId): void {
    const now = this.#options.clock.now();
    // Without this, entries of sessions that are gone would stay for ever.
    for (const [each, at] of this.#refusals) if (now - at >= REFUSED_MS) this.#refusals.delete(each);
    this.#refusals.set(session, now);
  }

  #isRefused(session: SessionId): boolean {
    const at = this.#refusals.get(session);
    if (at === undefined) return false;
    if (this.#options.clock.now() - at < REFUSED_MS) return true;
    this.#refusals.delete(session);
    return false;
  }
}
