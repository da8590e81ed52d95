// Figures of nodes from their `/metrics`: processors by thread, memory, and the delay of event loops. A node without it, or one that does
// not answer in time, has no figures.
import type { ServerReader, ServerReading } from './server-readings.ts';
import type { NodeCounters } from './usage.ts';

/** Longest time for an answer. */
const ANSWER_MS = 2_000;
const MAIN = /^troupe_thread_cpu_seconds_total\{[^}]*thread="main"[^}]*\}\s+(\S+)/m;
const WHOLE = /^process_cpu_seconds_total(?:\{[^}]*\})?\s+(\S+)/m;
const RESIDENT = /^process_resident_memory_bytes(?:\{[^}]*\})?\s+(\S+)/m;
const DELAY = /^troupe_event_loop_delay_seconds_(sum|count)\{[^}]*thread="([^"]*)"[^}]*\}\s+(\S+)/gm;

/** Counters of one node since its start, and the sums of the delays of its threads. */
export interface MetricsReading extends NodeCounters {
  readonly delays: ReadonlyMap<string, { readonly sum: number; readonly count: number }>;
}

/** Undefined for a text without these metrics. */
export function parseMetrics(node: string, text: string): MetricsReading | undefined {
  const value = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const [main, whole, residentBytes] = [value(MAIN), value(WHOLE), value(RESIDENT)];
  if (![main, whole, residentBytes].every(Number.isFinite)) return undefined;
  const delays = new Map<string, { sum: number; count: number }>();
  for (const [, name, thread = '', at] of text.matchAll(DELAY)) {
    const delay = delays.get(thread) ?? { sum: 0, count: 0 };
    delays.set(thread, { ...delay, [name === 'sum' ? 'sum' : 'count']: Number(at) });
  }
  return { node, main, others: Math.max(0, whole - main), residentBytes, delays };
}

/** Socket URLs of nodes; their `/metrics` are at the same address. */
export class MetricsReader implements ServerReader {
  readonly #urls: readonly string[];
  readonly #now: () => number;
  readonly #last = new Map<string, { readonly at: number; readonly reading: MetricsReading }>();

  constructor(urls: readonly string[], now: () => number) {
    this.#urls = urls;
    this.#now = now;
  }

  async read(): Promise<ServerReading[]> {
    const readings = await this.counters();
    return readings.map((reading) => {
      const before = this.#last.get(reading.node);
      const at = this.#now();
      this.#last.set(reading.node, { at, reading });
      const { node, residentBytes } = reading;
      if (before === undefined || at <= before.at)
        return { node, cpu: undefined, residentBytes, loopDelayMs: undefined };
      const used = reading.main + reading.others - before.reading.main - before.reading.others;
      const cpu = used < 0 ? undefined : used / ((at - before.at) / 1000);
      return { node, cpu, residentBytes, loopDelayMs: delayBetween(before.reading, reading) };
    });
  }

  /** Of the nodes that answer. */
  async counters(): Promise<MetricsReading[]> {
    const readings = await Promise.all(this.#urls.map((url) => readOne(url).catch(() => undefined)));
    return readings.filter((reading) => reading !== undefined);
  }
}

/** The mean delay of the thread with the longest, ms. */
function delayBetween(before: MetricsReading, now: MetricsReading): number | undefined {
  const means = [...now.delays].flatMap(([thread, { sum, count }]) => {
    const old = before.delays.get(thread) ?? { sum: 0, count: 0 };
    return count > old.count ? [((sum - old.sum) / (count - old.count)) * 1000] : [];
  });
  return means.length === 0 ? undefined : Math.max(0, ...means);
}

async function readOne(url: string): Promise<MetricsReading | undefined> {
  const address = new URL('/metrics', url);
  address.protocol = address.protocol === 'wss:' ? 'https:' : 'http:';
  const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_MS) });
  return response.ok ? parseMetrics(address.host, await response.text()) : undefined;
}
