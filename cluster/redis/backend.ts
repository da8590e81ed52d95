// The operations that a lease store needs of a Redis, on one connection. A backend neither reconnects nor
// limits time; connected-store.ts does both. Implementations: a real Redis, and one in memory.
//
// Redis holds a *marker*: a random text, written by the first operation that finds none. Every operation
// brings a new candidate and returns the marker in force. A changed marker means another Redis, or an emptied
// one.
import type { MapEntry } from '../liveness/lease-store.ts';

export interface Backend {
  /** The connection never settles if no server answers, and rejects if the server refuses. */
  connect(events: ConnectionEvents): Attempt;
}

export interface Attempt {
  readonly connection: Promise<Connection>;
  /** Gives up the attempt, or closes its connection. Idempotent. */
  destroy(): void;
}

export interface ConnectionEvents {
  /** The connection has ended by itself. */
  onLost(reason: string): void;
  /** Called for each event after `subscribe` has resolved. */
  onEvent(event: string): void;
}

/**
 * A promise stays pending if its answer never comes. Calls under way when the connection is destroyed may
 * stay pending too.
 */
export interface Connection {
  /** This operation writes, so it proves that this Redis takes writes. */
  mark(candidate: string): Promise<Marked<void>>;
  renew(candidate: string, run: string, lease: string, ttlMs: number): Promise<Marked<void>>;
  /** The texts of the leases that have not expired. */
  list(candidate: string): Promise<Marked<readonly string[]>>;
  release(candidate: string, run: string): Promise<Marked<void>>;
  raise(candidate: string, entries: readonly MapEntry[]): Promise<Marked<void>>;
  map(candidate: string): Promise<Marked<readonly MapEntry[]>>;
  publish(event: string): Promise<void>;
  /** Idempotent. */
  subscribe(): Promise<void>;
}

export interface Marked<T> {
  readonly marker: string;
  readonly value: T;
}

/** Redis has answered with a refusal. The connection is sound. */
export class RedisRefusal extends Error {
  override name = 'RedisRefusal';
}
