// Signs of life in memory that a node's threads share: each thread that must not hang beats, and one that
// runs no documents watches. In the other direction it notes until when each session is known not to have
// been fenced: past that, a worker must not serve reads, for another may own its documents.

/** Beats as often as this, while its event loop turns. */
export const BEAT_MS = 100;

/** So long after a moment at which its session was seen live a worker may serve reads. */
export const CONFIRM_MS = 3_000;

/** Whose part of the memory: a worker's slot, or the main thread with the control session. */
export const MAIN = -1;

/** Milliseconds since some moment in the past, the same for all threads of a process; never set, never goes back. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

export class Liveness {
  readonly memory: SharedArrayBuffer;
  readonly #beats: Int32Array;
  /** Whole milliseconds: floating-point numbers have no atomic access. */
  readonly #confirmed: BigInt64Array;

  /** For so many workers. */
  static allocate(slots: number): Liveness {
    return new Liveness(new SharedArrayBuffer((slots + 1) * BYTES_EACH));
  }

  /** @param memory of another thread's Liveness */
  constructor(memory: SharedArrayBuffer) {
    const parts = memory.byteLength / BYTES_EACH;
    this.memory = memory;
    this.#confirmed = new BigInt64Array(memory, 0, parts);
    this.#beats = new Int32Array(memory, parts * BigInt64Array.BYTES_PER_ELEMENT, parts);
  }

  get slots(): number {
    return this.#beats.length - 1;
  }

  beat(slot: number): void {
    Atomics.add(this.#beats, slot + 1, 1);
  }

  /** Differs from the last look when that thread has beaten since. */
  beats(slot: number): number {
    return Atomics.load(this.#beats, slot + 1);
  }

  /** Reads of that session may be served until then, by `monotonicMs`: it was live CONFIRM_MS before. Never lowers it. */
  confirm(slot: number, untilMs: number): void {
    const until = BigInt(Math.floor(untilMs));
    let known = Atomics.load(this.#confirmed, slot + 1);
    while (until > known) {
      const found = Atomics.compareExchange(this.#confirmed, slot + 1, known, until);
      if (found === known) return;
      known = found;
    }
  }

  confirmedUntil(slot: number): number {
    return Number(Atomics.load(this.#confirmed, slot + 1));
  }

  /** Whether that session may serve reads at `nowMs`, by `monotonicMs`. */
  isConfirmed(slot: number, nowMs: number): boolean {
    return nowMs < this.confirmedUntil(slot);
  }
}

const BYTES_EACH = BigInt64Array.BYTES_PER_ELEMENT + Int32Array.BYTES_PER_ELEMENT;
