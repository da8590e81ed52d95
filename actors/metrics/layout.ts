// The kinds of metrics, and the place of each in the memory in which a thread counts (thread-counts.ts). All
// threads of a process run the same code, so they have the same places.

/** A label with a fixed set of values. A metric never has a label whose values could grow in number. */
export interface Label<Value extends string = string> {
  readonly name: string;
  readonly values: readonly Value[];
}

export interface Metric<Value extends string = string> {
  /** Its name at `/metrics`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Its meaning, in sentences for operators. */
  readonly help: string;
  /** The heading under which docs/metrics.md lists it. */
  readonly section: string;
  readonly label: Label<Value> | undefined;
  /** The names of all its labels. */
  readonly labelNames: readonly string[];
  /** Upper bounds of a histogram's buckets, ascending. Empty for other types. */
  readonly buckets: readonly number[];
  /**
   * `sum`: counted in each thread; `/metrics` has the sum over all threads. `each`: counted in each thread;
   * `/metrics` has a series for each thread, by the label `thread`. `reading`: not counted, but read by the
   * main thread when `/metrics` is asked for; it has no cells.
   */
  readonly from: 'sum' | 'each' | 'reading';
  /** Index of its first cell. */
  readonly at: number;
}

/** Options of a metric with a label, or of one that is not summed over the threads. */
export interface MetricOptions<Value extends string> {
  readonly label?: Label<Value>;
  readonly from?: 'sum' | 'each';
}

/** Cells of a histogram beside its buckets: values above the last bound, and the sum of all values. */
const BEYOND_BUCKETS = 2;

/** Gives each metric its cells, in the order in which they are declared. */
export class Layout {
  readonly #all: Metric[] = [];
  #cells = 0;
  #section = '';

  /** The metrics that follow are listed under this heading. */
  section(heading: string): void {
    this.#section = heading;
  }

  counter<Value extends string = never>(
    name: string,
    help: string,
    options: MetricOptions<Value> = {},
  ): Metric<Value> {
    return this.#add('counter', name, help, [], options);
  }

  gauge<Value extends string = never>(
    name: string,
    help: string,
    options: MetricOptions<Value> = {},
  ): Metric<Value> {
    return this.#add('gauge', name, help, [], options);
  }

  histogram(
    name: string,
    buckets: readonly number[],
    help: string,
    options: Pick<MetricOptions<never>, 'from'> = {},
  ): Metric<never> {
    return this.#add('histogram', name, help, buckets, options);
  }

  /** A metric that is not counted. Its labels have a bounded number of values, too. */
  reading(
    type: 'counter' | 'gauge',
    name: string,
    help: string,
    labelNames: readonly string[] = [],
  ): Metric<never> {
    const metric: Metric<never> = {
      ...{ name, type, help, section: this.#section, labelNames },
      ...{ label: undefined, buckets: [], from: 'reading', at: -1 },
    };
    this.#all.push(metric);
    return metric;
  }

  /** A cell for a number that is no metric by itself. Returns its index. */
  cell(): number {
    return this.#cells++;
  }

  /** All metrics, in the order in which they were declared. */
  get all(): readonly Metric[] {
    return this.#all;
  }

  /** The number of cells of one thread. */
  get cells(): number {
    return this.#cells;
  }

  #add<Value extends string>(
    type: Metric['type'],
    name: string,
    help: string,
    buckets: readonly number[],
    { label, from = 'sum' }: MetricOptions<Value>,
  ): Metric<Value> {
    const labelNames = [...(from === 'each' ? ['thread'] : []), ...(label === undefined ? [] : [label.name])];
    const metric: Metric<Value> = {
      ...{ name, type, help, section: this.#section, labelNames },
      ...{ label, buckets, from, at: this.#cells },
    };
    this.#cells += type === 'histogram' ? buckets.length + BEYOND_BUCKETS : (label?.values.length ?? 1);
    this.#all.push(metric);
    return metric;
  }
}
