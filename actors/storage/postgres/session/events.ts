// Events between nodes by LISTEN and NOTIFY, on one channel of the database. Owns the listening connection:
// it is proved every few seconds, and made again for as long as that takes. No part of the edit path is
// here. A subscription's modes: down -> up -> down …; any -> closed. Only #setMode changes the mode.
import { assertMove, type Moves } from '../../../modes.ts';
import { type EventListener, MAX_EVENT_BYTES, StoreUnavailable } from '../../store.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  type PostgresStoreOptions,
  type Sql,
  within,
} from '../connection/connect.ts';
import { asUnavailable } from '../connection/errors.ts';
import { end } from '../connection/pool.ts';
import type { Servers } from '../connection/servers.ts';

const CHANNEL = 'troupe';
/** The first character of a payload: an event follows, or the event was too long to be sent. */
const EVENT = 'e';
const HINT = 'g';

/** A connection that died silently is noticed after this time plus the wait for an answer. */
const PROVE_EVERY_MS = 5_000;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;

export async function notify(sql: Sql, event: string): Promise<void> {
  const payload = Buffer.byteLength(event) > MAX_EVENT_BYTES ? HINT : EVENT + event;
  await sql`SELECT pg_notify(${CHANNEL}, ${payload})`;
}

export interface Subscription {
  /** Resolves once subscribed. Rejects with StoreUnavailable if the first attempt fails on each server. */
  start(): Promise<void>;
  /** May be called while it starts. */
  close(): Promise<void>;
  recheck(): void;
}

/** Opens nothing yet. */
export const subscription = (
  options: PostgresStoreOptions,
  servers: Servers,
  listener: EventListener,
): Subscription => new Events(options, servers, listener);

type Mode =
  | { readonly type: 'down' }
  | { readonly type: 'up'; readonly sql: Sql; readonly timeline: number }
  | { readonly type: 'closed' };

const MOVES: Moves<Mode['type']> = { down: ['up', 'closed'], up: ['down', 'closed'], closed: [] };

class Events implements Subscription {
  readonly #options: PostgresStoreOptions;
  readonly #servers: Servers;
  readonly #listener: EventListener;
  readonly #answerTimeoutMs: number;
  #mode: Mode = { type: 'down' };
  #opening: Sql | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(options: PostgresStoreOptions, servers: Servers, listener: EventListener) {
    this.#options = options;
    this.#servers = servers;
    this.#listener = listener;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
  }

  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#subscribe();
      } catch (error) {
        if (attempt > this.#servers.count || this.#isClosed) throw asUnavailable('listen', error);
      }
    }
  }

  recheck(): void {
    if (this.#mode.type === 'up' && this.#servers.isStale(this.#mode.timeline)) this.#lost(this.#mode.sql);
  }

  async close(): Promise<void> {
    const mode = this.#mode;
    this.#setMode({ type: 'closed' });
    clearTimeout(this.#timer);
    if (this.#opening) end(this.#opening);
    // Only a proof of the connection can be under way here, and no caller waits for it.
    if (mode.type === 'up') await mode.sql.end({ timeout: 0 });
  }

  async #subscribe(): Promise<void> {
    if (this.#isClosed) throw new StoreUnavailable('listen: the store is closed');
    const server = this.#servers.current;
    const sql = connect(this.#options, {
      server,
      name: 'troupe:listen',
      max: 1,
      statementTimeoutMs: this.#answerTimeoutMs,
      onclose: () => this.#lost(sql),
      onnotify: (_channel, payload) => this.#received(sql, payload),
    });
    this.#opening = sql;
    try {
      const timeline = await within(this.#answerTimeoutMs, 'listen', this.#servers.prove(sql));
      await within(this.#answerTimeoutMs, 'listen', sql.unsafe(`LISTEN ${CHANNEL}`));
      if (this.#opening !== sql || this.#mode.type === 'closed') {
        throw new StoreUnavailable('listen: the connection was given up');
      }
      this.#setMode({ type: 'up', sql, timeline });
      this.#prove(sql);
    } catch (error) {
      this.#servers.failed(server);
      end(sql);
      throw error;
    } finally {
      if (this.#opening === sql) this.#opening = undefined;
    }
  }

  #received(sql: Sql, payload: string): void {
    // Events count from a connection that has subscribed, even before it is known to have. Events of a
    // connection that was given up are ignored.
    const current = this.#mode.type === 'up' ? this.#mode.sql : this.#opening;
    if (current !== sql) return;
    if (payload.startsWith(EVENT)) this.#listener.onEvent(payload.slice(EVENT.length));
    else this.#listener.onGap();
  }

  #prove(sql: Sql): void {
    this.#timer = setTimeout(() => {
      within(this.#answerTimeoutMs, 'listen', sql`SELECT 1`).then(
        () => {
          if (this.#mode.type === 'up' && this.#mode.sql === sql) this.#prove(sql);
        },
        () => this.#lost(sql),
      );
    }, PROVE_EVERY_MS);
    this.#timer.unref();
  }

  #lost(sql: Sql): void {
    if (this.#opening === sql) this.#opening = undefined;
    if (this.#mode.type !== 'up' || this.#mode.sql !== sql) return;
    this.#setMode({ type: 'down' });
    clearTimeout(this.#timer);
    end(sql);
    this.#retry(0);
  }

  #retry(afterMs: number): void {
    if (this.#mode.type === 'closed') return;
    this.#timer = setTimeout(() => {
      this.#subscribe().then(
        () => {
          this.#failures = 0;
          this.#listener.onGap();
        },
        () => {
          this.#failures++;
          const whole = Math.min(RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10), RETRY_MAX_MS);
          this.#retry(whole * (0.5 + Math.random() / 2));
        },
      );
    }, afterMs);
    this.#timer.unref();
  }

  get #isClosed(): boolean {
    return this.#mode.type === 'closed';
  }

  #setMode(mode: Mode): void {
    if (this.#mode.type === 'closed') return;
    assertMove('the subscription to events', MOVES, this.#mode.type, mode.type);
    this.#mode = mode;
  }
}
