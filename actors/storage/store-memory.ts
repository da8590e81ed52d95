// The store in memory: the same guarantees as in PostgreSQL, for tests and simulations, and the same
// faults on demand: a database out of reach, and connections lost in mid-append. No timers, no threads:
// what it waits for is `delay`. Nothing of it is durable.
import type { KindName } from '../../protocol/messages.ts';
import { checkComplete, headsOf, randomDocumentId } from './log.ts';
import { MemoryTables } from './memory/database.ts';
import { MIGRATIONS } from './migrations/index.ts';
import {
  type AppendOutcome,
  type ControlStore,
  type DeltaRow,
  type DocumentId,
  type FoldStore,
  type SessionId,
  type SessionIdentity,
  type SessionRef,
  StoreUnavailable,
  type WorkerStore,
} from './store.ts';

export interface MemoryDatabaseOptions {
  /** Awaited on each way between store and database; the default takes no time. */
  readonly delay?: () => Promise<void>;
  /** Fills with random bytes. */
  readonly random?: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  readonly nowMs?: () => number;
}

/** Where the connection is lost: the batch has not reached the database, or only its answer is lost. */
export type LostConnection = 'before-commit' | 'after-commit';

/** One database; the stores made of it are as many nodes and threads as one likes. */
export interface MemoryDatabase {
  control(): ControlStore;
  worker(): WorkerStore;
  fold(): FoldStore;
  /** While false, appends stay open and every other call rejects with StoreUnavailable. */
  setAvailable(available: boolean): void;
  /** The session's next append loses its connection there, and resolves what became of it. */
  loseConnection(session: SessionId, where: LostConnection): void;
  /** Rows of the document above `version` vanish, as when a database fails over to one that lacks them. */
  loseAbove(doc: DocumentId, version: number): void;
}

export function createMemoryDatabase(options: MemoryDatabaseOptions = {}): MemoryDatabase {
  return new Memory(options);
}

class Memory implements MemoryDatabase {
  readonly tables: MemoryTables;
  readonly delay: () => Promise<void>;
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  readonly lost = new Map<SessionId, LostConnection>();
  readonly #waiting = new Set<() => void>();
  #available = true;
  #migrated = false;

  constructor(options: MemoryDatabaseOptions) {
    this.tables = new MemoryTables(options.nowMs ?? Date.now);
    this.delay = options.delay ?? (() => Promise.resolve());
    this.random = options.random ?? ((bytes) => globalThis.crypto.getRandomValues(bytes));
  }

  control(): ControlStore {
    return createControl(this);
  }

  worker(): WorkerStore {
    return new MemoryWorker(this);
  }

  fold(): FoldStore {
    return createFold(this);
  }

