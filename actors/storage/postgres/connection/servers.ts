// The servers that a URL names, the server that is in use, and the lowest timeline that is believed. Opens
// nothing. The driver's own choice among several hosts is not used: it tries them without end and without a
// pause, and takes a standby for read-write.
import { type PostgresServer, serversOf } from '../../../../config/urls/postgres-url.ts';
import type { Sql } from './connect.ts';
import { codeOf } from './errors.ts';

/** One per store. The findings of one connection hold for the others. */
export class Servers {
  readonly #servers: readonly PostgresServer[];
  #at = 0;
  #highest = 0;

  /** `lowest` is the lowest timeline that is believed. */
  constructor(url: string, lowest = 0) {
    this.#servers = serversOf(url);
    this.#highest = lowest;
  }

  get count(): number {
    return this.#servers.length;
  }

  get current(): PostgresServer {
    const server = this.#servers[this.#at];
    if (server === undefined) throw new Error('a URL must name at least one server');
    return server;
  }

  /** Moves on to the next server, unless another caller has already moved on from this one. */
  failed(server: PostgresServer): void {
    if (server === this.current) this.#at = (this.#at + 1) % this.#servers.length;
  }

  refuseBelow(timeline: number): void {
    this.#highest = Math.max(this.#highest, timeline);
  }

  /** True if a server of this timeline has missed a known failover. 0 stands for an unknown timeline. */
  isStale(timeline: number): boolean {
    return timeline > 0 && timeline < this.#highest;
  }

  /**
   * Asks the server for its timeline, and has the database compare it with the recorded one. Throws
   * StaleServer if the server must not be used.
   */
  async prove(sql: Sql): Promise<number> {
    const timeline = await readTimeline(sql);
    if (this.isStale(timeline)) {
      throw new StaleServer(`the server's timeline is ${timeline}, a failover to ${this.#highest} is known`);
    }
    if (timeline > 0) await sawTimeline(sql);
    this.refuseBelow(timeline);
    return timeline;
  }
}

/** A standby, or a primary that has missed a failover. It counts as out of reach. */
export class StaleServer extends Error {
  override name = 'StaleServer';
  readonly code = 'CONNECTION_STALE_SERVER';
}

/**
 * The timeline that a primary writes. pg_control_checkpoint() would give the timeline of the last
 * checkpoint, which is the old one for a while after a promotion.
 */
export const TIMELINE = `CASE WHEN pg_is_in_recovery() THEN -1
  ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END`;

/**
 * Servers that speak the protocol and keep another kind of log report these codes: not supported, not
 * there, not allowed.
 */
export const NOT_TOLD = new Set(['0A000', '42883', '42501', '55000']);

export async function readTimeline(sql: Sql): Promise<number> {
  try {
    const [row] = await sql.unsafe<{ timeline: number }[]>(`SELECT ${TIMELINE} AS timeline`);
    if (row?.timeline === -1) throw new StaleServer('the server is a standby');
    return row?.timeline ?? 0;
  } catch (error) {
    if (NOT_TOLD.has(codeOf(error) ?? '')) return 0;
    throw error;
  }
}

/**
 * Has the database check its timeline. It renews the histories of its documents if its last failover may
 * have lost commits. A database without the migrations does not have this function.
 */
async function sawTimeline(sql: Sql): Promise<void> {
  try {
    await sql`SELECT troupe_saw_timeline()`;
  } catch (error) {
    if (codeOf(error) !== UNDEFINED_FUNCTION) throw error;
  }
}

const UNDEFINED_FUNCTION = '42883';
