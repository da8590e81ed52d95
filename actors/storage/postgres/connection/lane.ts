// Keeps reads that may be many and large off the last connection of a pool, so that opening documents never
// waits behind them. A fixed number of reads run at once. The others wait in the order in which they came,
// up to a bound.
import { StoreUnavailable } from '../../store.ts';

/** Most waiting reads. Beyond it a read is refused as out of reach, and its caller may try again. */
export const MAX_WAITING = 10_000;

export class Lane {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async run<T>(call: string, read: () => Promise<T>): Promise<T> {
    if (this.#waiting.length >= MAX_WAITING) throw new StoreUnavailable(`${call}: too many reads wait`);
    // A read that is woken takes over the place of the one that has ended.
    if (this.#running >= this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
