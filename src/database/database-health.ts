// Watches whether the database serves this node. The node asks once a second on the control plane's
// connection, and the workers report when their batches are refused and when they are accepted again. A node
// whose database has failed for `unreadyMs` is not ready (`/readyz`). This class closes no socket and moves
// no document. The question is the one for the timeline, so that all threads learn of a failover that this
// connection has met.
import type { Clock } from '../../actors/clock.ts';
import { METRICS } from '../../actors/metrics/metrics.ts';
import { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import { codeOf } from '../../actors/storage/postgres/connection/errors.ts';
import type { ControlStore } from '../../actors/storage/store.ts';

export interface DatabaseHealthOptions {
  readonly control: Pick<ControlStore, 'timeline'>;
  readonly unreadyMs: number;
  readonly clock: Clock;
  readonly counts?: ThreadCounts;
  readonly log: {
    warn(fields: object, message: string): void;
    info(fields: object, message: string): void;
  };
  /** Called when the database has risen to this timeline. */
  readonly onRisen: (timeline: number) => void;
}

const ASK_MS = 1_000;

interface Failure {
  /** By the clock, in ms. */
  readonly since: number;
  /**
   * The code of PostgreSQL's or the socket's error. Messages only go to the log, because they name hosts and
   * users.
   */
  readonly code: string | undefined;
}

export class DatabaseHealth {
  readonly #options: DatabaseHealthOptions;
  readonly #counts: ThreadCounts;
  /** The failure of each worker's writes, by slot. */
  readonly #refused = new Map<number, Failure>();
  /** Time of the first question since the last good answer. Undefined if the last question had one. */
  #unanswered: number | undefined;
  #lastCode: string | undefined;
  #timeline = 0;
  #isAsking = false;
  #told: string | undefined;
  readonly #end: () => void;

  constructor(options: DatabaseHealthOptions) {
    this.#options = options;
    this.#counts = options.counts ?? new ThreadCounts();
    this.#ask();
    this.#end = options.clock.every(ASK_MS, () => {
      this.#ask();
      this.#tell();
    });
  }

  /** The reason why the node is not ready, for people. Undefined while the database serves the node. */
  get problem(): string | undefined {
    const { clock, unreadyMs } = this.#options;
    const now = clock.now();
    const silent = now - (this.#unanswered ?? now);
    if (silent >= unreadyMs)
      return `PostgreSQL has given no good answer for ${seconds(silent)}${shown(this.#lastCode)}`;
    for (const { since, code } of this.#refused.values()) {
      if (now - since >= unreadyMs)
        return `PostgreSQL has taken no edits for ${seconds(now - since)}${shown(code)}`;
    }
    return undefined;
  }

  /**
   * Reports that a worker's batches are refused, with the code of the last attempt. Undefined: they are
   * accepted, or the worker has ended.
   */
  readonly writes = (slot: number, failure: { readonly code?: string } | undefined): void => {
    if (failure === undefined) this.#refused.delete(slot);
    else {
      const since = this.#refused.get(slot)?.since ?? this.#options.clock.now();
      this.#refused.set(slot, { since, code: failure.code });
    }
  };

  stop(): void {
    this.#end();
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { control, clock, onRisen } = this.#options;
    const askedAt = clock.now();
    this.#unanswered ??= askedAt;
    control
      .timeline()
      .then(
        ({ highest }) => {
          this.#unanswered = undefined;
          this.#lastCode = undefined;
          this.#counts.set(METRICS.postgresUp, 1);
          this.#counts.observe(METRICS.postgresSeconds, (clock.now() - askedAt) / 1_000);
          if (highest <= this.#timeline) return;
          this.#timeline = highest;
          onRisen(highest);
        },
        (error: unknown) => {
          this.#counts.set(METRICS.postgresUp, 0);
          this.#lastCode = error instanceof Error ? (codeOf(error.cause) ?? codeOf(error)) : undefined;
        },
      )
      .finally(() => {
        this.#isAsking = false;
      });
  }

  #tell(): void {
    const { problem } = this;
    const { log } = this.#options;
    if (problem !== undefined && this.#told === undefined)
      log.warn({ reason: problem }, 'this node is not ready: the database does not serve it');
    else if (problem === undefined && this.#told !== undefined)
      log.info({}, 'this node is ready again: the database serves it');
    this.#told = problem;
  }
}

const seconds = (ms: number): string => `${Math.floor(ms / 1_000)} s`;
const shown = (code: string | undefined): string => (code === undefined ? '' : ` (${code})`);
