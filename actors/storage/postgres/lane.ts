// Keeps reads that may be many and large off the last connection of a pool, so that what opens documents never waits
// behind them. So many run at once; the others wait in the order in which they came, up to a bound.
import { StoreUnavailable } from '../store.ts';

/** Past it a read is refused as out of reach, which its caller may try again. */
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
    // One that is woken takes over the place of the one that has ended.
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
