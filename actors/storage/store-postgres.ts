// The store in PostgreSQL. It puts connections and statements (postgres/) together as the three ports; each
// statement's file states its guarantees.
import { randomFillSync } from 'node:crypto';
import { randomDocumentId } from './log.ts';
import { type PostgresStoreOptions, within } from './postgres/connection/connect.ts';
import { asUnavailable } from './postgres/connection/errors.ts';
import { Lane } from './postgres/connection/lane.ts';
import { Pool } from './postgres/connection/pool.ts';
import { Servers } from './postgres/connection/servers.ts';
import { WriteConnection } from './postgres/connection/write-connection.ts';
import { type ControlStoreOptions, PostgresControlStore } from './postgres/control-store.ts';
import { Appender } from './postgres/documents/append.ts';
import { clientSeqs, clients, clientsOfAll, seqPage } from './postgres/documents/client-seqs.ts';
import { create, find, findAll } from './postgres/documents/document.ts';
import { bringBack, remove } from './postgres/documents/existence.ts';
import { history } from './postgres/documents/history.ts';
import { load, loadAt } from './postgres/documents/load.ts';
import { writeSnapshot } from './postgres/documents/snapshot.ts';
import { PostgresRequestStore } from './postgres/request-store.ts';
import { claim } from './postgres/session/claim.ts';
import {
  fenceSelf,
  foldName,
  insertSession,
  isLive,
  poolName,
  writeName,
} from './postgres/session/session.ts';
import { adopt } from './postgres/session/shards.ts';
import {
  type AppendOutcome,
  type ControlStore,
  type Creation,
  type DeltaRow,
  type DocumentId,
  type DocumentRow,
  type FoldStore,
  type NewSnapshot,
  type OpenedSession,
  type RequestStore,
  type SessionId,
  type SessionIdentity,
  type SessionRef,
  StoreUnavailable,
  type WorkerStore,
} from './store.ts';

export { backup, restore } from './backup/backup.ts';
export type { PostgresStoreOptions, ReplicaOptions, StoreProblem } from './postgres/connection/connect.ts';
export { Servers } from './postgres/connection/servers.ts';
export type { ControlStoreOptions } from './postgres/control-store.ts';
export { CONTROL_CONNECTIONS } from './postgres/control-store.ts';
export { createEventStore, EVENT_CONNECTIONS } from './postgres/events/event-store.ts';
export { REQUEST_CONNECTIONS } from './postgres/request-store.ts';
export { firstContact } from './postgres/session/first-contact.ts';

/** A control store with CONTROL_CONNECTIONS connections, and one more for each `listen`. */
export function createControlStore(options: ControlStoreOptions): ControlStore {
  return new PostgresControlStore(options);
}

/** A store of requests with REQUEST_CONNECTIONS connections. */
export function createRequestStore(options: PostgresStoreOptions): RequestStore {
  return new PostgresRequestStore(options);
}

/** A worker's store with one write connection and a pool of `readConnections`. */
export function createWorkerStore(options: PostgresStoreOptions): WorkerStore {
  return new PostgresWorkerStore(options);
}

