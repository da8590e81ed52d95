// The control plane's store: statements of this folder on two connections, and one more that listens.

import { migrate, pendingMigrations } from '../migrate.ts';
import {
  type ConnectionBudget,
  type ControlStore,
  type EventListener,
  type FenceVictim,
  type OpenedSession,
  type PinRow,
  type SessionId,
  type SessionIdentity,
  type SessionRef,
  type SessionRow,
  type SessionState,
  type ShardRow,
  SOFT_FENCE_GAP_MS,
  type SweepOptions,
  type SweepSlice,
} from '../store.ts';
import type { PostgresStoreOptions } from './connection/connect.ts';
import { Pool } from './connection/pool.ts';
import { Servers } from './connection/servers.ts';
import { sweep } from './retention/sweep.ts';
import { connectionBudget, renewHistory, timeline } from './session/cluster.ts';
import { notify, type Subscription, subscription } from './session/events.ts';
import { fence } from './session/fence.ts';
import { orgShards, pins, removePin, setPin } from './session/pins.ts';
import {
  connectedRuns,
  drainRun,
  foreignSessions,
  insertSession,
  sessionState,
  sessions,
} from './session/session.ts';
import { orphans, shardMap } from './session/shards.ts';

/** Connections of a control store, without the listening ones. */
export const CONTROL_CONNECTIONS = 2;

export interface ControlStoreOptions extends PostgresStoreOptions {
  /**
   * The server knows the connections by this name. A name that does not begin with `troupe:` belongs to no
   * node.
   */
  readonly name?: string;
}

/** Includes the wait for another node that migrates. */
const MIGRATION_TIMEOUT_MS = 3_600_000;
/** Longest wait for statements under way when the store is closed. No caller waits for their answers. */
const CLOSE_MS = 1_000;

export class PostgresControlStore implements ControlStore {
  readonly #options: PostgresStoreOptions;
  readonly #servers: Servers;
  readonly #pool: Pool;
  readonly #subscriptions = new Set<Subscription>();
  #session: SessionRef | undefined;
  #migrating: Pool | undefined;

  constructor(options: ControlStoreOptions) {
    this.#options = options;
    this.#servers = new Servers(options.url, options.lowestTimeline);
    this.#pool = new Pool(options, this.#servers, options.name ?? 'troupe:control', CONTROL_CONNECTIONS);
  }

  /** May take long: it has no time-out of its own. */
  async migrate(): Promise<readonly string[]> {
    const options = { ...this.#options, answerTimeoutMs: MIGRATION_TIMEOUT_MS };
    const patient = new Pool(options, this.#servers, 'troupe:migrate', 1);
    this.#migrating = patient;
    try {
      return await patient.run('migrate', migrate);
    } finally {
      this.#migrating = undefined;
      await patient.close(CLOSE_MS);
    }
  }

  pendingMigrations(): Promise<readonly string[]> {
    return this.#pool.run('pendingMigrations', pendingMigrations);
  }

  async openSession(identity: SessionIdentity & { readonly address?: string }): Promise<OpenedSession> {
    const { session } = await this.#pool.run('openSession', (sql) => insertSession(sql, identity));
    this.#session = session;
    return session;
  }

  foreignSessions(run: string) {
    return this.#pool.run('foreignSessions', (sql) => foreignSessions(sql, run));
  }

  sessions(): Promise<readonly SessionRow[]> {
    return this.#pool.run('sessions', sessions);
  }

  connectedRuns(): Promise<ReadonlySet<string>> {
    return this.#pool.run('connectedRuns', connectedRuns);
  }

  shardMap(): Promise<readonly ShardRow[]> {
    return this.#pool.run('shardMap', shardMap);
  }

  orphans(): Promise<readonly number[]> {
    return this.#pool.run('orphans', orphans);
  }

  notify(event: string): Promise<void> {
    return this.#pool.run('notify', (sql) => notify(sql, event));
  }

  async listen(listener: EventListener): Promise<{ close(): Promise<void> }> {
    const made = subscription(this.#options, this.#servers, listener);
    this.#subscriptions.add(made);
    const close = (): Promise<void> => {
      this.#subscriptions.delete(made);
      return made.close();
    };
    try {
      await made.start();
    } catch (error) {
      await close();
      throw error;
    }
    return { close };
  }

  setState(me: SessionRef, _state: 'draining'): Promise<boolean> {
    return this.#pool.run('setState', (sql) => drainRun(sql, me));
  }

  fence(me: SessionRef, victim: FenceVictim): Promise<boolean>;
  fence(me: SessionRef, victim: FenceVictim, how: { readonly soft: true }): Promise<boolean | 'too-soon'>;
  fence(me: SessionRef, victim: FenceVictim, how?: { readonly soft: true }): Promise<boolean | 'too-soon'> {
    const gapMs = how === undefined ? 0 : SOFT_FENCE_GAP_MS;
    return this.#pool.run('fence', (sql) => fence(sql, me, victim, gapMs));
  }

  sessionState(id: SessionId): Promise<SessionState | undefined> {
    return this.#pool.run('sessionState', (sql) => sessionState(sql, id));
  }

  timeline(): Promise<{ timeline: number; highest: number }> {
    return this.#pool.run('timeline', timeline);
  }

  refuseBelow(lowest: number): void {
    this.#servers.refuseBelow(lowest);
    this.#pool.recheck();
    for (const subscription of this.#subscriptions) subscription.recheck();
  }

  renewHistory(): Promise<string> {
    return this.#pool.run('renewHistory', renewHistory);
  }

  connectionBudget(): Promise<ConnectionBudget> {
    return this.#pool.run('connectionBudget', connectionBudget);
  }

  pins(): Promise<readonly PinRow[]> {
    return this.#pool.run('pins', pins);
  }

  setPin(pin: PinRow): Promise<void> {
    return this.#pool.run('setPin', (sql) => setPin(sql, pin));
  }

  removePin(match: string): Promise<boolean> {
    return this.#pool.run('removePin', (sql) => removePin(sql, match));
  }

  orgShards(orgs: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>> {
    return this.#pool.run('orgShards', (sql) => orgShards(sql, orgs));
  }

  async sweep(options: SweepOptions): Promise<SweepSlice> {
    const me = this.#session;
    if (!me) throw new Error('the control session is not open');
    return this.#pool.run('sweep', (sql) => sweep(sql, me, options));
  }

  async close(): Promise<void> {
    this.#migrating?.abort();
    await Promise.all([...this.#subscriptions].map((each) => each.close()));
    this.#subscriptions.clear();
    await this.#pool.close(CLOSE_MS);
  }
}
