// Asks the database whether this session still lives, for callers that must be sure of it before a final
// answer. One question is under way at a time. A caller that comes meanwhile waits for the next question,
// which is always asked after the caller came. `full` tells callers not to add more: while the database is
// away, rejections gather, also of clients that leave.
import type { Clock } from '../clock.ts';
import { StoreUnavailable, type WorkerStore } from '../storage/store.ts';

/** Time between two questions while the store is out of reach. */
const RETRY_MS = 250;
/** Most waiting callbacks, of all documents. */
const MOST_WAITING = 10_000;

interface Asked {
  readonly then: () => void;
  /**
   * Called once if the store is out of reach. Without it the question is asked again until it is answered.
   */
  readonly outOfReach: (() => void) | undefined;
}

type Waiting<Asker> = Map<Asker, Asked[]>;

export interface StillLiveOptions {
  readonly store: Pick<WorkerStore, 'isLive'>;
  readonly clock: Pick<Clock, 'after'>;
  /** Called if the session is fenced. No callback runs after it. */
  readonly onFenced: () => void;
  readonly onError: (error: unknown) => void;
}

export class StillLive<Asker> {
  readonly #options: StillLiveOptions;
  #waiting: Waiting<Asker> = new Map();
  /** The callbacks of the question that is under way. */
  #asking: Waiting<Asker> = new Map();
  /** Number of callbacks in `waiting` and `asking`. */
  #size = 0;
  #isAsking = false;
  #hasFailed = false;
  #isOver = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: StillLiveOptions) {
    this.#options = options;
  }

  /** True if callers should not ask more for now. */
  get full(): boolean {
    return this.#size >= MOST_WAITING;
  }

  /**
   * Calls `then` once the session has been seen live at a time after this call. Never calls it if the
   * session is fenced.
   */
  ask(asker: Asker, then: () => void, outOfReach?: () => void): void {
    if (this.#isOver) return;
    add(this.#waiting, asker, [{ then, outOfReach }]);
    this.#size++;
    if (this.#isAsking) return;
    this.#isAsking = true;
    // The question is asked after the rest of this turn, for all that it adds.
    queueMicrotask(() => void this.#question());
  }

  /** Drops the callbacks of an asker. */
  forget(asker: Asker): void {
    for (const waiting of [this.#waiting, this.#asking]) {
      this.#size -= waiting.get(asker)?.length ?? 0;
      waiting.delete(asker);
    }
  }

  dispose(): void {
    this.#isOver = true;
    this.#cancelRetry?.();
    this.#waiting.clear();
    this.#asking.clear();
    this.#size = 0;
  }

  async #question(): Promise<void> {
    const { store, onFenced, onError } = this.#options;
    this.#asking = this.#waiting;
    this.#waiting = new Map();
    let isLive: boolean | undefined;
    try {
      isLive = await store.isLive();
      this.#hasFailed = false;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) {
        // The error is reported once, since the question is asked again soon.
        if (!this.#hasFailed) onError(error);
        this.#hasFailed = true;
      }
    }
    if (this.#isOver) return;
    if (isLive === undefined) this.#later();
    else if (isLive) {
      for (const all of this.#asking.values()) for (const { then } of all) then();
      this.#asking.clear();
      this.#size = sizeOf(this.#waiting);
      this.#goOn();
    } else {
      this.dispose();
      onFenced();
    }
  }

  /** The store is out of reach: calls each `outOfReach`, and lets the other callbacks wait on. */
  #later(): void {
    const given: (() => void)[] = [];
    const asking = this.#asking;
    const waiting = this.#waiting;
    this.#asking = new Map();
    this.#waiting = new Map();
    for (const [asker, all] of asking) {
      const left = all.filter(({ outOfReach }) => outOfReach === undefined);
      if (left.length > 0) this.#waiting.set(asker, left);
      for (const { outOfReach } of all) if (outOfReach !== undefined) given.push(outOfReach);
    }
    for (const [asker, all] of waiting) add(this.#waiting, asker, all);
    this.#size = sizeOf(this.#waiting);
    for (const outOfReach of given) outOfReach();
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => this.#goOn());
  }

  #goOn(): void {
    if (this.#isOver) return;
    if (this.#waiting.size > 0) void this.#question();
    else this.#isAsking = false;
  }
}

function sizeOf(waiting: Waiting<unknown>): number {
  let size = 0;
  for (const all of waiting.values()) size += all.length;
  return size;
}

function add<Asker>(waiting: Waiting<Asker>, asker: Asker, more: readonly Asked[]): void {
  const before = waiting.get(asker);
  if (before === undefined) waiting.set(asker, [...more]);
  else before.push(...more);
}
