// A small pool for calls that have no effect or may be made again: reads, claims, creations, folds.
// Never the way of a batch: that is the write connection's.

import { StoreUnavailable } from '../store.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  type PostgresStoreOptions,
  type Sql,
  within,
} from './connect.ts';
import { asUnavailable, classify } from './errors.ts';

/** Statements that end a little before the caller's patience let the server tell why. */
const STATEMENT_SHARE = 0.9;

export class Pool {
  readonly #options: PostgresStoreOptions;
  readonly #name: string;
  readonly #max: number;
  readonly #answerTimeoutMs: number;
  #sql: Sql;
  #closed = false;

  constructor(options: PostgresStoreOptions, name: string, max: number) {
    this.#options = options;
    this.#name = name;
    this.#max = max;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
    this.#sql = this.#open();
  }

  /**
   * Runs `statements`, once more if a connection was lost: each must be harmless when run twice.
   * Rejects with StoreUnavailable when the database is out of reach, refuses, or does not answer.
   */
  async run<T>(call: string, statements: (sql: Sql) => PromiseLike<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new StoreUnavailable(`${call}: the store is closed`);
      const sql = this.#sql;
      try {
        return await within(this.#answerTimeoutMs, call, statements(sql));
      } catch (error) {
        // A terminated backend is told on the next statement too: every connection-class error leaves a fresh pool.
        if (classify(error) === 'connection') this.#replace(sql);
        if (attempt === 1 && classify(error) === 'connection') continue;
        throw asUnavailable(call, error);
      }
    }
  }

  /** Waits for statements under way; their connections are closed after it. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sql.end({ timeout: this.#answerTimeoutMs / 1_000 });
  }

  abort(): void {
    this.#closed = true;
    end(this.#sql);
  }

  #open(): Sql {
    return connect(this.#options, {
      name: this.#name,
      max: this.#max,
      statementTimeoutMs: Math.ceil(this.#answerTimeoutMs * STATEMENT_SHARE),
    });
  }

  /** Calls of others on the old connections reject with a connection-class error, and run again on the new ones. */
  #replace(broken: Sql): void {
    if (this.#sql !== broken || this.#closed) return;
    this.#sql = this.#open();
    end(broken);
  }
}

/** Ends at once. The driver settles it by itself: nothing waits for it, and it has nothing to tell. */
export function end(sql: Sql): void {
  sql.end({ timeout: 0 }).catch(() => undefined);
}