  setAvailable(available: boolean): void {
    this.#available = available;
    if (!available) return;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  loseConnection(session: SessionId, where: LostConnection): void {
    this.lost.set(session, where);
  }

  loseAbove(doc: DocumentId, version: number): void {
    this.tables.loseAbove(doc, version);
  }

  /** A statement: there, done in one go, and back. */
  async call<T>(name: string, statement: (tables: MemoryTables) => T): Promise<T> {
    await this.delay();
    if (!this.#available) throw new StoreUnavailable(`${name}: the database is out of reach`);
    const result = statement(this.tables);
    await this.delay();
    return result;
  }

  /** Resolves when the database is within reach, or the signal says to give up. */
  async reachable(signal: AbortSignal): Promise<void> {
    while (!this.#available && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  migrate(): readonly string[] {
    const pending = this.pending();
    this.#migrated = true;
    return pending;
  }

  pending(): readonly string[] {
    return this.#migrated ? [] : MIGRATIONS.map((migration) => migration.name);
  }

  nonce(): string {
    const bytes = new Uint8Array(16);
    this.random(bytes);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

function createControl(memory: Memory): ControlStore {
  let session: SessionRef | undefined;
  return {
    migrate: () => memory.call('migrate', () => memory.migrate()),
    pendingMigrations: () => memory.call('pendingMigrations', () => memory.pending()),
    openSession: async (identity) => {
      session = await memory.call('openSession', (tables) => tables.insertSession(identity, memory.nonce()));
      return session;
    },
    foreignSessions: (run) => memory.call('foreignSessions', (tables) => tables.foreignSessions(run)),
    fence: (me, victim) => memory.call('fence', (tables) => tables.fence(me, victim)),
    sessionState: (id) => memory.call('sessionState', (tables) => tables.stateOf(id)),
    compact: async (what) => {
      const me = session;
      if (!me) throw new Error('the control session is not open');
      return memory.call('compact', (tables) => tables.compact(me, what));
    },
    close: async () => undefined,
  };
}

function createFold(memory: Memory): FoldStore {
  return {
    read: (doc, upTo) => memory.call('read', (tables) => checkComplete(tables.load(doc, upTo), upTo)),
    writeSnapshot: (session, doc, version, epoch, previous, state) =>
      memory.call('writeSnapshot', (tables) =>
        tables.writeSnapshot(session, doc, version, epoch, previous, state),
      ),
    close: async () => undefined,
  };
}

class MemoryWorker implements WorkerStore {
  readonly #memory: Memory;
  readonly #aborted = new AbortController();
  #session: SessionRef | undefined;
  #epoch = 1;
  #seenEpoch = 1;
  #lastBatch = 0;
  #busy: Promise<AppendOutcome> | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  async open(identity: SessionIdentity): Promise<SessionRef> {
    if (this.#session) throw new Error('a worker store is opened once');
    this.#session = await this.#memory.call('open', (tables) =>
      tables.insertSession(identity, this.#memory.nonce()),
    );
    return this.#session;
  }

  get connectionEpoch(): number {
    return this.#epoch;
  }

  claim(shards: readonly number[]) {
    return this.#call('claim', (tables, me) => tables.claim(me, shards));
  }

  async append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    if (this.#busy !== undefined) throw new Error('append: one call at a time');
    if (rows.length === 0) return { type: 'committed' };
    this.#busy = this.#append(rows, heads);
    try {
      return await this.#busy;
    } finally {
      this.#busy = undefined;
      this.#seenEpoch = this.#epoch;
    }
  }

  find(org: string, name: string) {
    return this.#call('find', (tables) => tables.find(org, name));
  }

  create(org: string, name: string, shard: number, kind: KindName) {
    return this.#call('create', (tables, me) =>
      tables.create(me, randomDocumentId(this.#memory.random), org, name, shard, kind),
    );
  }

  load(ids: readonly DocumentId[]) {
    return this.#call('load', (tables) => ids.map((id) => checkComplete(tables.load(id))));
  }

  history(doc: DocumentId, after: number, upTo: number, maxBytes: number) {
    return this.#call('history', (tables) => tables.history(doc, after, upTo, maxBytes));
  }

  clientSeqs(doc: DocumentId, client: string, upTo: number) {
    return this.#call('clientSeqs', (tables) => tables.clientSeqs(doc, client, upTo));
  }

  clients(doc: DocumentId, limit: number) {
    return this.#call('clients', (tables) => tables.clients(doc, limit));
  }

  seqVersion(doc: DocumentId, client: string, seq: number) {
    return this.#call('seqVersion', (tables) => tables.seqVersion(doc, client, seq));
  }

  async close(): Promise<void> {
    if (!this.#session) return;
    await Promise.allSettled([this.#busy]);
    await this.#call('close', (tables, me) => tables.fenceSelf(me));
    this.#aborted.abort();
  }

  abort(): void {
    this.#aborted.abort();
  }

  async #append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    const answer = await this.#settle(++this.#lastBatch, rows, heads);
    return answer === 'refused' ? this.#byDocument(rows) : { type: answer };
  }

  /** Like the appender of PostgreSQL: the identical batch again until it is known what became of it. */
  async #settle(
    batch: number,
    rows: readonly DeltaRow[],
    heads: ReadonlyMap<DocumentId, number>,
  ): Promise<'committed' | 'refused' | 'gap' | 'fenced'> {
    const { tables, lost, delay } = this.#memory;
    const me = this.#opened();
    while (!this.#aborted.signal.aborted) {
      await delay();
      await this.#memory.reachable(this.#aborted.signal);
      if (this.#aborted.signal.aborted) break;
      const where = lost.get(me.id);
      lost.delete(me.id);
      if (where === 'before-commit') {
        this.#epoch++;
        continue;
      }
      const proved = this.#epoch === this.#seenEpoch ? heads : headsOf(rows);
      const result = tables.insertBatch(me, batch, rows, proved);
      if (where === 'after-commit') {
        this.#epoch++;
        continue;
      }
      // By an attempt whose answer was lost; the session may be fenced since.
      const landed = result !== 'written' && tables.countBatch(me, batch, rows) === rows.length;
      const state = tables.ownState(me);
      await delay();
      if (result === 'refused') return 'refused';
      if (result === 'written' || landed) return 'committed';
      return state === undefined || state === 'fenced' ? 'fenced' : 'gap';
    }
    return 'fenced';
  }

  async #byDocument(rows: readonly DeltaRow[]): Promise<AppendOutcome> {
    const refused: DocumentId[] = [];
    for (const doc of new Set(rows.map((row) => row.doc))) {
      const part = rows.filter((row) => row.doc === doc);
      const answer = await this.#settle(++this.#lastBatch, part, headsOf(part));
      if (answer === 'refused') refused.push(doc);
      else if (answer !== 'committed') return { type: answer };
    }
    return refused.length === 0 ? { type: 'committed' } : { type: 'refused', docs: refused };
  }

  async #call<T>(name: string, statement: (tables: MemoryTables, me: SessionRef) => T): Promise<T> {
    const me = this.#opened();
    if (this.#aborted.signal.aborted) throw new StoreUnavailable(`${name}: the store is closed`);
    return this.#memory.call(name, (tables) => statement(tables, me));
  }

  #opened(): SessionRef {
    if (!this.#session) throw new Error('the session is not open');
    return this.#session;
  }
}
