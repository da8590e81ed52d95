// Tells the changes of documents: has the database write events for all marks that are due. Every node tries, and one
// at a time does it. A mark is taken and its event written together, so
// another node goes on after the death of this one.
import type { Clock } from '../../actors/clock.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import { type EventStore, TELL_AT_ONCE } from '../../actors/storage/event-store.ts';

export interface TellingOptions {
  readonly store: Pick<EventStore, 'tell' | 'prune'>;
  readonly keepMs: number;
  /** Names of the endpoints of webhooks. Events that they have not taken are kept. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly counts: ThreadCounts;
  readonly log: (level: 'warn', message: string, fields: object) => void;
  /** Called when events were written by this node. */
  readonly onTold?: () => void;
}

/** How often a node looks for marks that are due. Part of the time until a change is told. */
const LOOK_MS = 250;
/** Most statements of one look. Then other nodes have their turn. */
const ROUNDS = 50;
const PRUNE_EVERY_MS = 30_000;
const PRUNE_ROWS = 10_000;

/** Tells until the returned function is called. */
export function tellNowAndThen(options: TellingOptions): () => void {
  const telling = new Telling(options);
  const stops = [
    options.clock.every(LOOK_MS, () => telling.look()),
    options.clock.every(PRUNE_EVERY_MS, () => telling.prune()),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

class Telling {
  readonly #options: TellingOptions;
  #isLooking = false;
  #isPruning = false;
  #hasFailed = false;

  constructor(options: TellingOptions) {
    this.#options = options;
  }

  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#tell()
      .then(
        () => {
          this.#hasFailed = false;
        },
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#isLooking = false;
      });
  }

  prune(): void {
    if (this.#isPruning) return;
    this.#isPruning = true;
    void this.#prune()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#isPruning = false;
      });
  }

  async #tell(): Promise<void> {
    const { store, counts, onTold } = this.#options;
    const skipped: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const told = await store.tell(skipped);
      if (told.type === 'nothing' || told.type === 'busy') return;
      // The rest of a session waits for the next look: its batches have gone on meanwhile.
      const isRest = told.type === 'told' && told.marks === TELL_AT_ONCE;
      if (!isRest) skipped.push(told.session);
      if (told.type === 'locked' || told.events === 0) continue;
      counts.count(METRICS.eventsTold, told.events);
      onTold?.();
    }
  }

  async #prune(): Promise<void> {
    const { store, keepMs, endpoints } = this.#options;
    let removed = PRUNE_ROWS;
    for (let round = 0; removed === PRUNE_ROWS && round < ROUNDS; round++)
      removed = await store.prune(keepMs, PRUNE_ROWS, endpoints);
  }

  /** The next look tries again; one line tells a series of failures. */
  #failed(error: unknown): void {
    if (!this.#hasFailed)
      this.#options.log('warn', 'events could not be told and are tried again', { err: error });
    this.#hasFailed = true;
  }
}
