// Time as the links between nodes see it: the process's own, or a simulation's.

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Runs once, no sooner than after `ms`; the function returned takes it back. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
