// Watches whether the worker threads of a node still turn their event loops. It counts how long each worker has been
// silent and reports a worker that is silent for too long, once. It ends no thread.
import type { Clock } from '../../actors/clock.ts';

export interface StallWatchOptions {
  readonly clock: Pick<Clock, 'now' | 'every'>;
  /** Silence after which a worker has stalled, ms. */
  readonly stallMs: number;
  readonly onStalled: (slot: number) => void;
}

interface Watched {
  /** A number that changes with each sign of life. 0 until the first one. */
  readonly beats: () => number;
  seen: number;
  silentMs: number;
}

/** Looks for each stall time. */
const LOOKS = 10;

export class StallWatch {
  readonly #options: StallWatchOptions;
  readonly #watched = new Map<number, Watched>();
  readonly #everyMs: number;
  readonly #stopLooking: () => void;
  #lookedAt: number;

  constructor(options: StallWatchOptions) {
    this.#options = options;
    this.#everyMs = options.stallMs / LOOKS;
    this.#lookedAt = options.clock.now();
    this.#stopLooking = options.clock.every(this.#everyMs, () => this.#look());
  }

  /** A worker that is still starting is not watched: it has stalled only if it was alive before. */
  watch(slot: number, beats: () => number): void {
    this.#watched.set(slot, { beats, seen: 0, silentMs: 0 });
  }

  forget(slot: number): void {
    this.#watched.delete(slot);
  }

  stop(): void {
    this.#stopLooking();
    this.#watched.clear();
  }

  /** A look that is late proves nothing: this thread, or the whole process, may have stood still. */
  #look(): void {
    const { clock, stallMs, onStalled } = this.#options;
    const now = clock.now();
    const passed = Math.min(now - this.#lookedAt, 2 * this.#everyMs);
    this.#lookedAt = now;
    for (const [slot, watched] of this.#watched) {
      const beats = watched.beats();
      watched.silentMs = beats === 0 || beats !== watched.seen ? 0 : watched.silentMs + passed;
      watched.seen = beats;
      if (watched.silentMs < stallMs) continue;
      this.#watched.delete(slot);
      onStalled(slot);
    }
  }
}
