// A lease store over connections that can fail. It keeps one connection, checks it, replaces it when it is
// lost, limits the time of every call, and notices when the stored data has been lost. The backend implements
// the operations.
//
// Modes: connecting -> up | down; up <-> down; any -> closed. Only `enter` changes it.

import type { Timers } from '../../actors/clock.ts';
import { assertMove, type Moves } from '../../actors/modes.ts';
import type { EventListener } from '../../actors/storage/store.ts';
import {
  DEFAULT_CALL_TIMEOUT_MS,
  DEFAULT_LEASE_TTL_MS,
  type Lease,
  type LeaseStore,
  type LeaseStoreState,
  LeaseStoreUnavailable,
  MAX_PUBLISH_BYTES,
  type MapEntry,
  type StateListener,
} from '../liveness/lease-store.ts';
import { type Attempt, type Backend, type Connection, RedisRefusal } from './backend.ts';
import { readLease } from './lease-text.ts';

export interface LeaseStoreSettings {
  /** Time after which a lease expires unless it is renewed. */
  readonly ttlMs?: number;
  /** Longest time of any call. */
  readonly timeoutMs?: number;
  /** Interval at which an idle connection is checked. */
  readonly checkMs?: number;
}

export interface ConnectedStoreOptions extends LeaseStoreSettings {
  readonly backend: Backend;
  readonly clock: Timers;
  /** In [0, 1). */
  readonly random: () => number;
}

const DEFAULT_CHECK_MS = 1_000;
/** A connection takes more round trips than a call: name look-ups, Sentinels and TLS. */
const CONNECT_TIMEOUT_FACTOR = 4;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 1_000;

type Mode = 'connecting' | 'up' | 'down' | 'closed';

const MOVES: Moves<Mode> = {
  connecting: ['up', 'down', 'closed'],
  // Redis may be another one than before, or empty, over the same connection.
  up: ['up', 'down', 'closed'],
  down: ['up', 'down', 'closed'],
  closed: [],
};

export class ConnectedLeaseStore implements LeaseStore {
  readonly #backend: Backend;
  readonly #clock: Timers;
  readonly #random: () => number;
  readonly #ttlMs: number;
  readonly #timeoutMs: number;
  readonly #checkMs: number;
  readonly #id: string;
  readonly #listeners = new Set<EventListener>();
  readonly #stateListeners = new Set<StateListener>();
  /** Calls under way, and calls that wait for the first connection. Closing the store rejects them. */
  readonly #pending = new Set<(error: LeaseStoreUnavailable) => void>();
  readonly #waiting = new Set<() => void>();
  #mode: Mode = 'connecting';
  #reason = 'not connected yet';
  #attempt: Attempt | undefined;
  #connection: Connection | undefined;
  #marker: string | undefined;
  #candidates = 0;
  #steadySince: number | undefined;
  #failures = 0;
  #cancelTimer = (): void => {};
  #subscribed = false;

