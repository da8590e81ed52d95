// The control plane's memory store: statements of the tables, sent over one node's way to them.
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
  StoreUnavailable,
  type SweepOptions,
  type SweepSlice,
} from '../../../actors/storage/store.ts';
import type { Backend } from './backend.ts';
import type { MemoryTables } from './database.ts';
import type { Way } from './way.ts';

/** As in PostgreSQL, each round waits for the locks and then ends their holders. */
const LOCK_TIMEOUT_MS = 250;
const FENCE_ROUNDS = 8;

export class MemoryControlStore implements ControlStore {
  readonly #memory: Backend;
  readonly #way: Way;
  readonly #unsubscribe = new Set<() => void>();
  #session: SessionRef | undefined;

  constructor(memory: Backend, way: Way) {
    this.#memory = memory;
    this.#way = way;
  }

  migrate() {
    return this.#way.call('migrate', () => this.#memory.migrate());
  }

  pendingMigrations() {
    return this.#way.call('pendingMigrations', () => this.#memory.pending());
  }

  async openSession(identity: SessionIdentity & { readonly address?: string }): Promise<OpenedSession> {
    const session = await this.#call('openSession', ({ sessions }) =>
      sessions.insert(identity, this.#memory.hex(16)),
    );
    this.#session = session;
    return session;
  }

  foreignSessions(run: string) {
    return this.#call('foreignSessions', ({ sessions }) => sessions.foreign(run));
  }

  sessions() {
    return this.#call('sessions', ({ sessions }) => sessions.list());
  }

  /** Every session that is not fenced counts as connected: nothing here is cut off from its database. */
  connectedRuns(): Promise<ReadonlySet<string>> {
    return this.#call(
      'connectedRuns',
      ({ sessions }) => new Set(sessions.list().flatMap(({ run, slot }) => (slot < 0 ? [] : [run]))),
    );
  }

  shardMap() {
    return this.#call('shardMap', ({ sessions }) => sessions.shardMap());
  }

  orphans() {
    return this.#call('orphans', ({ sessions }) => sessions.orphans());
  }

  notify(event: string): Promise<void> {
    return this.#call('notify', () => this.#memory.publish(event));
  }

  async listen(listener: EventListener): Promise<{ close(): Promise<void> }> {
    let unsubscribe = (): void => undefined;
    await this.#call('listen', () => {
      unsubscribe();
      unsubscribe = this.#way.subscribe(listener);
    });
    this.#unsubscribe.add(unsubscribe);
    return {
      close: async () => {
        this.#unsubscribe.delete(unsubscribe);
        unsubscribe();
      },
    };
  }

  setState(me: SessionRef, _state: 'draining'): Promise<boolean> {
    return this.#call('setState', ({ sessions }) => sessions.drainRun(me));
  }

  fence(me: SessionRef, victim: FenceVictim): Promise<boolean>;
  fence(me: SessionRef, victim: FenceVictim, how: { readonly soft: true }): Promise<boolean | 'too-soon'>;
  async fence(me: SessionRef, victim: FenceVictim, how?: { readonly soft: true }) {
    const { locks, tables, sleep } = this.#memory;
    for (let round = 1; round <= FENCE_ROUNDS; round++) {
      const answer = await this.#way.call('fence', async () => {
        const rows = tables.sessions.victims(victim);
        if (!locks.isFree(rows)) await Promise.race([locks.whenFree(rows), sleep(LOCK_TIMEOUT_MS)]);
        if (!locks.isFree(tables.sessions.victims(victim))) return 'locked';
        return tables.sessions.fence(me, victim, how !== undefined);
      });
      if (answer !== 'locked') return answer;
      await this.#way.call('fence', () => locks.end(tables.sessions.victims(victim)));
    }
    throw new StoreUnavailable('fence: a session stays locked');
  }

  sessionState(id: SessionId) {
    return this.#call('sessionState', ({ sessions }) => sessions.stateOf(id));
  }

  timeline() {
    return this.#call('timeline', ({ sessions }) => sessions.recordTimeline());
  }

  refuseBelow(timeline: number): void {
    this.#way.refuseBelow(timeline);
  }

  renewHistory(): Promise<string> {
    return this.#call('renewHistory', ({ sessions }) => {
      this.#memory.locks.end();
      return sessions.renewHistory(this.#memory.hex(6));
    });
  }

  connectionBudget(): Promise<ConnectionBudget> {
    return this.#call('connectionBudget', ({ sessions }) => {
      const ours = sessions.list().length;
      return { max: Number.MAX_SAFE_INTEGER, reserved: 0, used: ours, ours };
    });
  }

  pins(): Promise<readonly PinRow[]> {
    return this.#call('pins', ({ pins }) => pins.list());
  }

  setPin(pin: PinRow): Promise<void> {
    return this.#call('setPin', ({ pins }) => pins.set(pin));
  }

  removePin(match: string): Promise<boolean> {
    return this.#call('removePin', ({ pins }) => pins.remove(match));
  }

  orgShards(orgs: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>> {
    return this.#call('orgShards', (tables) => tables.orgShards(orgs));
  }

  async sweep(options: SweepOptions): Promise<SweepSlice> {
    const me = this.#session;
    if (!me) throw new Error('the control session is not open');
    return this.#call('sweep', (tables) => tables.sweep(me, options));
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #call<T>(name: string, statement: (tables: MemoryTables) => T): Promise<T> {
    return this.#way.call(name, () => statement(this.#memory.tables));
  }
}
