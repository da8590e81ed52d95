// The waiting time before another attempt: exponential, with full jitter, so that thousands of clients that
// lost the same server do not return at the same moment.

const CEILING_MS = 30_000;
/** The longest `retryAfterMs` that is accepted. */
const LONGEST_TOLD_MS = 600_000;
/** 2^16 times any base is above the ceiling. */
const HIGHEST_EXPONENT = 16;

export class RetryDelay {
  readonly #baseMs: number;
  readonly #random: () => number;
  #failures = 0;

  /** @param baseMs upper bound of the first delay; doubles with every failure, up to 30 s */
  constructor(baseMs: number, random: () => number) {
    this.#baseMs = baseMs;
    this.#random = random;
  }

  /** Failures since the last reset. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Counts a failure and returns the delay before the next attempt, in ms; never below `atLeastMs`, the
   * server's `retryAfterMs`.
   */
  next(atLeastMs = 0): number {
    const bound = Math.min(CEILING_MS, this.#baseMs * 2 ** Math.min(this.#failures, HIGHEST_EXPONENT));
    this.#failures++;
    const jitter = this.#random() * bound;
    return atLeastMs > 0 ? Math.min(atLeastMs, LONGEST_TOLD_MS) + jitter / 2 : jitter;
  }

  reset(): void {
    this.#failures = 0;
  }
}
