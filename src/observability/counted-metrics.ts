// The counts of all threads as metrics of prom-client. A metric reads the threads' memory when `/metrics` is asked
// for, and keeps no value of its own.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Metric } from '../../actors/metrics/layout.ts';

/** The cells of one thread, or the sums over several. */
export interface Cells {
  cell(index: number): number;
}

/** One value with its labels. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A set of cells with its labels. */
export interface LabelledCells {
  readonly labels: Readonly<Record<string, string>>;
  readonly cells: Cells;
}

/** A counter or gauge. Values that are not known (NaN) are left out. */
export function registerValues(
  registry: Registry,
  { name, help, type }: Metric,
  labelNames: readonly string[],
  read: () => readonly Series[],
): void {
  const config = { name, help, labelNames: [...labelNames], registers: [registry] };
  if (type === 'gauge')
    new Gauge({
      ...config,
      collect() {
        this.reset();
        // A reset leaves a metric without labels with the value 0.
        if (labelNames.length === 0) this.remove();
        for (const { labels, value } of read()) if (!Number.isNaN(value)) this.set(labels, value);
      },
    });
  else
    new Counter({
      ...config,
      collect() {
        this.reset();
        if (labelNames.length === 0) this.remove();
        for (const { labels, value } of read()) if (!Number.isNaN(value)) this.inc(labels, value);
      },
    });
}

export function registerHistogram(
  registry: Registry,
  metric: Metric,
  labelNames: readonly string[],
  read: () => readonly LabelledCells[],
): void {
  new CountedHistogram(registry, metric, labelNames, read);
}

/** A line of the text: a value with its name and labels. `sharedLabels` are those of all lines of a series. */
interface Line {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A histogram whose values are in the memory of threads. prom-client's own takes only single values. */
class CountedHistogram extends Histogram {
  readonly #metric: Metric;
  readonly #read: () => readonly LabelledCells[];

  constructor(
    registry: Registry,
    metric: Metric,
    labelNames: readonly string[],
    read: () => readonly LabelledCells[],
  ) {
    const { name, help, buckets } = metric;
    super({ name, help, buckets: [...buckets], labelNames: [...labelNames], registers: [registry] });
    this.#metric = metric;
    this.#read = read;
  }

  /** Takes the place of prom-client's method of this name, with which the registry and `get` read the values. */
  async getForPromString(): Promise<object> {
    const { name, help, type } = this.#metric;
    const values = this.#read().flatMap((series) => linesOf(this.#metric, series));
    return { name, help, type, values, aggregator: 'sum' };
  }
}

function linesOf({ name, buckets, at }: Metric, { labels: sharedLabels, cells }: LabelledCells): Line[] {
  let count = 0;
  const lines: Line[] = [...buckets, '+Inf'].map((le, index) => {
    count += cells.cell(at + index);
    return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count };
  });
  const sum = cells.cell(at + buckets.length + 1);
  lines.push({ metricName: `${name}_sum`, labels: {}, sharedLabels, value: sum });
  lines.push({ metricName: `${name}_count`, labels: {}, sharedLabels, value: count });
  return lines;
}
