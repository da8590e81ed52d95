// The counts and times of one process of the load, as sums and histograms of one second each. This file knows no
// clients and no criteria.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from 'hdr-histogram-js';

export const TIMES = ['commit', 'delivery', 'open', 'http', 'write', 'late'] as const;
/**
 * `commit`: an edit until its author sees it committed. `delivery`: an edit until another client has it.
 * `open`: a client until its document is open. `http`: an HTTP read until its answer. `write`: an HTTP write until it is answered
 * as committed. `late`: a due edit until this process came to make it, which no server has caused. All count from the time at which the edit or the client was due.
 */
export type TimeName = (typeof TIMES)[number];

export const COUNTS = [
  'asked',
  'committed',
  'failed',
  'delivered',
  'presenceSent',
  'presenceReceived',
  'bytesReceived',
  'requests',
  'responses',
  'writes',
  'written',
] as const;
/**
 * `asked`: edits that were due. `failed`: edits that were rejected, given up or never made. `bytesReceived`: bytes of all
 * frames that clients received. `requests`: HTTP reads that were due. `responses`: those that were answered.
 * `writes`: HTTP writes that were due. `written`: those that were answered as committed.
 */
export type CountName = (typeof COUNTS)[number];

/** One second of one process. Histograms are encoded. */
export interface ProcessSecond {
  /** Number of the second, from 0. */
  readonly second: number;
  readonly connected: number;
  readonly counts: Readonly<Record<CountName, number>>;
  readonly times: Readonly<Partial<Record<TimeName, string>>>;
  /** Error codes of the server, and rejections, since the beginning. */
  readonly errors: Readonly<Record<string, number>>;
  /** Connections that were lost since the beginning, by reason. */
  readonly losses: Readonly<Record<string, number>>;
  /** Longest delay of this process's event loop but for one per cent of the second. */
  readonly loopDelayMs: number;
  /** Processors used. */
  readonly cpu: number;
}

const MICROSECONDS = 1000;
const MOST_MS = 3_600_000;
const RESOLUTION_MS = 10;

/** In microseconds, to three digits. */
export const newHistogram = (): Histogram =>
  build({ highestTrackableValue: MOST_MS * MICROSECONDS, numberOfSignificantValueDigits: 3 });

export const recordMs = (histogram: Histogram, ms: number): void =>
  histogram.recordValue(Math.round(Math.min(Math.max(ms, 0), MOST_MS) * MICROSECONDS));

export const percentileMs = (histogram: Histogram, percentile: number): number =>
  histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile) / MICROSECONDS;

export const encodeHistogram = (histogram: Histogram): string => encodeIntoCompressedBase64(histogram);

export const decodeHistogram = (text: string): Histogram => decodeFromCompressedBase64(text);

export class Figures {
  readonly counts: Record<CountName, number>;
  readonly #histograms: Record<TimeName, Histogram>;
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.cpuUsage();
  #since = performance.now();

  constructor() {
    this.counts = noCounts();
    this.#histograms = {
      commit: newHistogram(),
      delivery: newHistogram(),
      open: newHistogram(),
      http: newHistogram(),
      write: newHistogram(),
      late: newHistogram(),
    };
    this.#loop.enable();
  }

  time(name: TimeName, ms: number): void {
    recordMs(this.#histograms[name], ms);
  }

  /** The counts and times since the last call. */
  take(second: number, state: Pick<ProcessSecond, 'connected' | 'errors' | 'losses'>): ProcessSecond {
    const times: Partial<Record<TimeName, string>> = {};
    for (const name of TIMES) {
      const histogram = this.#histograms[name];
      if (histogram.totalCount === 0) continue;
      times[name] = encodeHistogram(histogram);
      histogram.reset();
    }
    const counts = { ...this.counts };
    Object.assign(this.counts, noCounts());
    // The monitor's own timer waits for its resolution each time.
    const loopDelayMs = Math.max(0, this.#loop.percentile(99) / 1e6 - RESOLUTION_MS);
    this.#loop.reset();
    const now = performance.now();
    const { user, system } = process.cpuUsage(this.#cpu);
    const cpu = (user + system) / MICROSECONDS / Math.max(1, now - this.#since);
    this.#cpu = process.cpuUsage();
    this.#since = now;
    return { second, counts, times, loopDelayMs, cpu, ...state };
  }
}

export const noCounts = (): Record<CountName, number> => ({
  asked: 0,
  committed: 0,
  failed: 0,
  delivered: 0,
  presenceSent: 0,
  presenceReceived: 0,
  bytesReceived: 0,
  requests: 0,
  responses: 0,
  writes: 0,
  written: 0,
});
