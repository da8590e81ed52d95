// The lease store's port: what a node tells the others of itself, and learns of them, through Redis.
// Redis says who is alive and where shards are, fast; who may write is PostgreSQL's to say, always.
// Implementations stand beside it (lease-store-redis.ts, lease-store-memory.ts) and share one contract suite.
import type { Epoch, EventListener, SessionId } from '../actors/storage/store.ts';

/** One life of a node, as it tells the others. */
export interface Lease {
  readonly run: string;
  readonly node: string;
  /** host:port that peers dial. */
  readonly address: string;
  /** Of the control plane. */
  readonly session: SessionId;
  readonly state: 'joining' | 'live' | 'draining';
  /** Its share of the shards, relative to the others'. */
  readonly weight: number;
  readonly workers: readonly { readonly slot: number; readonly session: SessionId }[];
  /** The highest timeline of PostgreSQL that it has seen. */
  readonly timeline: number;
}

/** Who owned a shard under that epoch. */
export type MapEntry = readonly [shard: number, owner: SessionId, epoch: Epoch];

/**
 * up: connected. down: it is not, or Redis does not answer or refuses to write.
 * up-empty: connected, and this Redis has lost what was written before (it came back empty, or was emptied):
 * leases and map must be written again.
 */
export type LeaseStoreState = 'up' | 'up-empty' | 'down';

export type StateListener = (state: LeaseStoreState, reason: string | undefined) => void;

/**
 * Guarantees:
 * - Every call settles within `timeoutMs`. It rejects with LeaseStoreUnavailable when Redis is away; whether
 *   it took effect is then unknown, and every call may be made again. Nothing is queued for later: while the
 *   store is down calls reject at once (before the first connection they wait for it, within `timeoutMs`).
 * - It connects again by itself, with a jittered back-off, for as long as it takes.
 * - A lease that has been missing from `list` for less than one lease's time after `steadySince` has not expired:
 *   its node may not have been able to renew it.
 */
export interface LeaseStore {
  /** Writes the lease, for `ttlMs` from now by Redis's clock. */
  renew(lease: Lease): Promise<void>;
  /** All that have not expired, by run, in one round trip. Those that cannot be read are left out. */
  list(): Promise<readonly Lease[]>;
  /** Ends the lease now. */
  release(run: string): Promise<void>;
  /** Best effort: to whoever is subscribed now, this store too. Throws above MAX_PUBLISH_BYTES. */
  publish(event: string): Promise<void>;
  /**
   * Best effort: in the order in which one sender's `publish` resolved. `onGap` is told whenever the
   * subscription stands, also the first time: what was published before may have been missed.
   * The function returned ends it.
   */
  subscribe(listener: EventListener): () => void;
  /** Takes the entries that raise their shard's epoch, and only those. */
  writeMap(entries: readonly MapEntry[]): Promise<void>;
  /** By shard. A hint: it may be behind what PostgreSQL says. */
  readMap(): Promise<readonly MapEntry[]>;
  /** Told of each change from now on. The function returned takes the listener back. */
  onState(listener: StateListener): () => void;
  readonly state: 'up' | 'down';
  /** Since when, by the store's clock, it is connected to this Redis with this content; undefined: it is not. */
  steadySince(): number | undefined;
  /** Leaves nothing behind; calls under way reject. The lease is left to expire, unless it was released. */
  close(): Promise<void>;
}

export const DEFAULT_LEASE_TTL_MS = 3_000;
export const DEFAULT_CALL_TIMEOUT_MS = 500;
export const MAX_PUBLISH_BYTES = 1_048_576;

/** Redis is out of reach, does not answer in time, or refuses. Whether the call took effect is unknown. */
export class LeaseStoreUnavailable extends Error {
  override name = 'LeaseStoreUnavailable';
  readonly code = 'lease-store-unavailable';
}
