// Time and randomness for simulations: timers run when the simulation advances time, in order, and the seed
// determines every random number.
import type { Platform, Timer } from '../../client/index.ts';

/** mulberry32: a small generator with 32 bits of state. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class VirtualTime {
  #now = 0;
  #order = 0;
  readonly #due: Due[] = [];

  get now(): number {
    return this.#now;
  }
  /** Timers that have not run. */
  get waiting(): number {
    return this.#due.filter((timer) => !timer.cancelled).length;
  }

  after(delayMs: number, run: () => void): Due {
    const timer: Due = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run, cancelled: false };
    let low = 0;
    let high = this.#due.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#due[middle]?.at ?? 0) <= timer.at) low = middle + 1;
      else high = middle;
    }
    this.#due.splice(low, 0, timer);
    return timer;
  }

  /** Runs the timers that are due in the next milliseconds. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#due[0]; next !== undefined && next.at <= until; next = this.#due[0]) {
      this.#due.shift();
      this.#now = next.at;
      if (!next.cancelled) next.run();
    }
    this.#now = until;
  }

  platform(random: () => number): Platform {
    return {
      now: () => this.#now,
      random,
      randomBytes: (into) => into.map(() => Math.floor(random() * 256)),
      setTimer: (run, delayMs): Timer => this.after(delayMs, run),
      clearTimer: (timer) => {
        (timer as Due).cancelled = true;
      },
      onReachable: () => () => {},
    };
  }
}