class PostgresWorkerStore implements WorkerStore {
  readonly #options: PostgresStoreOptions;
  readonly #servers: Servers;
  #open: Opened | undefined;
  #aborted = false;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#servers = new Servers(options.url, options.lowestTimeline);
  }

  async open(identity: SessionIdentity): Promise<OpenedSession> {
    if (this.#open || this.#aborted) throw new Error('a worker store can be opened only once');
    // The connections are named after the session, so a connection without a name makes the session first.
    const first = new Pool(this.#options, this.#servers, 'troupe:open', 1);
    let opened: Awaited<ReturnType<typeof insertSession>>;
    try {
      opened = await first.run('open', (sql) => insertSession(sql, identity));
    } finally {
      first.abort();
    }
    const { session, database } = opened;
    const connections = this.#options.readConnections ?? 2;
    const pool = new Pool(this.#options, this.#servers, poolName(database, session.id), connections);
    const write = new WriteConnection(this.#options, this.#servers, writeName(database, session.id));
    const appender = new Appender(write, session, this.#options);
    const bulk = new Lane(Math.max(1, connections - 1));
    this.#open = { session, pool, bulk, write, appender };
    return session;
  }

  get connectionEpoch(): number {
    return this.#open?.write.epoch ?? 0;
  }

  async claim(shards: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { pool, session } = this.#opened();
    return pool.run('claim', (sql) => claim(sql, session, shards));
  }

  async handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, number>> {
    return this.#opened().appender.handOff(shards, to);
  }

  async isLive(): Promise<boolean> {
    const { pool, session } = this.#opened();
    return pool.run('isLive', (sql) => isLive(sql, session));
  }

  async adopt(shards: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const { pool, session } = this.#opened();
    return pool.run('adopt', (sql) => adopt(sql, session, shards));
  }

  refuseBelow(timeline: number): void {
    this.#servers.refuseBelow(timeline);
    this.#open?.write.recheck();
    this.#open?.pool.recheck();
  }

  async append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome> {
    return this.#opened().appender.append(rows, heads);
  }

  async find(org: string, name: string): Promise<DocumentRow | undefined> {
    return this.#opened().pool.run('find', (sql) => find(sql, org, name));
  }

  async findAll(names: readonly (readonly [org: string, name: string])[]) {
    return this.#opened().pool.run('findAll', (sql) => findAll(sql, names));
  }

  async create(org: string, name: string, shard: number, creation: Creation) {
    const { pool, session } = this.#opened();
    for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
      const id = randomDocumentId((bytes) => randomFillSync(bytes));
      const made = await pool.run('create', (sql) =>
        create(sql, session, { id, org, name, shard, creation }, this.#isTold),
      );
      if (made !== 'again') return made;
    }
    throw new StoreUnavailable(`create: ${org}/${name} is created and deleted all the time`);
  }

  async remove(org: string, name: string, shard: number, mark: string, user: string | null = null) {
    const { pool, session } = this.#opened();
    return pool.run('remove', (sql) =>
      remove(sql, session, { org, name, shard }, { mark, user }, this.#isTold),
    );
  }

  async bringBack(
    org: string,
    name: string,
    shard: number,
    mark: string,
    trashMs: number,
    user: string | null = null,
  ) {
    const { pool, session } = this.#opened();
    return pool.run('bringBack', (sql) =>
      bringBack(sql, session, { org, name, shard }, { mark, user }, trashMs, this.#isTold),
    );
  }

  async load(ids: readonly DocumentId[], maxBytes?: number) {
    return this.#opened().pool.run('load', (sql) => load(sql, ids, maxBytes));
  }

  async history(doc: DocumentId, after: number, upTo: number, maxBytes: number) {
    const { bulk, pool } = this.#opened();
    return bulk.run('history', () => pool.run('history', (sql) => history(sql, doc, after, upTo, maxBytes)));
  }

  async clientSeqs(doc: DocumentId, client: string, upTo: number) {
    return this.#opened().pool.run('clientSeqs', (sql) => clientSeqs(sql, doc, client, upTo));
  }

  async clients(doc: DocumentId, limit: number) {
    return this.#opened().pool.run('clients', (sql) => clients(sql, doc, limit));
  }

  async clientsOfAll(docs: readonly DocumentId[], limit: number) {
    return this.#opened().pool.run('clientsOfAll', (sql) => clientsOfAll(sql, docs, limit));
  }

  async writeSnapshot(snapshot: NewSnapshot) {
    const { pool, session } = this.#opened();
    return pool.run('writeSnapshot', (sql) => writeSnapshot(sql, session, snapshot));
  }

  async seqPage(doc: DocumentId, client: string, upTo: number) {
    const { bulk, pool } = this.#opened();
    return bulk.run('seqPage', () => pool.run('seqPage', (sql) => seqPage(sql, doc, client, upTo)));
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    const { pool, write, appender, session } = this.#open;
    await appender.idle();
    try {
      const closing = pool.run('close', (sql) => fenceSelf(sql, session));
      await within(CLOSE_MS, 'close', closing);
    } catch (error) {
      this.abort();
      throw asUnavailable('close', error);
    }
    await Promise.all([write.close(), pool.close(CLOSE_MS)]);
  }

  abort(): void {
    this.#aborted = true;
    this.#open?.appender.abort();
    this.#open?.write.abort();
    this.#open?.pool.abort();
  }

  /** Whether changes of documents are told as events. */
  get #isTold(): boolean {
    return this.#options.eventsMs !== undefined;
  }

  #opened(): Opened {
    if (!this.#open) throw new Error('the session is not open');
    return this.#open;
  }
}

/**
 * Longest wait when a session ends itself. If the database does not answer, other nodes fence the session.
 */
const CLOSE_MS = 3_000;

interface Opened {
  readonly session: SessionRef;
  readonly pool: Pool;
  /** Runs the reads that clients can make many and large. */
  readonly bulk: Lane;
  readonly write: WriteConnection;
  readonly appender: Appender;
}

/**
 * Attempts to create a document if its random id is taken, or if others create and delete the name
 * meanwhile.
 */
const CREATE_ATTEMPTS = 5;

export interface FoldStoreOptions extends PostgresStoreOptions {
  /** The run of the node. A node that fences the run finds the connections by it. */
  readonly run: string;
}

/** A compute thread's store, with one connection. */
export function createFoldStore(options: FoldStoreOptions): FoldStore {
  const servers = new Servers(options.url, options.lowestTimeline);
  const pool = new Pool(options, servers, foldName(options.run), 1);
  return {
    refuseBelow: (timeline) => {
      servers.refuseBelow(timeline);
      pool.recheck();
    },
    read: (doc, upTo) => pool.run('read', (sql) => loadAt(sql, doc, upTo)),
    writeSnapshot: (session, snapshot) =>
      pool.run('writeSnapshot', (sql) => writeSnapshot(sql, session, snapshot)),
    close: () => pool.close(CLOSE_MS),
  };
}
