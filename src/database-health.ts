// Whether the database serves this node: it is asked once a second on the control plane's connection, and the workers
// report when their batches are refused and when they are taken again. A node whose database has failed for
// `unreadyMs` is not ready (`/readyz`); nothing else follows from it here, no socket is closed and no document leaves.
// The question asked is that for the timeline, so that the other threads hear of a failover that this connection has met.
import type { Clock } from '../actors/clock.ts';
import { codeOf } from '../actors/storage/postgres/errors.ts';
import type { ControlStore } from '../actors/storage/store.ts';

export interface DatabaseHealthOptions {
  readonly control: Pick<ControlStore, 'timeline'>;
  readonly unreadyMs: number;
  readonly clock: Clock;
  readonly log: {
    warn(fields: object, message: string): void;
    info(fields: object, message: string): void;
  };
  /** The database has risen to this timeline. */
  readonly onRisen: (timeline: number) => void;
}

const ASK_MS = 1_000;

interface Failure {
  /** By the clock, ms. */
  readonly since: number;
  /** Of PostgreSQL or of the socket. Messages are left to the log: they name hosts and users. */
  readonly code: string | undefined;
}

export class DatabaseHealth {
  private readonly options: DatabaseHealthOptions;
  /** By worker. */
  private readonly refused = new Map<number, Failure>();
  /** When the first question was asked that has had no good answer; undefined: the last one had. */
  private unanswered: number | undefined;
  private lastCode: string | undefined;
  private timeline = 0;
  private isAsking = false;
  private told: string | undefined;
  private readonly end: () => void;

  constructor(options: DatabaseHealthOptions) {
    this.options = options;
    this.ask();
    this.end = options.clock.every(ASK_MS, () => {
      this.ask();
      this.tell();
    });
  }

  /** Why the node is not ready, for people; undefined: the database serves it. */
  get problem(): string | undefined {
    const { clock, unreadyMs } = this.options;
    const now = clock.now();
    const silent = now - (this.unanswered ?? now);
    if (silent >= unreadyMs)
      return `PostgreSQL has given no good answer for ${seconds(silent)}${shown(this.lastCode)}`;
    for (const { since, code } of this.refused.values()) {
      if (now - since >= unreadyMs)
        return `PostgreSQL has taken no edits for ${seconds(now - since)}${shown(code)}`;
    }
    return undefined;
  }

  /** A worker's batches are refused, with this code of the last attempt; undefined: they are taken, or it has ended. */
  readonly writes = (slot: number, failure: { readonly code?: string } | undefined): void => {
    if (failure === undefined) this.refused.delete(slot);
    else {
      const since = this.refused.get(slot)?.since ?? this.options.clock.now();
      this.refused.set(slot, { since, code: failure.code });
    }
  };

  stop(): void {
    this.end();
  }

  private ask(): void {
    if (this.isAsking) return;
    this.isAsking = true;
    const { control, clock, onRisen } = this.options;
    this.unanswered ??= clock.now();
    control
      .timeline()
      .then(
        ({ highest }) => {
          this.unanswered = undefined;
          this.lastCode = undefined;
          if (highest <= this.timeline) return;
          this.timeline = highest;
          onRisen(highest);
        },
        (error: unknown) => {
          this.lastCode = error instanceof Error ? (codeOf(error.cause) ?? codeOf(error)) : undefined;
        },
      )
      .finally(() => {
        this.isAsking = false;
      });
  }

  private tell(): void {
    const { problem } = this;
    const { log } = this.options;
    if (problem !== undefined && this.told === undefined)
      log.warn({ reason: problem }, 'not ready: the database does not serve this node');
    else if (problem === undefined && this.told !== undefined)
      log.info({}, 'ready again: the database serves this node');
    this.told = problem;
  }
}

const seconds = (ms: number): string => `${Math.floor(ms / 1_000)} s`;
const shown = (code: string | undefined): string => (code === undefined ? '' : ` (${code})`);
