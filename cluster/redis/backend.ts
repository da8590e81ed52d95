// What a lease store needs of a Redis, as plain operations on one connection. It neither connects again
// nor keeps time: connected-store.ts does. Implementations: a real Redis, and one in memory.
//
// Redis holds a *marker*, a random text that whoever finds none writes. Every operation brings a new
// candidate and tells which marker is in force: another one than before means another, or an emptied, Redis.
import type { MapEntry } from '../lease-store.ts';

export interface Backend {
  /** Never settles where nobody answers; rejects when refused. */
  connect(events: ConnectionEvents): Attempt;
}

export interface Attempt {
  readonly connection: Promise<Connection>;
  /** Gives up, or closes what it has become. Idempotent. */
  destroy(): void;
}

export interface ConnectionEvents {
  /** The connection has ended by itself. */
  onLost(reason: string): void;
  /** Once `subscribe` has resolved. */
  onEvent(event: string): void;
}

/** A promise whose answer never comes stays open; those under way when the connection is destroyed may too. */
export interface Connection {
  /** Writes, so it proves that this Redis takes writes. */
  mark(candidate: string): Promise<Marked<void>>;
  renew(candidate: string, run: string, lease: string, ttlMs: number): Promise<Marked<void>>;
  /** The leases that have not expired, as written. */
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

/** Redis has answered, with a refusal. The connection is sound. */
export class RedisRefusal extends Error {
  override name = 'RedisRefusal';
}
