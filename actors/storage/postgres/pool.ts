// A small pool for calls that have no effect or may be made again: reads, claims, creations, folds.
// Never the way of a batch: that is the write connection's.

import type { PostgresServer } from '../../../config/postgres-url.ts';
import { StoreUnavailable } from '../store.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  type PostgresStoreOptions,
  type Sql,
  within,
} from './connect.ts';
import { asUnavailable, classify } from './errors.ts';
import type { Servers } from './servers.ts';

/** Statements that end a little before the caller's patience let the server tell why. */
const STATEMENT_SHARE = 0.9;

/** The connections of the time, to one server; another server, or a loss, means another `Opened`. */
interface Opened {
  readonly sql: Sql;
  readonly server: PostgresServer;
  /** undefined: not known to be of a timeline that is believed; asked again after each lost connection. */
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
   * Runs `statements`, once more on each server if a connection was lost: each must be harmless when run
   * twice. Rejects with StoreUnavailable when no primary is within reach, refuses, or does not answer.
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
        // A terminated backend is told on the next statement too: every connection-class error leaves a fresh pool.
        if (lost) this.#replace(opened);
        if (lost && attempt <= this.#servers.count) continue;
        throw asUnavailable(call, error);
      }
    }
  }

  /** Leaves a server whose timeline is not believed any more. */
  recheck(): void {
    const { timeline } = this.#opened;
    if (timeline !== undefined && this.#servers.isStale(timeline)) this.#replace(this.#opened);
  }

  /** Waits for statements under way, so long at most; their connections are closed after it. */
  async close(waitMs = this.#answerTimeoutMs): Promise<void> {
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

  /** Calls of others on the old connections reject with a connection-class error, and run again on the new ones. */
  #replace(broken: Opened): void {
    if (this.#opened !== broken || this.#closed) return;
    // One that was never proved: it cannot be reached, or is not to be used.
    if (broken.timeline === undefined || this.#servers.isStale(broken.timeline)) {
      this.#servers.failed(broken.server);
    }
    this.#opened = this.#open();
    end(broken.sql);
  }
}

/** Ends at once. The driver settles it by itself: nothing waits for it, and it has nothing to tell. */
export function end(sql: Sql): void {
  sql.end({ timeout: 0 }).catch(() => undefined);
}
