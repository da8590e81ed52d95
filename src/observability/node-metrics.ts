// The metrics of a node: the counts of all its threads, and what the main thread reads when `/metrics` is asked
// for, as one text. It lives as long as the node, so that totals outlive workers and runs.
import { Registry } from 'prom-client';
import type { Metric } from '../../actors/metrics/layout.ts';
import { ALL_METRICS, METRICS } from '../../actors/metrics/metrics.ts';
import { type CountsByThread, ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import {
  type Cells,
  type LabelledCells,
  registerHistogram,
  registerValues,
  type Series,
} from './counted-metrics.ts';

/** A value or several with their labels. Undefined if it cannot be told; then the metric has no value. */
export type Reading = number | readonly Series[] | undefined;

/** By the key of METRICS. */
export type Readings = { readonly [Key in keyof typeof METRICS]?: () => Reading };

export class NodeMetrics {
  readonly #registry = new Registry();
  readonly #threads = new Map<string, ThreadCounts>();
  readonly #readings = new Map<Metric, () => Reading>();
  /** The text that is being made. Requests that come meanwhile get the same one. */
  #making: Promise<string> | undefined;

  constructor() {
    for (const metric of ALL_METRICS) {
      const { type, from, labelNames } = metric;
      if (type === 'histogram')
        registerHistogram(this.#registry, metric, labelNames, () => this.#cellsOf(from));
      else registerValues(this.#registry, metric, labelNames, () => this.#valuesOf(metric));
    }
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** The counts of the thread of this name. A thread that takes the place of another one goes on with them. */
  readonly thread: CountsByThread = (name) => {
    let counts = this.#threads.get(name);
    if (counts === undefined) {
      counts = new ThreadCounts();
      this.#threads.set(name, counts);
    }
    return counts;
  };

  /** By name. */
  threads(): Iterable<readonly [name: string, counts: ThreadCounts]> {
    return this.#threads;
  }

  /** From now on these metrics are read so. Later readings of a metric take the place of earlier ones. */
  readBy(readings: Readings): void {
    for (const [key, read] of Object.entries(readings))
      this.#readings.set(METRICS[key as keyof typeof METRICS], read);
  }

  /** The sum of a counter over all threads. */
  total(counter: Metric<never>): number {
    return this.#sum.cell(counter.at);
  }

  /** All metrics in Prometheus's text format. */
  text(): Promise<string> {
    this.#making ??= this.#registry.metrics().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** The sums over all threads. A thread without a value adds nothing; the sum has none if no thread has. */
  readonly #sum: Cells = {
    cell: (index) => {
      let sum = Number.NaN;
      for (const counts of this.#threads.values()) {
        const value = counts.cell(index);
        if (!Number.isNaN(value)) sum = Number.isNaN(sum) ? value : sum + value;
      }
      return sum;
    },
  };

  #cellsOf(from: Metric['from']): readonly LabelledCells[] {
    if (from === 'sum') return [{ labels: {}, cells: this.#sum }];
    return [...this.#threads].map(([thread, cells]) => ({ labels: { thread }, cells }));
  }

  #valuesOf(metric: Metric): readonly Series[] {
    const read = this.#readings.get(metric);
    if (read !== undefined) {
      const reading = read();
      if (reading === undefined) return [];
      return typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
    }
    const { label, at } = metric;
    if (metric.from === 'reading') return [];
    return this.#cellsOf(metric.from).flatMap(({ labels, cells }) =>
      label === undefined
        ? [{ labels, value: cells.cell(at) }]
        : label.values.map((value, index) => ({
            labels: { ...labels, [label.name]: value },
            value: cells.cell(at + index),
          })),
    );
  }
}
