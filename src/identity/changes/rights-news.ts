// Brings changes of rights from the database to this node: all standing ones at the start, and new ones when another node
// gives the hint that there are some, or when the time has come to look. A hint may be lost.
//
// Rows become visible in the order of their commits, not of their times. So each reading goes back OVERLAP_MS further than
// the one before, and leaves out the rows that it has seen.
import type { Clock } from '../../../actors/clock.ts';
import { SerialReading } from '../../../cluster/timing/serial-reading.ts';
import type { ChangePage, ChangePlace, IdentityStore, RightsChange, StoredChange } from '../store.ts';

export interface RightsNewsOptions {
  readonly store: Pick<IdentityStore, 'standingChanges' | 'recentChanges'>;
  readonly clock: Pick<Clock, 'now' | 'after' | 'every'>;
  /** Called for each change once, or twice if it is old. */
  readonly onChange: (change: RightsChange, keepMs: number) => void;
  readonly onProblem: (message: string) => void;
}

/** How often the database is asked without a hint. */
const LOOK_MS = 2_000;
/** Pause between two readings that hints cause. */
const GAP_MS = 50;
/** Longer than any statement may take. */
const OVERLAP_MS = 30_000;
const PAGE = 5_000;

export class RightsNews {
  readonly #options: RightsNewsOptions;
  readonly #reading: SerialReading;
  #stopLooking: (() => void) | undefined;
  /** When the last reading that succeeded had begun. */
  #readAt = Number.NEGATIVE_INFINITY;
  /** The ids that the last reading has seen. */
  #seen: ReadonlySet<number> = new Set();
  /** The ids of changes that this node has made and that no later reading has seen yet. */
  readonly #own = new Set<number>();
  #hasProblem = false;

  constructor(options: RightsNewsOptions) {
    this.#options = options;
    this.#reading = new SerialReading({
      clock: options.clock,
      gapMs: GAP_MS,
      read: () => this.#read(),
      onEnd: (error) => this.#ended(error),
    });
  }

  /** Reads all standing changes. Rejects if the database is out of reach. */
  async start(): Promise<void> {
    const { store, clock } = this.#options;
    this.#readAt = clock.now();
    this.#seen = await this.#take((after) => store.standingChanges(after, PAGE));
    this.#stopLooking = clock.every(LOOK_MS, () => this.#reading.request());
  }

  /** Applies a change that this node has just made. */
  take(added: StoredChange): void {
    this.#own.add(added.id);
    this.#options.onChange(added.change, added.keepMs);
  }

  /** Another node may have made a change, or this one has. */
  hint(): void {
    if (this.#stopLooking !== undefined) this.#reading.request();
  }

  stop(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
    this.#reading.stop();
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#options;
    const now = clock.now();
    const agoMs = now - this.#readAt + OVERLAP_MS;
    this.#seen = await this.#take((after) => store.recentChanges(agoMs, after, PAGE));
    this.#readAt = now;
  }

  async #take(page: (after: ChangePlace | undefined) => Promise<ChangePage>): Promise<ReadonlySet<number>> {
    const seen = new Set<number>();
    let after: ChangePlace | undefined;
    do {
      const { changes, next } = await page(after);
      for (const each of changes) this.#takeOne(each, seen);
      after = next;
    } while (after !== undefined);
    return seen;
  }

  #takeOne({ id, change, keepMs }: StoredChange, seen: Set<number>): void {
    seen.add(id);
    if (!this.#own.delete(id) && !this.#seen.has(id)) this.#options.onChange(change, keepMs);
  }

  #ended(error: unknown): void {
    if (error !== undefined && !this.#hasProblem)
      this.#options.onProblem(`the changes of rights cannot be read: ${String(error)}`);
    this.#hasProblem = error !== undefined;
  }
}
