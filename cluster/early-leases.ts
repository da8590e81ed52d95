// What nodes have said of themselves before the database has shown them: their news overtakes it. Runs that never
// appear, since they were fenced before they were seen, are forgotten. It asks nobody and has no clock.
import type { Lease } from './lease-store.ts';

/** Runs that are remembered at once; past it what further ones say is dropped, and read from their leases later. */
export const EARLY_LEASES = 1000;
/** The database shows a run before it has a lease, so this is a matter of seconds where it is there at all. */
export const EARLY_LEASE_MS = 60_000;

export class EarlyLeases {
  /** In the order in which they were said last. */
  private readonly byRun = new Map<string, { readonly lease: Lease; readonly atMs: number }>();

  /** `nowMs` never goes back. */
  keep(lease: Lease, nowMs: number): void {
    for (const [run, { atMs }] of this.byRun) {
      if (nowMs - atMs < EARLY_LEASE_MS) break;
      this.byRun.delete(run);
    }
    this.byRun.delete(lease.run);
    if (this.byRun.size < EARLY_LEASES) this.byRun.set(lease.run, { lease, atMs: nowMs });
  }

  /** What that run said last; it is remembered no longer. */
  take(run: string): Lease | undefined {
    const lease = this.byRun.get(run)?.lease;
    this.byRun.delete(run);
    return lease;
  }
}
