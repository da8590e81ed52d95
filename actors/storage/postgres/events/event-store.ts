// The store of events in PostgreSQL: the statements of this folder on connections of their own.
import type { EventStore } from '../../event-store.ts';
import type { PostgresStoreOptions } from '../connection/connect.ts';
import { Pool } from '../connection/pool.ts';
import { Servers } from '../connection/servers.ts';
import { bounds, page, prune, tell, usersOf } from './events.ts';
import { addEndpoint, delivered, failed, parkedCount, queue, retry, take, waiting } from './webhooks.ts';

/** Connections of the store: one may wait for a session while another reads. */
export const EVENT_CONNECTIONS = 2;
const CLOSE_MS = 1_000;

export interface EventStoreOptions extends PostgresStoreOptions {
  /** As with the control store. */
  readonly name?: string;
}

export function createEventStore(options: EventStoreOptions): EventStore {
  const servers = new Servers(options.url, options.lowestTimeline);
  const pool = new Pool(options, servers, options.name ?? 'troupe:events', EVENT_CONNECTIONS);
  return {
    tell: (skipped) => pool.run('tell', (sql) => tell(sql, skipped)),
    bounds: () => pool.run('bounds', bounds),
    page: (after, limit, org) => pool.run('page', (sql) => page(sql, after, limit, org)),
    usersOf: (doc, since, upTo) => pool.run('usersOf', (sql) => usersOf(sql, doc, since, upTo)),
    prune: (keepMs, limit, endpoints) => pool.run('prune', (sql) => prune(sql, keepMs, limit, endpoints)),
    addEndpoint: (endpoint) => pool.run('addEndpoint', (sql) => addEndpoint(sql, endpoint)),
    queue: (endpoint, likes) => pool.run('queue', (sql) => queue(sql, endpoint, likes)),
    take: (endpoint, limit, leaseMs) => pool.run('take', (sql) => take(sql, endpoint, limit, leaseMs)),
    delivered: (endpoint, message) => pool.run('delivered', (sql) => delivered(sql, endpoint, message)),
    failed: (endpoint, message, how) => pool.run('failed', (sql) => failed(sql, endpoint, message, how)),
    waiting: (limit) => pool.run('waiting', (sql) => waiting(sql, limit)),
    parkedCount: () => pool.run('parkedCount', parkedCount),
    retry: (endpoint) => pool.run('retry', (sql) => retry(sql, endpoint)),
    close: () => pool.close(CLOSE_MS),
  };
}
