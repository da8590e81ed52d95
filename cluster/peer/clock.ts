// The time of the links between nodes: the process's own clock, or a simulation's.

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Runs once, no sooner than after `ms`. The returned function cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
