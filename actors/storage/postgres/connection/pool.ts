// A small pool for calls that have no effect or may be made again: reads, claims, creations, folds. A batch
// never goes this way; it goes over the write connection.

import type { PostgresServer } from '../../../../config/urls/postgres-url.ts';
import { StoreUnavailable } from '../../store.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  type PostgresStoreOptions,
  type Sql,
  within,
} from './connect.ts';
import { asUnavailable, classify } from './errors.ts';
import type { Servers } from './servers.ts';

/** A statement ends a little before its caller's time-out, so that the server can tell the reason. */
export const STATEMENT_SHARE = 0.9;

/** The present connections, all to one server. A change of server or a loss makes another `Opened`. */
interface Opened {
  readonly sql: Sql;
  readonly server: PostgresServer;
  /**
   * Undefined if the server's timeline is not known to be believed. It is asked again after each lost
   * connection.
   */
  timeline: number | undefined;
}

export class Pool {
  readonly #options: PostgresStoreOptions;
  readonly #servers: Servers;
  readonly #name: string;
  readonly #max: number;
  readonly #answerTimeoutMs: number;
  #opened: Opened;
  #closed = false;

  constructor(options: PostgresStoreOptions, servers: Servers, name: string, max: number) {
    this.#options = options;
    this.#servers = servers;
    this.#name = name;
    this.#max = max;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
    this.#opened = this.#open();
  }

  /**
   * Runs `statements`, and once more on each server if a connection was lost, so they must be harmless when
   * run twice. Rejects with StoreUnavailable if no primary is within reach, or if it refuses or does not
   * answer.
   */
  async run<T>(call: string, statements: (sql: Sql) => PromiseLike<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new StoreUnavailable(`${call}: the store is closed`);
      const opened = this.#opened;
      try {
        if (opened.timeline === undefined) {
          opened.timeline = await within(this.#answerTimeoutMs, call, this.#servers.prove(opened.sql));
        }
        return await within(this.#answerTimeoutMs, call, statements(opened.sql));
      } catch (error) {
        const lost = classify(error) === 'connection';
        // The driver reports a terminated backend on the next statement too, so every connection-class
        // error replaces the pool.
        if (lost) this.#replace(opened);
        if (lost && attempt <= this.#servers.count) continue;
        throw asUnavailable(call, error);
      }
    }
  }

  /** Leaves a server whose timeline is no longer believed. */
  recheck(): void {
    const { timeline } = this.#opened;
    if (timeline !== undefined && this.#servers.isStale(timeline)) this.#replace(this.#opened);
  }

  /** Waits for statements under way, at most this long. Then their connections are closed. */
  async close(waitMs: number): Promise<void> {
    this.#closed = true;
    await this.#opened.sql.end({ timeout: waitMs / 1_000 });
  }

  abort(): void {
    this.#closed = true;
    end(this.#opened.sql);
  }

  #open(): Opened {
    const server = this.#servers.current;
    const opened: Opened = {
      sql: connect(this.#options, {
        server,
        name: this.#name,
        max: this.#max,
        statementTimeoutMs: Math.ceil(this.#answerTimeoutMs * STATEMENT_SHARE),
        onclose: () => {
          opened.timeline = undefined;
        },
      }),
      server,
      timeline: undefined,
    };
    return opened;
  }

  /**
   * Replaces the connections. Other calls on the old ones reject with a connection-class error, and run
   * again on the new ones.
   */
  #replace(broken: Opened): void {
    if (this.#opened !== broken || this.#closed) return;
    // A server that was never proved cannot be reached or must not be used.
    if (broken.timeline === undefined || this.#servers.isStale(broken.timeline)) {
      this.#servers.failed(broken.server);
    }
    this.#opened = this.#open();
    end(broken.sql);
  }
}

/**
 * Ends connections at once. The driver settles the promise by itself; no caller waits for it, and it has no
 * result.
 */
export function end(sql: Sql): void {
  sql.end({ timeout: 0 }).catch(() => undefined);
}