  constructor(options: ConnectedStoreOptions) {
    this.#backend = options.backend;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#ttlMs = options.ttlMs ?? DEFAULT_LEASE_TTL_MS;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    this.#checkMs = options.checkMs ?? DEFAULT_CHECK_MS;
    this.#id = Array.from({ length: 4 }, () =>
      Math.floor(options.random() * 0x1_0000_0000).toString(36),
    ).join('');
    this.#connect();
  }

  renew(lease: Lease): Promise<void> {
    const text = JSON.stringify(lease);
    return this.#call('renew', (redis, mark) => redis.renew(mark, lease.run, text, this.#ttlMs));
  }

  async list(): Promise<readonly Lease[]> {
    const texts = await this.#call('list', (redis, mark) => redis.list(mark));
    const leases = texts.map(readLease).filter((lease) => lease !== undefined);
    return leases.sort((a, b) => (a.run < b.run ? -1 : 1));
  }

  release(run: string): Promise<void> {
    return this.#call('release', (redis, mark) => redis.release(mark, run));
  }

  publish(event: string): Promise<void> {
    if (event.length > MAX_PUBLISH_BYTES || Buffer.byteLength(event) > MAX_PUBLISH_BYTES) {
      throw new RangeError(`an event of more than ${MAX_PUBLISH_BYTES} bytes`);
    }
    return this.#call('publish', async (redis) => ({ marker: undefined, value: await redis.publish(event) }));
  }

  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    if (this.#subscribed) {
      // The listener is never called within `subscribe`, as when the subscription does not stand yet.
      queueMicrotask(() => this.#subscribed && this.#listeners.has(listener) && listener.onGap());
    } else if (this.#listeners.size === 1 && this.#connection !== undefined) {
      void this.#subscribe(this.#connection);
    }
    return () => {
      this.#listeners.delete(listener);
    };
  }

  writeMap(entries: readonly MapEntry[]): Promise<void> {
    return this.#call('writeMap', (redis, mark) => redis.raise(mark, entries));
  }

  async readMap(): Promise<readonly MapEntry[]> {
    const entries = await this.#call('readMap', (redis, mark) => redis.map(mark));
    return [...entries].sort(([a], [b]) => a - b);
  }

  onState(listener: StateListener): () => void {
    this.#stateListeners.add(listener);
    return () => {
      this.#stateListeners.delete(listener);
    };
  }

  get state(): 'up' | 'down' {
    return this.#mode === 'up' ? 'up' : 'down';
  }

  steadySince(): number | undefined {
    return this.#steadySince;
  }

  async close(): Promise<void> {
    if (this.#mode === 'closed') return;
    this.#enter('closed', 'the store is closed');
    this.#cancelTimer();
    this.#attempt?.destroy();
    this.#attempt = undefined;
    this.#connection = undefined;
    this.#stateListeners.clear();
    this.#listeners.clear();
    for (const reject of [...this.#pending]) reject(new LeaseStoreUnavailable(this.#reason));
  }

  // Calls.

  async #call<T>(
    what: string,
    run: (connection: Connection, candidate: string) => Promise<{ marker: string | undefined; value: T }>,
  ): Promise<T> {
    const deadline = this.#clock.now() + this.#timeoutMs;
    if (this.#mode === 'connecting') await this.#firstConnection();
    const connection = this.#connection;
    if (this.#mode !== 'up' || connection === undefined) {
      throw new LeaseStoreUnavailable(`${what}: ${this.#reason}`);
    }
    try {
      const { marker, value } = await this.#within(
        Math.max(1, deadline - this.#clock.now()),
        run(connection, this.#candidate()),
      );
      if (marker !== undefined && connection === this.#connection) this.#seen(marker);
      return value;
    } catch (error) {
      // A refusal does not mean that the connection is broken. The next check finds out whether Redis refuses
      // all writes.
      if (!(error instanceof RedisRefusal)) this.#lost(connection, text(error));
      throw new LeaseStoreUnavailable(`${what}: ${text(error)}`, { cause: error });
    }
  }

  async #firstConnection(): Promise<void> {
    let wake = (): void => {};
    const settled = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    try {
      await this.#within(this.#timeoutMs, settled);
    } catch {
      // The caller checks the mode.
    } finally {
      this.#waiting.delete(wake);
    }
  }

  #candidate(): string {
    return `${this.#id}.${++this.#candidates}`;
  }

  #within<T>(ms: number, answer: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (): void => {
        cancel();
        this.#pending.delete(giveUp);
      };
      const giveUp = (error: LeaseStoreUnavailable): void => {
        settle();
        reject(error);
      };
      const cancel = this.#clock.after(ms, () =>
        giveUp(new LeaseStoreUnavailable(`no answer within ${Math.round(ms)} ms`)),
      );
      this.#pending.add(giveUp);
      answer.then(
        (value) => {
          settle();
          resolve(value);
        },
        (error: unknown) => {
          settle();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }

  // The connection.

  #connect(): void {
    const attempt = this.#backend.connect({
      onLost: (reason) => {
        if (attempt === this.#attempt) this.#giveUp(reason);
      },
      onEvent: (event) => {
        if (attempt === this.#attempt) for (const listener of [...this.#listeners]) listener.onEvent(event);
      },
    });
    this.#attempt = attempt;
    void this.#open(attempt);
  }

  async #open(attempt: Attempt): Promise<void> {
    try {
      const ms = this.#timeoutMs * CONNECT_TIMEOUT_FACTOR;
      const connection = await this.#within(ms, attempt.connection);
      const { marker } = await this.#within(this.#timeoutMs, connection.mark(this.#candidate()));
      if (attempt !== this.#attempt) return;
      this.#connection = connection;
      this.#failures = 0;
      this.#up(marker);
      this.#cancelTimer = this.#clock.after(this.#checkMs, () => void this.#check());
      if (this.#listeners.size > 0) await this.#subscribe(connection);
    } catch (error) {
      if (attempt === this.#attempt) this.#giveUp(text(error));
    }
  }

  async #check(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      const { marker } = await this.#within(this.#timeoutMs, connection.mark(this.#candidate()));
      if (connection !== this.#connection) return;
      this.#seen(marker);
      this.#cancelTimer = this.#clock.after(this.#checkMs, () => void this.#check());
    } catch (error) {
      this.#lost(connection, text(error));
    }
  }

  async #subscribe(connection: Connection): Promise<void> {
    try {
      await this.#within(this.#timeoutMs, connection.subscribe());
      if (connection !== this.#connection || this.#subscribed) return;
      this.#subscribed = true;
      for (const listener of [...this.#listeners]) listener.onGap();
    } catch (error) {
      this.#lost(connection, text(error));
    }
  }

  #lost(connection: Connection, reason: string): void {
    if (connection === this.#connection) this.#giveUp(reason);
  }

  /** A connection that is late is replaced, because one that hangs may hang for many minutes. */
  #giveUp(reason: string): void {
    this.#attempt?.destroy();
    this.#attempt = undefined;
    this.#connection = undefined;
    this.#subscribed = false;
    this.#cancelTimer();
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.#failures++, 10));
    this.#cancelTimer = this.#clock.after(most * (0.5 + this.#random() / 2), () => this.#connect());
    this.#enter('down', reason);
  }

  // The state.

  #up(marker: string): void {
    const other = this.#marker !== undefined && marker !== this.#marker;
    this.#marker = marker;
    this.#enter('up', undefined, other ? 'up-empty' : 'up');
  }

  #seen(marker: string): void {
    if (marker !== this.#marker) this.#up(marker);
  }

  #enter(mode: Mode, reason: string | undefined, told: LeaseStoreState = 'down'): void {
    const changed = mode !== this.#mode || mode === 'up';
    if (this.#mode === 'closed') return;
    assertMove('the connection to Redis', MOVES, this.#mode, mode);
    this.#mode = mode;
    this.#reason = reason ?? '';
    this.#steadySince = mode === 'up' ? this.#clock.now() : undefined;
    for (const wake of [...this.#waiting]) wake();
    if (changed && mode !== 'closed')
      for (const listener of [...this.#stateListeners]) listener(told, reason);
  }
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
