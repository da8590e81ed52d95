// Signs of life in memory that the threads of a node share. Each thread that must not hang beats, and a
// thread that runs no documents watches the beats. In the other direction the memory notes until when each
// session is known not to be fenced. After that time a worker must not serve reads, because another session
// may own its documents.

/** A thread beats this often while its event loop turns. */
export const BEAT_MS = 100;

/** A worker may serve reads for this long after a moment at which its session was seen live. */
export const CONFIRM_MS = 3_000;

/** The slot of the main thread with the control session. Every other slot is a worker's. */
export const MAIN = -1;

/**
 * Milliseconds since some moment in the past, the same for all threads of a process. The clock is never set
 * and never goes back.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

export class Liveness {
  readonly memory: SharedArrayBuffer;
  readonly #beats: Int32Array;
  /** Whole milliseconds, because floating-point numbers have no atomic access. */
  readonly #confirmed: BigInt64Array;

  /** Makes a Liveness for this many workers. */
  static allocate(slots: number): Liveness {
    return new Liveness(new SharedArrayBuffer((slots + 1) * BYTES_EACH));
  }

  /** @param memory the memory of another thread's Liveness */
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

  /** A number that has changed since the last look if the thread has beaten since. */
  beats(slot: number): number {
    return Atomics.load(this.#beats, slot + 1);
  }

  /**
   * Notes that reads of the session may be served until `untilMs`, by `monotonicMs`. The session was live
   * CONFIRM_MS before. The time is never lowered.
   */
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

  /** True if the session may serve reads at `nowMs`, by `monotonicMs`. */
  isConfirmed(slot: number, nowMs: number): boolean {
    return nowMs < this.confirmedUntil(slot);
  }
}

const BYTES_EACH = BigInt64Array.BYTES_PER_ELEMENT + Int32Array.BYTES_PER_ELEMENT;
