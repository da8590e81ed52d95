// The store in memory, for tests and simulations: it gives the same guarantees as PostgreSQL, and the same
// faults on demand (store-memory/way.ts). Any number of nodes in one process share a database. Time, delays
// and randomness come through the options; if they are deterministic, so is each run. Nothing is durable.
import { checkComplete } from '../../actors/storage/log.ts';
import { MIGRATIONS } from '../../actors/storage/migrations/index.ts';
import {
  type ControlStore,
  type DocumentId,
  type FoldStore,
  MAX_EVENT_BYTES,
  type SessionId,
  type WorkerStore,
} from '../../actors/storage/store.ts';
import type { Backend } from './store-memory/backend.ts';
import { MemoryControlStore } from './store-memory/control-store.ts';
import { MemoryTables } from './store-memory/database.ts';
import { SessionLocks } from './store-memory/locks.ts';
import { type LostConnection, type Reach, type Server, Way } from './store-memory/way.ts';
import { MemoryWorkerStore } from './store-memory/worker-store.ts';

export type { LostConnection, Reach } from './store-memory/way.ts';

export interface MemoryDatabaseOptions {
  /** Awaited on each way between store and database, and while a batch runs. The default takes no time. */
  readonly delay?: () => Promise<void>;
  /** Time-outs of locks (250 ms) and of answers that do not come (10 s). The default is `delay`. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** Fills with random bytes. */
  readonly random?: (bytes: Uint8Array<ArrayBuffer>) => unknown;
  /** The database's clock. */
  readonly nowMs?: () => number;
}

/** A process that uses the database: its stores, and the faults that it can have. */
export interface MemoryNode {
  control(): ControlStore;
  worker(): WorkerStore;
  fold(): FoldStore;
  setReach(reach: Reach): void;
  /** Sets a delay of this node's own. Undefined restores the database's delay. */
  setDelay(delay: (() => Promise<void>) | undefined): void;
  /** `decide` is called for each statement and tells whether its connection is lost. */
  setLoss(decide: () => LostConnection | undefined): void;
  /**
   * Stops the process: it sends nothing, and answers and events wait. With `holding`, statements that are
   * being sent are half sent: an append or a hand-off holds the locks of its sessions until `resume`, or
   * until a fence ends its backend.
   */
  pause(options?: { readonly holding?: boolean }): void;
  resume(): void;
  /** Ends the process: its calls never settle, and half-sent statements are rolled back. */
  crash(): void;
}

/** One database, as tests of a single node use it. */
export interface MemoryDatabase {
  control(): ControlStore;
  worker(): WorkerStore;
  fold(): FoldStore;
  /** While false, appends stay open and every other call rejects with StoreUnavailable. */
  setAvailable(available: boolean): void;
  /**
   * Makes the session's next append or hand-off lose its connection at `where`. The store then resolves the
   * outcome.
   */
  loseConnection(session: SessionId, where: LostConnection): void;
  /** Removes the rows of the document above `version`, as a failover to a database without them does. */
  loseAbove(doc: DocumentId, version: number): void;
}

/**
 * A database that many nodes share. The stores of `control()`, `worker()` and `fold()` belong to one
 * further node.
 */
export interface MemoryCluster extends MemoryDatabase {
  node(): MemoryNode;
  /** All connections are lost, and uncommitted work is rolled back. The database is back at once. */
  restart(): void;
  /** Does the same as `restart`, under the next timeline or under `timeline`. */
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
    /** The sessions of this node's workers. A crash may leave their statements half sent. */
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
