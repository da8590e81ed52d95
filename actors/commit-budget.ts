// How soon the next commit of a worker may begin. Up to a number of commits a second an edit commits at once. Above it
// edits are gathered for as long as keeps to that number, and never for longer than GATHER_MS. It knows no rows.
import type { Clock } from './clock.ts';

/** Longest time that an edit is gathered for, ms. */
const GATHER_MS = 5;
/** Commits of so much time may come at once: edits that come in bursts at a low rate are not gathered. */
const BURST_MS = 50;

export class CommitBudget {
  private readonly perMs: number;
  private readonly most: number;
  private readonly clock: Pick<Clock, 'now'>;
  /** Commits that may begin at once. */
  private left: number;
  private countedAt: number;

  /** @param perSecond commits a second; Infinity: no edit is gathered */
  constructor(perSecond: number, clock: Pick<Clock, 'now'>) {
    this.perMs = perSecond / 1000;
    this.most = Math.max(1, this.perMs * BURST_MS);
    this.clock = clock;
    this.left = this.most;
    this.countedAt = clock.now();
  }

  /** Milliseconds until the next commit may begin; 0: now. */
  get waitMs(): number {
    this.count();
    return this.left >= 1 ? 0 : Math.min(GATHER_MS, (1 - this.left) / this.perMs);
  }

  /** A commit begins. */
  spend(): void {
    this.count();
    // A commit that came before its time is not owed.
    this.left = Math.max(0, this.left - 1);
  }

  private count(): void {
    const now = this.clock.now();
    if (this.most === Number.POSITIVE_INFINITY) return;
    this.left = Math.min(this.most, this.left + (now - this.countedAt) * this.perMs);
    this.countedAt = now;
  }
}
