// The other nodes of the cluster as this node knows them: their identities, states, sessions, and whether a
// connection is up. The database says which runs exist and are not fenced. Each run publishes its own state,
// over its peer connection or in its lease. This class decides nothing.
import type { SessionId, SessionRow } from '../../actors/storage/store.ts';
import { boundedWeight } from '../../config/keys/weight.ts';
import type { Peer } from '../peer/network.ts';
import type { Lease } from './lease-store.ts';

export interface Member {
  readonly run: string;
  readonly node: string;
  readonly address: string;
  /** The session of the node's control plane. */
  readonly session: SessionId;
  state: Lease['state'];
  weight: number;
  /** slot -> session. */
  workers: ReadonlyMap<number, SessionId>;
  peer: Peer | undefined;
  /** When the member was first seen live, by this node's clock. Undefined before that. */
  liveSince: number | undefined;
}

/** The slot number of the control plane's session. */
export const CONTROL_SLOT = -1;

export class Members {
  readonly #byRun = new Map<string, Member>();
  readonly #runOf = new Map<SessionId, string>();
  /** Sessions that the database has shown. Only the absence of such a session means that it was fenced. */
  readonly #seen = new Set<SessionId>();
  /** Rises whenever a session may belong to another member, or to none. */
  revision = 0;

  get(run: string): Member | undefined {
    return this.#byRun.get(run);
  }

  all(): Iterable<Member> {
    return this.#byRun.values();
  }

  get size(): number {
    return this.#byRun.size;
  }

  ofSession(session: SessionId): Member | undefined {
    const run = this.#runOf.get(session);
    return run === undefined ? undefined : this.#byRun.get(run);
  }

  /**
   * Takes all sessions of the database that are not fenced. Returns the runs that have come, and the runs
   * that have gone with all their known sessions.
   */
  sync(rows: readonly SessionRow[]): {
    readonly come: readonly Member[];
    readonly gone: readonly { readonly member: Member; readonly sessions: readonly SessionId[] }[];
    /** Fenced sessions of runs that live on. */
    readonly fenced: readonly SessionId[];
  } {
    const come: Member[] = [];
    let isNew = false;
    for (const row of rows) {
      isNew ||= this.#runOf.get(row.id) !== row.run;
      this.#runOf.set(row.id, row.run);
      this.#seen.add(row.id);
      if (row.slot !== CONTROL_SLOT || row.address === null || this.#byRun.has(row.run)) continue;
      const member: Member = {
        run: row.run,
        node: row.node,
        address: row.address,
        session: row.id,
        state: row.state === 'draining' ? 'draining' : 'joining',
        weight: 1,
        workers: new Map(),
        peer: undefined,
        liveSince: undefined,
      };
      this.#byRun.set(row.run, member);
      come.push(member);
    }
    const left = new Set(rows.map((row) => row.id));
    const fenced = [...this.#seen].filter((session) => !left.has(session));
    const gone = [...this.#byRun.values()]
      .filter((member) => !left.has(member.session))
      .map((member) => ({ member, sessions: this.sessionsOf(member.run) }));
    for (const { member } of gone) this.#byRun.delete(member.run);
    for (const session of fenced) this.#forget(session);
    if (isNew || come.length > 0 || gone.length > 0 || fenced.length > 0) this.revision++;
    return { come, gone, fenced };
  }

  /** Takes a run's lease. True if the lease changed anything. */
  learn(lease: Lease, now: number): boolean {
    const member = this.#byRun.get(lease.run);
    if (member === undefined) return false;
    // A node of another version may allow other weights, and an invalid weight would stop all planning here.
    const weight = boundedWeight(lease.weight);
    const workers = new Map(lease.workers.map(({ slot, session }) => [slot, session]));
    // The state never goes back: a lease may arrive late over another way.
    const state = ORDER[lease.state] >= ORDER[member.state] ? lease.state : member.state;
    const isNew =
      state !== member.state ||
      weight !== member.weight ||
      workers.size !== member.workers.size ||
      [...workers].some(([slot, session]) => member.workers.get(slot) !== session);
    if (isNew) this.revision++;
    for (const session of workers.values()) this.#runOf.set(session, lease.run);
    member.state = state;
    member.weight = weight;
    member.workers = workers;
    if (state === 'live') member.liveSince ??= now;
    return isNew;
  }

  sessionsOf(run: string): readonly SessionId[] {
    return [...this.#runOf].filter(([, of]) => of === run).map(([session]) => session);
  }

  /** Forgets a fenced run. Returns its known sessions. */
  remove(run: string): readonly SessionId[] {
    const sessions = this.sessionsOf(run);
    this.revision++;
    this.#byRun.delete(run);
    for (const session of sessions) this.#forget(session);
    return sessions;
  }

  #forget(session: SessionId): void {
    this.#runOf.delete(session);
    this.#seen.delete(session);
  }
}

const ORDER = { joining: 0, live: 1, draining: 2 } as const;
