// The result of a load test, as it is written to JSON and shown in the report: seconds, totals, faults, the
// check and the verdict. Merges the figures of all processes of the load. Pure.
import type { Histogram } from 'hdr-histogram-js';
import type { Scenario } from '../scenarios/scenario.ts';
import {
  COUNTS,
  type CountName,
  decodeHistogram,
  encodeHistogram,
  newHistogram,
  noCounts,
  type ProcessSecond,
  percentileMs,
  TIMES,
  type TimeName,
} from './figures.ts';
import type { ServerReading } from './servers/server-readings.ts';
import type { Usage } from './servers/usage.ts';

/** Milliseconds. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface GeneratorReading {
  /** Processors that the load itself used, all its processes together. */
  readonly cpu: number;
  /** The process with the longest delay of its event loop. */
  readonly loopDelayMs: number;
  /** Time by which edits were made late, at the 99th percentile. */
  readonly lateMs: number;
  /** Whether the load itself was so late that it may have caused the times of this second. */
  readonly isLate: boolean;
}

/** One second of the run; the last, which holds the answers after the end, may be longer. */
export interface Second {
  readonly second: number;
  readonly clients: number;
  readonly counts: Readonly<Record<CountName, number>>;
  readonly times: Readonly<Record<TimeName, Percentiles>>;
  readonly generator: GeneratorReading;
  readonly servers: readonly ServerReading[];
}

export interface Mark {
  readonly atMs: number;
  readonly label: string;
}

export interface Judgement {
  readonly name: string;
  readonly bound: string;
  readonly value: string;
  /** `unsure`: the load itself was too late to tell. */
  readonly verdict: 'passed' | 'failed' | 'unsure';
  readonly why?: string;
}

export interface Checked {
  readonly documents: number;
  readonly ofDocuments: number;
  readonly clients: number;
  readonly replicas: number;
  readonly edits: number;
  readonly violations: number;
  readonly told: readonly string[];
  readonly unchecked: readonly string[];
}

export interface Distribution extends Percentiles {
  /** [percentile, ms], for a chart. */
  readonly curve: readonly (readonly [number, number])[];
  /** The whole histogram: HdrHistogram V2, compressed, base64; microseconds. */
  readonly histogram: string;
}

/** Resident memory that the clients of the beginning added, for each. */
export interface SocketMemory {
  readonly clients: number;
  readonly loadBytes: number;
  /** Of all nodes together; undefined: not read. */
  readonly serverBytes: number | undefined;
}

/** Changes with every change of the shape below that an older result does not fit. */
export const FORMAT = 'troupe-loadtest-3';

export interface LoadResult {
  readonly format: typeof FORMAT;
  readonly scenario: string;
  readonly settings: Scenario;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly target: { readonly urls: readonly string[]; readonly isOwn: boolean };
  readonly generator: {
    readonly processes: number;
    readonly processors: number;
    readonly node: string;
    /** Share of the seconds in which the load itself was late. */
    readonly lateSeconds: number;
  };
  readonly isInterrupted: boolean;
  readonly seconds: readonly Second[];
  readonly totals: Readonly<Record<CountName, number>>;
  readonly times: Readonly<Record<TimeName, Distribution>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly losses: Readonly<Record<string, number>>;
  readonly marks: readonly Mark[];
  /** Undefined if nobody was connected before the beginning. */
  readonly memory?: SocketMemory;
  /** Use of the nodes and the databases during the course; undefined if the run did not start them. */
  readonly usage?: Usage;
  readonly checked: Checked;
  readonly criteria: readonly Judgement[];
  readonly verdict: 'passed' | 'failed' | 'unsure' | 'interrupted';
}

/** Lateness of the load above which it may have caused a time itself. */
const LATE_MS = 20;
/** Share of a processor above which a process of the load counts as full. */
const FULL = 0.9;

/** The figures of a stretch of the run. */
export interface Stretch {
  readonly seconds: readonly Second[];
  readonly times: Readonly<Record<TimeName, Percentiles>>;
}

