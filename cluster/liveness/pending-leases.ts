// Leases of runs that the database has not shown yet, because peers' messages can be faster than the reading
// of the database. Runs that never appear, because they were fenced before that, are forgotten. This class
// asks no other module and reads no clock.
import type { Lease } from './lease-store.ts';

/** Runs remembered at a time. The leases of further runs are dropped, and are read from Redis later. */
export const MOST_PENDING_LEASES = 1000;
/**
 * How long a lease is remembered. The database shows a run before the run has a lease, so a reading follows
 * within seconds.
 */
export const PENDING_LEASE_MS = 60_000;

export class PendingLeases {
  /** In the order of the last lease of each run. */
  readonly #byRun = new Map<string, { readonly lease: Lease; readonly atMs: number }>();

  /** `nowMs` never goes back. */
  keep(lease: Lease, nowMs: number): void {
    for (const [run, { atMs }] of this.#byRun) {
      if (nowMs - atMs < PENDING_LEASE_MS) break;
      this.#byRun.delete(run);
    }
    this.#byRun.delete(lease.run);
    if (this.#byRun.size < MOST_PENDING_LEASES) this.#byRun.set(lease.run, { lease, atMs: nowMs });
  }

  /** Returns the last lease of that run and forgets it. */
  take(run: string): Lease | undefined {
    const lease = this.#byRun.get(run)?.lease;
    this.#byRun.delete(run);
    return lease;
  }
}
