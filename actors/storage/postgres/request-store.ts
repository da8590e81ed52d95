// The store of requests: statements that read lists of documents, and erase documents, on a pool of their own, so that
// requests never wait for the control plane, nor the control plane for them. Lists come from replicas where there are
// any that have caught up.
import type { ListedDocument, ListOptions, RequestStore } from '../store.ts';
import type { PostgresStoreOptions } from './connection/connect.ts';
import { Pool } from './connection/pool.ts';
import { Reads } from './connection/reads.ts';
import { Servers } from './connection/servers.ts';
import { eraseSlice, markErasing, markExpired } from './documents/erasing.ts';
import { list } from './documents/listing.ts';

/** Connections of a request store. */
export const REQUEST_CONNECTIONS = 2;
const NAME = 'troupe:requests';
/** Longest wait for statements under way when the store is closed. */
const CLOSE_MS = 1_000;

export class PostgresRequestStore implements RequestStore {
  readonly #servers: Servers;
  readonly #pool: Pool;
  readonly #reads: Reads;

  constructor(options: PostgresStoreOptions) {
    this.#servers = new Servers(options.url, options.lowestTimeline);
    this.#pool = new Pool(options, this.#servers, NAME, REQUEST_CONNECTIONS);
    this.#reads = new Reads(options, this.#pool, NAME, REQUEST_CONNECTIONS);
  }

  async list(org: string, options: ListOptions): Promise<readonly ListedDocument[]> {
    const seen = await this.#reads.position();
    return await this.#reads.run('list', seen, (sql) => list(sql, org, options));
  }

  async erase(org: string, name: string): Promise<number> {
    return this.#eraseAll(await this.#pool.run('erase', (sql) => markErasing(sql, org, name)));
  }

  async eraseExpired(trashMs: number, limit: number): Promise<number> {
    return this.#eraseAll(await this.#pool.run('eraseExpired', (sql) => markExpired(sql, trashMs, limit)));
  }

  refuseBelow(timeline: number): void {
    this.#servers.refuseBelow(timeline);
    this.#pool.recheck();
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(CLOSE_MS), this.#reads.close(CLOSE_MS)]);
  }

  async #eraseAll(docs: readonly number[]): Promise<number> {
    for (const doc of docs) while (!(await this.#pool.run('erase', (sql) => eraseSlice(sql, doc))));
    return docs.length;
  }
}
