// Asks the database whether this session still lives, for those who say what only an owner may say for good. One
// question is under way at a time, and who comes meanwhile waits for the next: it is always asked after they came.
// Bounded by what waits: submits in flight, which gateways count.
import type { Clock } from './clock.ts';
import { StoreUnavailable, type WorkerStore } from './storage/store.ts';

/** Between two questions while the store is out of reach. */
const RETRY_MS = 250;

type Waiting<Asker> = Map<Asker, (() => void)[]>;

export interface StillLiveOptions {
  readonly store: Pick<WorkerStore, 'isLive'>;
  readonly clock: Pick<Clock, 'after'>;
  /** Nobody hears anything after it. */
  readonly onFenced: () => void;
  readonly onError: (error: unknown) => void;
}

export class StillLive<Asker> {
  private readonly options: StillLiveOptions;
  private waiting: Waiting<Asker> = new Map();
  /** Those whom the question under way is asked for. */
  private asking: Waiting<Asker> = new Map();
  private isAsking = false;
  private isOver = false;
  private cancelRetry: (() => void) | undefined;

  constructor(options: StillLiveOptions) {
    this.options = options;
  }

  /** `then` runs once the session has been seen live later than now, however long that takes; never if it is fenced. */
  ask(asker: Asker, then: () => void): void {
    if (this.isOver) return;
    add(this.waiting, asker, [then]);
    if (this.isAsking) return;
    this.isAsking = true;
    // After everything that the same turn brings.
    queueMicrotask(() => void this.question());
  }

  /** It does not want to know any more. */
  forget(asker: Asker): void {
    this.waiting.delete(asker);
    this.asking.delete(asker);
  }

  dispose(): void {
    this.isOver = true;
    this.cancelRetry?.();
    this.waiting.clear();
    this.asking.clear();
  }

  private async question(): Promise<void> {
    const { store, clock, onFenced, onError } = this.options;
    this.asking = this.waiting;
    this.waiting = new Map();
    let isLive: boolean | undefined;
    try {
      isLive = await store.isLive();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) onError(error);
    }
    if (this.isOver) return;
    if (isLive === undefined) {
      for (const [asker, thens] of this.waiting) add(this.asking, asker, thens);
      this.waiting = this.asking;
      this.asking = new Map();
      this.cancelRetry = clock.after(RETRY_MS, () => void this.question());
    } else if (isLive) {
      for (const thens of this.asking.values()) for (const then of thens) then();
      this.asking.clear();
      if (this.waiting.size > 0) void this.question();
      else this.isAsking = false;
    } else {
      this.dispose();
      onFenced();
    }
  }
}

function add<Asker>(waiting: Waiting<Asker>, asker: Asker, thens: readonly (() => void)[]): void {
  const before = waiting.get(asker);
  if (before === undefined) waiting.set(asker, [...thens]);
  else before.push(...thens);
}
