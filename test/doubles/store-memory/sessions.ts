// The right to write in the memory store: sessions and shards, the time of the last fence, and the
// database's identity after a failover or a restore. Each call is one synchronous statement, hence atomic.
import { MAIN } from '../../../actors/liveness/liveness.ts';
import { SHARDS } from '../../../actors/storage/migrations/shape.ts';
import {
  type FenceVictim,
  type OpenedSession,
  RunFenced,
  type SessionId,
  type SessionIdentity,
  type SessionRef,
  type SessionRow,
  type SessionState,
  type ShardRow,
  SOFT_FENCE_GAP_MS,
} from '../../../actors/storage/store.ts';

interface Session extends SessionIdentity, SessionRef {
  readonly address: string | null;
  state: SessionState;
}
interface Shard {
  owner: SessionId | undefined;
  epoch: number;
}

/** As in the SQL of troupe_renew_history. */
const RENEWAL_JUMP = 1_000_000;

export class MemorySessions {
  readonly #nowMs: () => number;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({ owner: undefined, epoch: 0 }));
  #lastSession = 0;
  #lastFenceMs = Number.NEGATIVE_INFINITY;
  #historyTag = '';
  #highestTimeline = 0;
  /**
   * Caches, because they are read far more often than they change. Undefined if they must be computed
   * again.
   */
  #orphans: readonly number[] | undefined;
  #rows: readonly ShardRow[] | undefined;
  /** The rows of the last reading of the map. Most of them are the same in the next one. */
  #lastRows: readonly ShardRow[] = [];
  /** The server's timeline. */
  timeline = 1;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  insert(identity: SessionIdentity & { readonly address?: string }, nonce: string): OpenedSession {
    const { run, node, slot, address = null } = identity;
    for (const other of this.#sessions.values())
      if (other.run === run && other.slot === MAIN && other.state === 'fenced')
        throw new RunFenced(`the run ${run} has been fenced`);
    const id = ++this.#lastSession;
    this.#sessions.set(id, { id, nonce, run, node, slot, address, state: 'live' });
    return { id, nonce, historyTag: this.#historyTag };
  }

  stateOf(id: SessionId): SessionState | undefined {
    return this.#sessions.get(id)?.state;
  }

  /** Undefined if there is no such session, or if the nonce differs. */
  ownState({ id, nonce }: SessionRef): SessionState | undefined {
    const session = this.#sessions.get(id);
    return session?.nonce === nonce ? session.state : undefined;
  }

  isOpen(me: SessionRef): boolean {
    const state = this.ownState(me);
    return state !== undefined && state !== 'fenced';
  }

  list(): SessionRow[] {
    return [...this.#sessions.values()].flatMap(({ id, run, node, slot, state, address }) =>
      state === 'fenced' ? [] : [{ id, run, node, slot, state, address }],
    );
  }

  foreign(run: string): { id: SessionId; run: string; node: string; slot: number }[] {
    return this.list()
      .filter((session) => session.run !== run)
      .map(({ id, run: of, node, slot }) => ({ id, run: of, node, slot }));
  }

  drainRun(me: SessionRef): boolean {
    if (!this.isOpen(me)) return false;
    const run = this.#sessions.get(me.id)?.run;
    this.#changed();
    for (const session of this.#sessions.values()) {
      if (session.run === run && session.state === 'live') session.state = 'draining';
    }
    return true;
  }

  /** Sessions that a fence of `victim` would fence. */
  victims(victim: FenceVictim): readonly SessionId[] {
    return [...this.#sessions.values()]
      .filter((session) => session.state !== 'fenced' && isVictim(session, victim))
      .map((session) => session.id);
  }

  fence(me: SessionRef, victim: FenceVictim, soft: boolean): boolean | 'too-soon' {
    const own = this.#sessions.get(me.id);
    if (own === undefined || !this.isOpen(me)) return false;
    const all = [...this.#sessions.values()].filter((session) => isVictim(session, victim));
    const foreign = all.filter((session) => session.run !== own.run);
    if (own.state !== 'live' && foreign.length > 0) return false;
    if (foreign.some((session) => session.state !== 'fenced')) {
      const now = this.#nowMs();
      const age = now - this.#lastFenceMs;
      if (soft && age >= 0 && age < SOFT_FENCE_GAP_MS) return 'too-soon';
      this.#lastFenceMs = now;
    }
    this.#changed();
    for (const session of all) session.state = 'fenced';
    return true;
  }

  fenceSelf(me: SessionRef): void {
    this.#changed();
    const session = this.#sessions.get(me.id);
    if (session?.nonce === me.nonce) session.state = 'fenced';
  }

  claim(me: SessionRef, ids: readonly number[]): Map<number, number> {
    this.#changed();
    const won = new Map<number, number>();
    if (this.ownState(me) !== 'live') return won;
    for (const id of [...ids].sort((a, b) => a - b)) {
      const shard = this.#shards[id];
      if (!shard) continue;
      if (!this.#isFree(shard) && shard.owner !== me.id) continue;
      if (shard.owner !== me.id) shard.epoch++;
      shard.owner = me.id;
      won.set(id, shard.epoch);
    }
    return won;
  }

  handOff(me: SessionRef, ids: readonly number[], to: SessionId): Map<number, number> {
    const moved = new Map<number, number>();
    this.#changed();
    if (!this.isOpen(me) || this.stateOf(to) !== 'live') return moved;
    for (const id of ids) {
      const shard = this.#shards[id];
      if (shard?.owner !== me.id) continue;
      shard.owner = to;
      moved.set(id, ++shard.epoch);
    }
    return moved;
  }

  ownedBy(owner: SessionId, ids: readonly number[]): Map<number, number> {
    const owned = new Map<number, number>();
    for (const id of ids) {
      const shard = this.#shards[id];
      if (shard?.owner === owner) owned.set(id, shard.epoch);
    }
    return owned;
  }

  owns(me: SessionRef, shard: number): boolean {
    return this.#shards[shard]?.owner === me.id;
  }

  shardMap(): readonly ShardRow[] {
    if (this.#rows !== undefined) return this.#rows;
    const states = new Map<SessionId | undefined, SessionState | null>([[undefined, null]]);
    for (const { id, state } of this.#sessions.values()) states.set(id, state);
    const rows = this.#shards.map(({ owner: ownerId, epoch }, shard): ShardRow => {
      const ownerState = states.get(ownerId) ?? null;
      const owner = ownerId ?? null;
      const last = this.#lastRows[shard];
      const isSame = last?.owner === owner && last.epoch === epoch && last.ownerState === ownerState;
      return isSame ? last : { shard, owner, epoch, ownerState };
    });
    this.#rows = rows;
    this.#lastRows = rows;
    return rows;
  }

  orphans(): readonly number[] {
    if (this.#orphans !== undefined) return this.#orphans;
    const fenced = new Set<SessionId | undefined>([undefined]);
    for (const { id, state } of this.#sessions.values()) if (state === 'fenced') fenced.add(id);
    const orphans: number[] = [];
    for (let id = 0; id < SHARDS; id++) if (fenced.has(this.#shards[id]?.owner)) orphans.push(id);
    this.#orphans = orphans;
    return orphans;
  }

  recordTimeline(): { timeline: number; highest: number } {
    this.#highestTimeline = Math.max(this.#highestTimeline, this.timeline);
    return { timeline: this.timeline, highest: this.#highestTimeline };
  }

  renewHistory(tag: string): string {
    this.#changed();
    for (const session of this.#sessions.values()) session.state = 'fenced';
    for (const shard of this.#shards) {
      shard.owner = undefined;
      shard.epoch += RENEWAL_JUMP;
    }
    this.#lastSession += RENEWAL_JUMP;
    this.#highestTimeline = this.timeline;
    this.#historyTag = tag;
    return tag;
  }

  #changed(): void {
    this.#orphans = undefined;
    this.#rows = undefined;
  }

  #isFree({ owner }: Shard): boolean {
    return owner === undefined || this.stateOf(owner) === 'fenced';
  }
}

const isVictim = (session: Session, victim: FenceVictim): boolean =>
  'run' in victim ? session.run === victim.run : session.id === victim.session;
