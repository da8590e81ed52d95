// Edits per second of the last ten seconds, from a total that only rises.
import type { Clock } from '../../actors/clock.ts';

const SAMPLE_MS = 1_000;
const SAMPLES = 10;

export class EditRate {
  readonly #total: () => number;
  readonly #clock: Pick<Clock, 'now' | 'every'>;
  /** The oldest first, at most SAMPLES. */
  readonly #samples: { readonly total: number; readonly at: number }[] = [];
  readonly #end: () => void;

  constructor(total: () => number, clock: Pick<Clock, 'now' | 'every'>) {
    this.#total = total;
    this.#clock = clock;
    this.#sample();
    this.#end = clock.every(SAMPLE_MS, () => this.#sample());
  }

  get perSecond(): number {
    const [oldest] = this.#samples;
    const passedMs = oldest === undefined ? 0 : this.#clock.now() - oldest.at;
    return oldest === undefined || passedMs <= 0 ? 0 : ((this.#total() - oldest.total) / passedMs) * 1_000;
  }

  stop(): void {
    this.#end();
  }

  #sample(): void {
    this.#samples.push({ total: this.#total(), at: this.#clock.now() });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
  }
}
