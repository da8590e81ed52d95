// The clock for all code above the adapters. This file has the process's own clock; a simulation puts its
// clock in its place.

export interface Clock {
  /** Milliseconds. They never go back, and their zero has no meaning. */
  now(): number;
  /**
   * Calls `run` once, no sooner than after `ms`. The returned function cancels the call, and has no effect
   * after it.
   */
  after(ms: number, run: () => void): () => void;
  /** Calls `run` every `ms` until the returned function is called. */
  every(ms: number, run: () => void): () => void;
  /** Calls `run` after the rest of this turn of the event loop. */
  soon(run: () => void): void;
}

/** A clock for code that repeats nothing. */
export type Timers = Pick<Clock, 'now' | 'after'>;

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  soon: (run) => void setImmediate(run),
};

/** Resolves after `ms`, or when `signal` aborts. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
