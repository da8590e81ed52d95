// One reading at a time of something that may change at any moment. A request during a reading causes another
// reading after it, with a pause between them, because requests may come faster than readings end. The caller
// says how to read.
import type { Clock } from '../../actors/clock.ts';
import { DelayedAction } from './delayed-action.ts';

export interface SerialReadingOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Pause between two consecutive readings. */
  readonly gapMs: number;
  readonly read: () => Promise<void>;
  /** Called after each reading, also after a failed one. */
  readonly onEnd: (error: unknown) => void;
}

export class SerialReading {
  readonly #options: SerialReadingOptions;
  readonly #next: DelayedAction;
  #isReading = false;
  #again = false;
  #stopped = false;

  constructor(options: SerialReadingOptions) {
    this.#options = options;
    this.#next = new DelayedAction(
      options.clock,
      () => options.gapMs,
      () => this.request(),
    );
  }

  /** A reading starts now, or after the one under way. */
  request(): void {
    if (this.#stopped || this.#next.isPending) return;
    if (this.#isReading) {
      this.#again = true;
      return;
    }
    this.#isReading = true;
    this.#again = false;
    this.#options.read().then(
      () => this.#ended(undefined),
      (error: unknown) => this.#ended(error),
    );
  }

  /** No reading starts after this. One that is under way goes on. */
  stop(): void {
    this.#stopped = true;
    this.#next.stop();
  }

  #ended(error: unknown): void {
    this.#isReading = false;
    this.#options.onEnd(error);
    if (this.#again) this.#next.request();
  }
}
