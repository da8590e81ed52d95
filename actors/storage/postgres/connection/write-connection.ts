// The one write connection of a worker's session. It is named after the session, so that any node can find
// and end its backend. Modes: down -> up (connect) -> down (lost, or given up) … -> closed. Only #setMode
// changes the mode. A connection is used only after it has proved itself, every older backend of that name
// is gone, and its server's timeline is believed.

import { setTimeout as sleep } from 'node:timers/promises';
import { assertMove, type Moves } from '../../../modes.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  type PostgresStoreOptions,
  type Sql,
  within,
} from './connect.ts';
import { AnswerTimeout } from './errors.ts';
import { end } from './pool.ts';
import type { Servers } from './servers.ts';

type Mode =
  | { readonly type: 'down' }
  | { readonly type: 'up'; readonly sql: Sql; readonly timeline: number }
  | { readonly type: 'closed' };

const MOVES: Moves<Mode['type']> = { down: ['up', 'closed'], up: ['down', 'closed'], closed: [] };

/** Rounds in which older backends are told to end before the attempt to connect fails, after 5 s. */
const TERMINATE_ROUNDS = 500;
const TERMINATE_PAUSE_MS = 10;

export class WriteConnection {
  readonly #options: PostgresStoreOptions;
  readonly #servers: Servers;
  readonly #name: string;
  readonly answerTimeoutMs: number;
  #mode: Mode = { type: 'down' };
  #opening: Sql | undefined;
  #epoch = 0;

  constructor(options: PostgresStoreOptions, servers: Servers, name: string) {
    this.#options = options;
    this.#servers = servers;
    this.#name = name;
    this.answerTimeoutMs = options.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
  }

  /** Rises when a connection is made and when it is found lost. */
  get epoch(): number {
    return this.#epoch;
  }

  get closed(): boolean {
    return this.#mode.type === 'closed';
  }

  /** The connection that is up. */
  get current(): Sql | undefined {
    return this.#mode.type === 'up' ? this.#mode.sql : undefined;
  }

  /** Makes one attempt to get a proved connection. Rejects with the driver's error. */
  async open(): Promise<Sql> {
    if (this.#mode.type === 'up') return this.#mode.sql;
    const server = this.#servers.current;
    const sql = connect(this.#options, {
      server,
      name: this.#name,
      max: 1,
      statementTimeoutMs: 0,
      onclose: () => this.lost(sql),
    });
    this.#opening = sql;
    try {
      await this.#endOlderBackends(sql);
      const timeline = await within(this.answerTimeoutMs, 'connect', this.#servers.prove(sql));
      // The connection was closed or lost while it proved itself.
      if (this.closed || this.#opening !== sql) throw new AnswerTimeout('the connection was given up');
      this.#setMode({ type: 'up', sql, timeline });
      return sql;
    } catch (error) {
      this.#servers.failed(server);
      end(sql);
      throw error;
    } finally {
      if (this.#opening === sql) this.#opening = undefined;
    }
  }

  /** Gives a connection up. The next `open` makes another. */
  lost(sql: Sql): void {
    if (this.#opening === sql) this.#opening = undefined;
    if (this.#mode.type !== 'up' || this.#mode.sql !== sql) return;
    this.#setMode({ type: 'down' });
    end(sql);
  }

  /**
   * Leaves a server whose timeline is no longer believed. Statements under way there have an unknown
   * outcome.
   */
  recheck(): void {
    if (this.#mode.type === 'up' && this.#servers.isStale(this.#mode.timeline)) this.lost(this.#mode.sql);
  }

  async close(): Promise<void> {
    const mode = this.#mode;
    this.#setMode({ type: 'closed' });
    if (mode.type === 'up') await mode.sql.end({ timeout: this.answerTimeoutMs / 1_000 });
  }

  abort(): void {
    const mode = this.#mode;
    this.#setMode({ type: 'closed' });
    if (mode.type === 'up') end(mode.sql);
    if (this.#opening) end(this.#opening);
  }

  /**
   * Ends older backends of this name. After it resolves, no statement of an older connection can take
   * effect any more, and the log tells which of them did. It is also the harmless statement that proves the
   * connection.
   */
  async #endOlderBackends(sql: Sql): Promise<void> {
    for (let round = 0; round < TERMINATE_ROUNDS; round++) {
      // A backend leaves pg_stat_activity after its transaction has ended.
      const backends = await within(
        this.answerTimeoutMs,
        'connect',
        sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = ${this.#name} AND pid <> pg_backend_pid()`,
      );
      if (backends.length === 0) return;
      await sleep(TERMINATE_PAUSE_MS);
    }
    throw new AnswerTimeout(`connect: an older backend of ${this.#name} does not end`);
  }

  #setMode(mode: Mode): void {
    if (this.#mode.type === 'closed') return;
    assertMove(`the write connection ${this.#name}`, MOVES, this.#mode.type, mode.type);
    this.#epoch++;
    this.#mode = mode;
  }
}
