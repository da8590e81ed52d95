// Decides how soon the next commit of a worker may begin. Up to `perSecond` commits a second, an edit
// commits at once. Above that rate edits are gathered for as long as it takes to keep to the rate, but
// never for longer than GATHER_MS. It knows no rows.
import type { Clock } from '../clock.ts';

/** Longest time for which an edit is gathered, ms. */
const GATHER_MS = 5;
/**
 * Commits of this much time may come at once, so edits that come in bursts at a low rate are not gathered.
 */
const BURST_MS = 50;

export class CommitBudget {
  readonly #perMs: number;
  readonly #most: number;
  readonly #clock: Pick<Clock, 'now'>;
  /** Number of commits that may begin at once. */
  #left: number;
  #countedAt: number;

  /** @param perSecond commits a second; with Infinity no edit is gathered */
  constructor(perSecond: number, clock: Pick<Clock, 'now'>) {
    this.#perMs = perSecond / 1000;
    this.#most = Math.max(1, this.#perMs * BURST_MS);
    this.#clock = clock;
    this.#left = this.#most;
    this.#countedAt = clock.now();
  }

  /** Milliseconds until the next commit may begin. 0 if it may begin now. */
  get waitMs(): number {
    this.#count();
    return this.#left >= 1 ? 0 : Math.min(GATHER_MS, (1 - this.#left) / this.#perMs);
  }

  /** Counts a commit that begins. */
  spend(): void {
    this.#count();
    // The budget never falls below zero, even if a commit begins before its time.
    this.#left = Math.max(0, this.#left - 1);
  }

  #count(): void {
    const now = this.#clock.now();
    if (this.#most === Number.POSITIVE_INFINITY) return;
    this.#left = Math.min(this.#most, this.#left + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
  }
}