/** Adds up what the processes send, and makes a second when all have sent it. */
export class Merger {
  readonly seconds: Second[] = [];
  readonly #processes: number;
  readonly #open = new Map<number, ProcessSecond[]>();
  readonly #latest = new Map<number, ProcessSecond>();
  readonly #all: Record<TimeName, Histogram>;
  #stretch = newHistograms();
  #stretchFrom = 0;
  readonly #sums = noCounts();

  constructor(processes: number) {
    this.#processes = processes;
    this.#all = newHistograms();
  }

  /** A stretch begins with the next second. */
  beginStretch(): void {
    this.#stretch = newHistograms();
    this.#stretchFrom = this.seconds.length;
  }

  /** The stretch up to now. */
  get stretch(): Stretch {
    const times = timesBy((name) => percentilesOf(this.#stretch[name]));
    return { seconds: this.seconds.slice(this.#stretchFrom), times };
  }

  /** The second that is now whole, if one is. */
  take(from: number, part: ProcessSecond, servers: readonly ServerReading[]): Second | undefined {
    this.#latest.set(from, part);
    const parts = [...(this.#open.get(part.second) ?? []), part];
    this.#open.set(part.second, parts);
    return parts.length < this.#processes ? undefined : this.#close(part.second, servers);
  }

  /** Seconds that not all processes have sent: the run was ended within them. */
  closeRest(servers: readonly ServerReading[]): void {
    for (const second of [...this.#open.keys()].sort((left, right) => left - right))
      this.#close(second, servers);
  }

  get totals(): Record<CountName, number> {
    return { ...this.#sums };
  }

  get errors(): Record<string, number> {
    return tally([...this.#latest.values()].map(({ errors }) => errors));
  }

  get losses(): Record<string, number> {
    return tally([...this.#latest.values()].map(({ losses }) => losses));
  }

  get times(): Record<TimeName, Distribution> {
    return timesBy((name) => {
      const histogram = this.#all[name];
      const curve = CURVE.map((at): [number, number] => [at, percentileMs(histogram, at)]);
      return { ...percentilesOf(histogram), curve, histogram: encodeHistogram(histogram) };
    });
  }

  #close(second: number, servers: readonly ServerReading[]): Second {
    const parts = this.#open.get(second) ?? [];
    this.#open.delete(second);
    const counts = noCounts();
    for (const part of parts) for (const name of COUNTS) counts[name] += part.counts[name];
    for (const name of COUNTS) this.#sums[name] += counts[name];
    const times = timesBy((name) => {
      const merged = newHistogram();
      for (const part of parts) {
        const encoded = part.times[name];
        if (encoded !== undefined) merged.add(decodeHistogram(encoded));
      }
      this.#all[name].add(merged);
      this.#stretch[name].add(merged);
      return percentilesOf(merged);
    });
    const loopDelayMs = Math.max(0, ...parts.map((part) => part.loopDelayMs));
    const isFull = parts.some((part) => part.cpu > FULL);
    const generator = {
      cpu: parts.reduce((sum, part) => sum + part.cpu, 0),
      loopDelayMs,
      lateMs: times.late.p99,
      isLate: isFull || loopDelayMs > LATE_MS || times.late.p99 > LATE_MS,
    };
    const clients = parts.reduce((sum, part) => sum + part.connected, 0);
    const made = { second, clients, counts, times, generator, servers };
    this.seconds.push(made);
    return made;
  }
}

const newHistograms = (): Record<TimeName, Histogram> => timesBy(() => newHistogram());

const CURVE = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 100];

export function percentilesOf(histogram: Histogram): Percentiles {
  return {
    count: histogram.totalCount,
    p50: percentileMs(histogram, 50),
    p95: percentileMs(histogram, 95),
    p99: percentileMs(histogram, 99),
    max: percentileMs(histogram, 100),
  };
}

function timesBy<T>(of: (name: TimeName) => T): Record<TimeName, T> {
  const [commit, delivery, open, http, write, late] = TIMES;
  return {
    commit: of(commit),
    delivery: of(delivery),
    open: of(open),
    http: of(http),
    write: of(write),
    late: of(late),
  };
}

function tally(maps: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const map of maps)
    for (const [name, count] of Object.entries(map)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
