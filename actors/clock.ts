// Time as everything above the adapters sees it: the process's own here, a simulation's in its place.

export interface Clock {
  /** Milliseconds, never going back; its zero means nothing. */
  now(): number;
  /** Runs once, no sooner than after `ms`; the function returned takes it back, also when it has run. */
  after(ms: number, run: () => void): () => void;
  /** Runs every `ms`, until the function returned is called. */
  every(ms: number, run: () => void): () => void;
  /** Runs after what this turn of the event loop still brings. */
  soon(run: () => void): void;
}

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
