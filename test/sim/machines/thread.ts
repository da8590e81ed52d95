// One thread of a simulated process. While the thread is stopped its work waits, and once it is dead its work
// never runs; both hold for timers too. Its clock is that of its process, which may run faster or slower than
// the simulation's.
import type { Clock } from '../../../actors/clock.ts';
import type { Scheduler } from '../scheduler.ts';

/** A process's monotonic clock: its own zero, and a rate near 1. */
export interface TimeBase {
  readonly offsetMs: number;
  readonly rate: number;
}

/** A part that stops, resumes and dies with the thread. */
export interface Companion {
  stop(holding: boolean): void;
  goOn(): void;
  kill(): void;
}

export class Thread {
  readonly scheduler: Scheduler;
  readonly time: TimeBase;
  readonly clock: Clock;
  readonly #companions = new Set<Companion>();
  #stops = 0;
  #alive = true;
  #late: (() => void)[] = [];
  #pumping = false;

  constructor(scheduler: Scheduler, time: TimeBase) {
    this.scheduler = scheduler;
    this.time = time;
    this.clock = new ThreadClock(this);
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get isStopped(): boolean {
    return this.#stops > 0;
  }

  /** Runs the work now, or when the thread resumes, or never if it is dead. Works run in order. */
  run(work: () => void): void {
    if (!this.#alive) return;
    if (this.#stops === 0 && this.#late.length === 0) work();
    else this.#late.push(work);
  }

  /** The same promise, settled in this thread. */
  gate<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.run(() => resolve(value)),
        (error: unknown) => this.run(() => reject(error instanceof Error ? error : new Error(String(error)))),
      );
    });
  }

  join(companion: Companion): void {
    this.#companions.add(companion);
    if (!this.#alive) companion.kill();
  }

  /**
   * Stops the thread. `goOn` must be called as often as this. With `holding`, statements that are being sent
   * stay half sent.
   */
  stop(holding = false): void {
    if (this.#stops++ === 0) for (const companion of this.#companions) companion.stop(holding);
  }

  goOn(): void {
    if (--this.#stops > 0) return;
    for (const companion of this.#companions) companion.goOn();
    this.#pump();
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#late = [];
    for (const companion of this.#companions) companion.kill();
  }

  /** Waiting works run one event after the other, ahead of new ones. */
  #pump(): void {
    if (this.#pumping || this.#late.length === 0) return;
    this.#pumping = true;
    this.scheduler.soon(() => {
      this.#pumping = false;
      if (this.#stops > 0 || !this.#alive) return;
      const work = this.#late.shift();
      this.#pump();
      work?.();
    });
  }
}

class ThreadClock implements Clock {
  readonly #thread: Thread;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  now(): number {
    const { offsetMs, rate } = this.#thread.time;
    return offsetMs + this.#thread.scheduler.now() * rate;
  }

  after(ms: number, run: () => void): () => void {
    const { scheduler, time } = this.#thread;
    let cancelled = false;
    const cancel = scheduler.after(ms / time.rate, () =>
      this.#thread.run(() => {
        if (!cancelled) run();
      }),
    );
    return () => {
      cancelled = true;
      cancel();
    };
  }

  every(ms: number, run: () => void): () => void {
    let cancel = (): void => undefined;
    const again = (): void => {
      cancel = this.after(ms, () => {
        again();
        run();
      });
    };
    again();
    return () => cancel();
  }

  soon(run: () => void): void {
    this.after(0, run);
  }
}
