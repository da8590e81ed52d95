// Lets the database be swept, slice by slice: what retention folds away, and snapshots of earlier versions. Every node
// asks now and then whether a pass is due; one at a time does it, since a slice of another is `busy`. How much
// a slice does follows from how long the last one took, so that each ends well before its time-out on any database.
import { type Clock, pause } from '../actors/clock.ts';
import type { ControlStore, SweepOptions } from '../actors/storage/store.ts';

export interface SweepingOptions {
  readonly control: Pick<ControlStore, 'sweep'>;
  readonly retention: SweepOptions['retention'];
  readonly everyMs: number;
  /** Of a call to the database. */
  readonly answerTimeoutMs: number;
  readonly clock: Clock;
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void;
}

const MOST_ROWS = 10_000;
/** A slice may take this part of the time-out. */
const SLICE_SHARE = 20;
/** Between two slices: others use the connection too. */
const PAUSE_MS = 20;

/** Until the function returned is called; a slice under way ends by itself. */
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
  private readonly options: SweepingOptions;
  private rows = MOST_ROWS;

  constructor(options: SweepingOptions) {
    this.options = options;
  }

  /** Slices until the pass is over, none is due, or another node is at it. Never rejects: the next one goes on. */
  async pass(signal?: AbortSignal): Promise<void> {
    const { control, retention, everyMs, answerTimeoutMs, clock, log } = this.options;
    const sliceMs = answerTimeoutMs / SLICE_SHARE;
    const isEnded = (): boolean => signal?.aborted === true;
    let removed = 0;
    for (let more = true; more && !isEnded(); ) {
      const from = clock.now();
      try {
        const slice = await control.sweep({ retention, limit: this.rows, sliceMs, everyMs });
        more = slice.type === 'more';
        if (slice.type === 'more' || slice.type === 'done') removed += slice.removed;
        this.judge(clock.now() - from, sliceMs);
      } catch (error) {
        if (isEnded()) return;
        log('warn', 'history is not folded away', { err: error, rows: this.rows });
        more = this.rows > 1;
        this.rows = Math.ceil(this.rows / 10);
      }
      if (more) await pause(clock, PAUSE_MS, signal);
    }
    if (removed > 0) log('info', 'history and clients of long ago folded away', { rows: removed });
  }

  private judge(tookMs: number, sliceMs: number): void {
    if (tookMs > sliceMs) this.rows = Math.ceil(this.rows / 2);
    else if (tookMs < sliceMs / 4) this.rows = Math.min(2 * this.rows, MOST_ROWS);
  }
}
