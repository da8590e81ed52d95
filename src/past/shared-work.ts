// Work that several callers want at the same time is done once, and is given up when none of them waits any more.

interface Work<Result> {
  readonly result: Promise<Result>;
  readonly end: AbortController;
  waiting: number;
}

export class SharedWork<Result> {
  readonly #works = new Map<string, Work<Result>>();

  /** Works under way. */
  get size(): number {
    return this.#works.size;
  }

  /**
   * Returns the result of the work of this key, and starts it if it is not under way. A caller whose `signal` is
   * aborted no longer waits: it gets the signal's reason.
   */
  async run(
    key: string,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    const work = this.#works.get(key) ?? this.#start(key, start);
    work.waiting++;
    let leave = (): void => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([work.result, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      work.waiting--;
      if (work.waiting === 0 && this.#works.get(key) === work) {
        this.#works.delete(key);
        work.end.abort(new Error('nobody waits for the result any more'));
      }
    }
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<Result>): Work<Result> {
    const end = new AbortController();
    const work: Work<Result> = { result: start(end.signal), end, waiting: 0 };
    this.#works.set(key, work);
    const done = (): void => {
      if (this.#works.get(key) === work) this.#works.delete(key);
    };
    work.result.then(done, done);
    return work;
  }
}
