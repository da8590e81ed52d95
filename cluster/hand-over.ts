// Hands over shards of this node that should be elsewhere, to another node or another of its workers, a few at a
// time. The worker sends the change of owner down behind its last commits; here the new owner is told of it.
import type { Clock } from '../actors/clock.ts';
import type { SessionId } from '../actors/storage/store.ts';
import type { ControlMessage } from './control-messages.ts';
import type { MapEntry } from './lease-store.ts';
import type { Member } from './members.ts';
import type { Picture } from './picture.ts';
import type { Planner } from './planner.ts';
import type { Routes } from './routes.ts';
import type { Epochs } from './workers.ts';

export interface HandOverOptions {
  readonly picture: Picture;
  readonly planner: Pick<Planner, 'wanted' | 'memberFor'>;
  readonly routes: Pick<Routes, 'drop' | 'leadsHome'>;
  /** This one's. */
  readonly node: string;
  readonly clock: Clock;
  readonly slots: {
    release(slot: number, shards: readonly number[], to: SessionId): Promise<Epochs>;
  };
  /** They have been handed to this session of ours. */
  readonly adopt: (session: SessionId, shards: readonly number[]) => void;
  /** The map is not what it is taken for: it is to be read anew. */
  readonly onStale: () => void;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

/** Before a session that did not get its shards is handed some again. */
const REFUSED_MS = 2000;

export class HandOver {
  private readonly options: HandOverOptions;
  /** Sessions that did not get what was handed to them, and when. */
  private readonly refusals = new Map<SessionId, number>();

  constructor(options: HandOverOptions) {
    this.options = options;
  }

  /**
   * `most` of the shards that should be elsewhere, for each worker that is not handing over already. They go to one
   * target: the first that can take them.
   */
  move(most: number): void {
    const { picture, planner, node } = this.options;
    const { placement, pins } = planner.wanted();
    for (const [slot, { session }] of picture.own.all()) {
      if (picture.own.busyWith(slot) !== undefined) continue;
      const slotOf = (shard: number): number | undefined => pins.shards.get(shard)?.slot;
      const leaving = picture.map
        .shardsOf(session)
        .filter((shard) =>
          placement[shard] === node
            ? this.ownSlot(slotOf(shard), slot) !== undefined
            : planner.memberFor(placement[shard]) !== undefined,
        )
        // What an operator waits for does not queue behind the evening out.
        .sort((a, b) => Number(pins.shards.has(b)) - Number(pins.shards.has(a)));
      let rest = leaving;
      for (let first = rest[0]; first !== undefined; first = rest[0]) {
        const target = placement[first];
        const pinned = slotOf(first);
        const goesAlong = (shard: number): boolean => placement[shard] === target && slotOf(shard) === pinned;
        const shards = rest.filter(goesAlong).slice(0, most);
        if (this.handOver(slot, shards, planner.memberFor(target), pinned)) break;
        rest = rest.filter((shard) => !goesAlong(shard));
      }
    }
  }

  /** `member` undefined: to another worker of this node. false: there is nobody to take them now. */
  private handOver(
    slot: number,
    shards: readonly number[],
    member: Member | undefined,
    pinned: number | undefined,
  ): boolean {
    const { own } = this.options.picture;
    const to = member === undefined ? this.ownSlot(pinned, slot) : this.sessionOf(member, pinned);
    if (to === undefined || this.isRefused(to)) return false;
    own.occupy(slot, () => this.release(slot, shards, to, member));
    return true;
  }

  private async release(
    slot: number,
    shards: readonly number[],
    to: SessionId,
    member: Member | undefined,
  ): Promise<void> {
    const { picture, routes, slots, adopt, log, onStale } = this.options;
    try {
      const moved = await slots.release(slot, shards, to);
      // A session that lives takes all of them; what is missing otherwise was not ours.
      if (moved.size === 0) this.refused(to);
      if (moved.size < shards.length) onStale();
      picture.map.apply([...moved].map(([shard, epoch]): MapEntry => [shard, to, epoch]));
      const handed = [...moved.keys()];
      // Until the new owner says that it has them nothing leads there: what came earlier would be turned away. What
      // leads elsewhere by now has gone on from there, and that news was faster than this answer.
      routes.drop(handed.filter((shard) => routes.leadsHome(shard)));
      if (member === undefined) adopt(to, handed);
      else member.peer?.send({ type: 'handed', session: to, shards: handed } satisfies ControlMessage);
    } catch (error) {
      log('warn', 'shards are not handed over', { slot, error: String(error) });
      onStale();
    }
  }

  /** The worker that the shards are pinned to, or the one with the fewest. */
  private sessionOf(member: Member, pinned: number | undefined): SessionId | undefined {
    const found = member.workers.get(pinned ?? -1);
    if (found !== undefined) return found;
    const loads = this.options.picture.map.loads();
    let best: SessionId | undefined;
    for (const session of member.workers.values())
      if (best === undefined || (loads.get(session) ?? 0) < (loads.get(best) ?? 0)) best = session;
    return best;
  }

  /** The session of a slot of this node that shards of the slot `but` are pinned to. */
  private ownSlot(pinned: number | undefined, but: number): SessionId | undefined {
    return pinned === undefined || pinned === but ? undefined : this.options.picture.own.get(pinned)?.session;
  }

  /** A session did not get what was handed to it: it may be gone, and asking resets the documents each time. */
  private refused(session: SessionId): void {
    const now = this.options.clock.now();
    // Sessions that are gone are never asked about again.
    for (const [each, at] of this.refusals) if (now - at >= REFUSED_MS) this.refusals.delete(each);
    this.refusals.set(session, now);
  }

  private isRefused(session: SessionId): boolean {
    const at = this.refusals.get(session);
    if (at === undefined) return false;
    if (this.options.clock.now() - at < REFUSED_MS) return true;
    this.refusals.delete(session);
    return false;
  }
}
