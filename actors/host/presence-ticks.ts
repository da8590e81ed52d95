// Gathers the changes of presence of each document for a short time, so that readers get one message for many
// movements. It knows nothing of the presence itself.
import type { Clock } from '../clock.ts';

/** Presence of one document is gathered for this long. */
const TICK_MS = 25;

export class PresenceTicks<Actor> {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #flush: (actor: Actor) => void;
  readonly #changed = new Set<Actor>();
  #cancel: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'after'>, flush: (actor: Actor) => void) {
    this.#clock = clock;
    this.#flush = flush;
  }

  /** `flush` is called for this actor within a tick, once for all changes until then. */
  add(actor: Actor): void {
    this.#changed.add(actor);
    this.#cancel ??= this.#clock.after(TICK_MS, () => this.#tick());
  }

  forget(actor: Actor): void {
    this.#changed.delete(actor);
  }

  stop(): void {
    this.#cancel?.();
  }

  #tick(): void {
    this.#cancel = undefined;
    const all = [...this.#changed];
    this.#changed.clear();
    for (const actor of all) this.#flush(actor);
  }
}
