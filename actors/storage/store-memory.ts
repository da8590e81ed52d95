// The store in memory: the same guarantees as in PostgreSQL, for tests and simulations, and the same
// faults on demand (memory/way.ts). Any number of nodes in one process share a database. Time, delays and
// randomness are what it is given: with deterministic ones its runs are deterministic. Nothing is durable.
import { checkComplete } from './log.ts';
import type { Backend } from './memory/backend.ts';
import { MemoryControlStore } from './memory/control-store.ts';
import { MemoryTables } from './memory/database.ts';
import { SessionLocks } from './memory/locks.ts';
import { type LostConnection, type Reach, type Server, Way } from './memory/way.ts';
import { MemoryWorkerStore } from './memory/worker-store.ts';
import { MIGRATIONS } from './migrations/index.ts';
import {
  type ControlStore,
  type DocumentId,
  type FoldStore,
  MAX_EVENT_BYTES,
  type SessionId,
  type WorkerStore,
} from './store.ts';

export type { LostConnection, Reach } from './memory/way.ts';

export interface MemoryDatabaseOptions {
  /** Awaited on each way between store and database, and while a batch runs; the default takes no time. */
  readonly delay?: () => Promise<void>;
  /** Time-outs: of locks (250 ms), and of answers that do not come (10 s). The default is `delay`. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** Fills with random bytes. */
  readonly random?: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  /** The database's clock. */
  readonly nowMs?: () => number;
}

/** A process that uses the database: its stores, and what befalls them. */
export interface MemoryNode {
  control(): ControlStore;
  worker(): WorkerStore;
  fold(): FoldStore;
  setReach(reach: Reach): void;
  /** Its own in place of the database's; undefined: the database's again. */
  setDelay(delay: (() => Promise<void>) | undefined): void;
  /** Asked for each statement, whether its connection is lost. */
  setLoss(decide: () => LostConnection | undefined): void;
  /**
   * The process stops: nothing is sent, answers wait, as do events. `holding`: what is being sent meanwhile
   * is half sent: an append or a hand-off holds the locks of its sessions until `resume`, or until whoever
   * fences ends its backend.
   */
  pause(options?: { readonly holding?: boolean }): void;
  resume(): void;
  /** The process is gone: no call settles any more, half-sent statements are rolled back. */
  crash(): void;
}

/** One database, as tests of a single node use it. */
export interface MemoryDatabase {
  control(): ControlStore;
  worker(): WorkerStore;
  fold(): FoldStore;
  /** While false, appends stay open and every other call rejects with StoreUnavailable. */
  setAvailable(available: boolean): void;
  /** The session's next append or hand-off loses its connection there, and resolves what became of it. */
  loseConnection(session: SessionId, where: LostConnection): void;
  /** Rows of the document above `version` vanish, as when a database fails over to one that lacks them. */
  loseAbove(doc: DocumentId, version: number): void;
}

/** A database that many nodes share. What `control()`, `worker()` and `fold()` give are of one node more. */
export interface MemoryCluster extends MemoryDatabase {
  node(): MemoryNode;
  /** All connections are lost, what has not committed is rolled back; it is there again at once. */
  restart(): void;
  /** As restart, under the next timeline, or `timeline`. */
  failOver(timeline?: number): void;
}

export function createMemoryDatabase(options: MemoryDatabaseOptions = {}): MemoryCluster {
  return new Memory(options);
}

class Memory implements MemoryCluster, Server, Backend {
  readonly tables: MemoryTables;
  readonly locks = new SessionLocks();
  readonly lost = new Map<SessionId, LostConnection>();
  readonly delay: () => Promise<void>;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  readonly #ways = new Set<Way>();
  readonly #own: MemoryNode;
  #available = true;
  #generation = 0;
  #migrated = false;

  constructor(options: MemoryDatabaseOptions) {
    this.tables = new MemoryTables(options.nowMs ?? Date.now);
    const { delay = () => Promise.resolve() } = options;
    this.delay = delay;
    this.sleep = options.sleep ?? (() => delay());
    this.random = options.random ?? ((bytes) => globalThis.crypto.getRandomValues(bytes));
    this.#own = this.node();
  }

  control(): ControlStore {
    return this.#own.control();
  }

  worker(): WorkerStore {
    return this.#own.worker();
  }

  fold(): FoldStore {
    return this.#own.fold();
  }

  node(): MemoryNode {
    const way = new Way(this);
    this.#ways.add(way);
    /** Of its workers: what a crash leaves half sent. */
    const sessions = new Set<SessionId>();
    return {
      control: () => new MemoryControlStore(this, way),
      worker: () => new MemoryWorkerStore(this, way, (session) => sessions.add(session)),
      fold: () => createFold(this, way),
      setReach: (reach) => way.setReach(reach),
      setDelay: (delay) => way.setDelay(delay),
      setLoss: (decide) => way.setLoss(decide),
      pause: ({ holding = false } = {}) => way.pause(holding),
      resume: () => way.resume(),
      crash: () => {
        way.crash();
        this.#ways.delete(way);
        this.locks.end([...sessions]);
      },
    };
  }

  get isAvailable(): boolean {
    return this.#available;
  }

  get generation(): number {
    return this.#generation;
  }

  get timeline(): number {
    return this.tables.sessions.timeline;
  }

  setAvailable(available: boolean): void {
    this.#available = available;
    for (const way of this.#ways) way.changed();
  }

  restart(): void {
    this.#generation++;
    this.locks.end();
    for (const way of this.#ways) way.reconnect();
  }

  failOver(timeline?: number): void {
    this.tables.sessions.timeline = timeline ?? this.timeline + 1;
    this.restart();
  }

  loseConnection(session: SessionId, where: LostConnection): void {
    this.lost.set(session, where);
  }

  loseAbove(doc: DocumentId, version: number): void {
    this.tables.loseAbove(doc, version);
  }

  publish(event: string): void {
    const long = new TextEncoder().encode(event).byteLength > MAX_EVENT_BYTES;
    for (const way of this.#ways) way.publish(long ? undefined : event);
  }

  migrate(): readonly string[] {
    const pending = this.pending();
    this.#migrated = true;
    return pending;
  }

  pending(): readonly string[] {
    return this.#migrated ? [] : MIGRATIONS.map((migration) => migration.name);
  }

  hex(bytes: number): string {
    const random = new Uint8Array(bytes);
    this.random(random);
    return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

function createFold({ tables }: Backend, way: Way): FoldStore {
  return {
    refuseBelow: (timeline) => way.refuseBelow(timeline),
    read: (doc, upTo) => way.call('read', () => checkComplete(tables.load(doc, upTo), upTo)),
    writeSnapshot: (session, snapshot) =>
      way.call('writeSnapshot', () => tables.writeSnapshot(session, snapshot)),
    close: async () => undefined,
  };
}
