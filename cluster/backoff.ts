// How long to wait before something is tried again that may fail for long: twice as long each time it is soon after
// the last. It knows the time, and tries nothing.
import type { Clock } from '../actors/clock.ts';

/** What has been quiet for so many of its latest waits begins with the first again. */
const QUIET_WAITS = 3;

export class Backoff {
  private readonly clock: Pick<Clock, 'now'>;
  private readonly firstMs: number;
  private readonly mostMs: number;
  private waitMs = 0;
  private over = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'now'>, limits: { readonly firstMs: number; readonly mostMs: number }) {
    this.clock = clock;
    this.firstMs = limits.firstMs;
    this.mostMs = limits.mostMs;
  }

  /** ms from now. */
  next(): number {
    const now = this.clock.now();
    const isSoon = now - this.over < QUIET_WAITS * Math.max(this.waitMs, this.firstMs);
    this.waitMs = isSoon ? Math.min(this.mostMs, Math.max(2 * this.waitMs, this.firstMs)) : this.firstMs;
    this.over = now + this.waitMs;
    return this.waitMs;
  }
}
