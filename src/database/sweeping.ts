// Has the database swept, slice by slice: history past its retention, and snapshots of earlier versions.
// Every node asks regularly whether a pass is due. One node at a time does it; the others get `busy`. The
// size of a slice follows from the time of the previous one, so that each slice ends well before its time-out
// on any database.
import type { Logger } from 'pino';
import { type Clock, pause, systemClock } from '../../actors/clock.ts';
import type { ControlStore, SweepOptions } from '../../actors/storage/store.ts';
import type { Config } from '../../config/schema.ts';

export interface SweepingOptions {
  readonly control: Pick<ControlStore, 'sweep'>;
  readonly retention: SweepOptions['retention'];
  readonly everyMs: number;
  /** Time limit of a call to the database. */
  readonly answerTimeoutMs: number;
  readonly clock: Clock;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

const MOST_ROWS = 10_000;
/** A slice may take one part in this many of the time-out. */
const SLICE_SHARE = 20;
/** Pause between two slices, because other queries use the connection too. */
const PAUSE_MS = 20;

/** Sweeps as the configuration says, until the returned function is called. */
export function sweepHistory(
  { retention: { keepMs, keepOps, sweepMs }, limits, storage }: Config,
  control: SweepingOptions['control'],
  log: Logger,
): () => void {
  const { historyMs, historyOps, clientMemoryMs } = limits;
  const retention =
    keepMs === null
      ? null
      : {
          olderThanMs: Math.max(keepMs, historyMs, clientMemoryMs),
          keepOps: Math.max(keepOps, historyOps),
        };
  return sweepNowAndThen({
    control,
    retention,
    everyMs: sweepMs,
    answerTimeoutMs: storage.answerTimeoutMs,
    clock: systemClock,
    log: (level, message, fields) => log[level](fields, message),
  });
}

/** Sweeps until the returned function is called. A slice under way ends by itself. */
export function sweepNowAndThen(options: SweepingOptions): () => void {
  const ended = new AbortController();
  const sweeping = new Sweeping(options);
  let busy = false;
  const stop = options.clock.every(options.everyMs, () => {
    if (busy) return;
    busy = true;
    void sweeping.pass(ended.signal).finally(() => {
      busy = false;
    });
  });
  return () => {
    stop();
    ended.abort();
  };
}

export class Sweeping {
  readonly #options: SweepingOptions;
  #rows = MOST_ROWS;

  constructor(options: SweepingOptions) {
    this.#options = options;
  }

  /**
   * Runs slices until the pass is over, no slice is due, or another node is sweeping. Never rejects: the next
   * pass continues.
   */
  async pass(signal?: AbortSignal): Promise<void> {
    const { control, retention, everyMs, answerTimeoutMs, clock, log } = this.#options;
    const sliceMs = answerTimeoutMs / SLICE_SHARE;
    const isEnded = (): boolean => signal?.aborted === true;
    let removed = 0;
    for (let more = true; more && !isEnded(); ) {
      const from = clock.now();
      try {
        const slice = await control.sweep({ retention, limit: this.#rows, sliceMs, everyMs });
        more = slice.type === 'more';
        if (slice.type === 'more' || slice.type === 'done') removed += slice.removed;
        this.#judge(clock.now() - from, sliceMs);
      } catch (error) {
        if (isEnded()) return;
        log('warn', 'a slice of the sweep failed and is tried again later', { err: error, rows: this.#rows });
        more = this.#rows > 1;
        this.#rows = Math.ceil(this.#rows / 10);
      }
      if (more) await pause(clock, PAUSE_MS, signal);
    }
    if (removed > 0) log('info', 'the sweep has removed old history and clients', { rows: removed });
  }

  #judge(tookMs: number, sliceMs: number): void {
    if (tookMs > sliceMs) this.#rows = Math.ceil(this.#rows / 2);
    else if (tookMs < sliceMs / 4) this.#rows = Math.min(2 * this.#rows, MOST_ROWS);
  }
}
