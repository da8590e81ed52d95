// The port of the lease store: through it a node publishes its lease in Redis and learns those of the other
// nodes. Redis answers quickly which nodes live and where shards are; PostgreSQL alone decides which session
// may write. Implementations stand beside this file (lease-store-redis.ts, lease-store-memory.ts) and share
// one contract suite.
import type { Epoch, EventListener, SessionId } from '../../actors/storage/store.ts';

/** One life of a node, as the node publishes it. */
export interface Lease {
  readonly run: string;
  readonly node: string;
  /** The host:port that peers dial. */
  readonly address: string;
  /** The session of the control plane. */
  readonly session: SessionId;
  readonly state: 'joining' | 'live' | 'draining';
  /** The node's share of the shards, relative to the other nodes'. */
  readonly weight: number;
  readonly workers: readonly { readonly slot: number; readonly session: SessionId }[];
  /** The highest timeline of PostgreSQL that the node has seen. */
  readonly timeline: number;
}

/** The owner of a shard under that epoch. */
export type MapEntry = readonly [shard: number, owner: SessionId, epoch: Epoch];

/**
 * up: connected.
 * down: not connected, or Redis does not answer or refuses to write.
 * up-empty: connected, but this Redis has lost its earlier data (it came back empty, or was emptied). Leases
 * and map must be written again.
 */
export type LeaseStoreState = 'up' | 'up-empty' | 'down';

export type StateListener = (state: LeaseStoreState, reason: string | undefined) => void;

/**
 * Guarantees:
 * - Every call settles within `timeoutMs`. A call rejects with LeaseStoreUnavailable when Redis is away;
 *   whether it took effect is then unknown, and every call may be repeated. Calls are not queued: while the
 *   store is down they reject at once. Before the first connection they wait for it, within `timeoutMs`.
 * - The store connects again by itself, with a jittered back-off, for as long as it takes.
 * - A lease that has been missing from `list` for less than one lease time after `steadySince` has not
 *   expired: its node may have been unable to renew it.
 */
export interface LeaseStore {
  /** Writes the lease, which then lasts `ttlMs` by Redis's clock. */
  renew(lease: Lease): Promise<void>;
  /** All leases that have not expired, sorted by run, in one round trip. Unreadable leases are left out. */
  list(): Promise<readonly Lease[]>;
  /** Ends the lease at once. */
  release(run: string): Promise<void>;
  /**
   * Best effort: the event reaches the current subscribers, this store included. Throws above
   * MAX_PUBLISH_BYTES.
   */
  publish(event: string): Promise<void>;
  /**
   * Best effort: events of one sender come in the order in which its `publish` calls resolved. `onGap` is
   * called whenever the subscription stands, also the first time: earlier events may have been missed. The
   * returned function ends the subscription.
   */
  subscribe(listener: EventListener): () => void;
  /** Takes only entries that raise the epoch of their shard. */
  writeMap(entries: readonly MapEntry[]): Promise<void>;
  /** Sorted by shard. The map is a hint: PostgreSQL may be ahead of it. */
  readMap(): Promise<readonly MapEntry[]>;
  /** Calls the listener at each change from now on. The returned function removes the listener. */
  onState(listener: StateListener): () => void;
  readonly state: 'up' | 'down';
  /**
   * Since when, by the store's clock, the store has been connected to this Redis with this content. Undefined
   * while it is not.
   */
  steadySince(): number | undefined;
  /** Closes all connections; calls under way reject. A lease that was not released expires by itself. */
  close(): Promise<void>;
}

export const DEFAULT_LEASE_TTL_MS = 3_000;
export const DEFAULT_CALL_TIMEOUT_MS = 500;
export const MAX_PUBLISH_BYTES = 1_048_576;

/**
 * Redis is out of reach, does not answer in time, or refuses the call. Whether the call took effect is
 * unknown.
 */
export class LeaseStoreUnavailable extends Error {
  override name = 'LeaseStoreUnavailable';
  readonly code = 'lease-store-unavailable';
}
