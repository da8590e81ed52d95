// The delay before the next attempt at something that may fail for long. The delay doubles if the attempt
// comes soon after the last one. This class reads the clock and attempts nothing.
import type { Clock } from '../../actors/clock.ts';

/** After a quiet time of so many of its latest delays, the back-off starts again at the first delay. */
const QUIET_WAITS = 3;

export class Backoff {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #firstMs: number;
  readonly #mostMs: number;
  #waitMs = 0;
  #over = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, 'now'>, limits: { readonly firstMs: number; readonly mostMs: number }) {
    this.#clock = clock;
    this.#firstMs = limits.firstMs;
    this.#mostMs = limits.mostMs;
  }

  /** The delay from now, in ms. */
  next(): number {
    const now = this.#clock.now();
    const isSoon = now - this.#over < QUIET_WAITS * Math.max(this.#waitMs, this.#firstMs);
    this.#waitMs = isSoon ? Math.min(this.#mostMs, Math.max(2 * this.#waitMs, this.#firstMs)) : this.#firstMs;
    this.#over = now + this.#waitMs;
    return this.#waitMs;
  }
}
