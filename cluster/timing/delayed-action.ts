// An action that runs once after a delay, however often it is requested meanwhile. Events that come in bursts,
// and attempts that may fail for long, are gathered this way.
import type { Clock } from '../../actors/clock.ts';

export class DelayedAction {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #delayMs: () => number;
  readonly #act: () => void;
  #cancel: (() => void) | undefined;
  #stopped = false;

  /** `delayMs` is asked at each first request. */
  constructor(clock: Pick<Clock, 'after'>, delayMs: () => number, act: () => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#act = act;
  }

  /** True from a request until the action runs. */
  get isPending(): boolean {
    return this.#cancel !== undefined;
  }

  request(): void {
    if (this.isPending || this.#stopped) return;
    this.#cancel = this.#clock.after(this.#delayMs(), () => {
      this.#cancel = undefined;
      this.#act();
    });
  }

  /** The action does not run any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
