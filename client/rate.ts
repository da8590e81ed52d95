// A token bucket. It keeps this client below the server's per-second limits, so that the server does not
// refuse messages that the client could have spread by itself.

/** Share of the limit that is used, since the server counts arrivals, which the network bunches. */
const SHARE = 0.8;
/** Seconds' worth of tokens that may be spent at once. */
const BURST_S = 0.5;

export class RateGate {
  readonly #now: () => number;
  #perSecond: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, now: () => number) {
    this.#now = now;
    this.#perSecond = perSecond * SHARE;
    this.#tokens = this.#burst();
    this.#at = now();
  }

  set perSecond(limit: number) {
    this.#perSecond = limit * SHARE;
  }

  /** 0 if a message may go now (it is counted then), or the milliseconds until one may. */
  take(): number {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst(), this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000);
  }

  #burst(): number {
    return Math.max(1, this.#perSecond * BURST_S);
  }
}
