// The counts of one thread, in memory that the main thread can read. The thread writes plain numbers: a count
// costs one addition, sends no message and takes no lock. The main thread reads them when `/metrics` is asked
// for, so a reading costs the thread nothing, and a thread that hangs cannot hold it up.
//
// Only one thread writes. Each number is one aligned cell of eight bytes, which processors read and write as a
// whole. A thread that takes the place of one that has ended goes on with the same memory, so totals never fall.
import type { Metric } from './layout.ts';
import { ALL_METRICS, CELLS, OF_THREAD } from './metrics.ts';

/** The counts of the thread of this name: `main`, `lease` or that of a worker. Always the same for a name. */
export type CountsByThread = (thread: string) => ThreadCounts;

export const workerThread = (slot: number): string => `worker-${slot}`;

export class ThreadCounts {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Float64Array;

  /** `memory`: that of another thread's ThreadCounts. By default new memory, in which nothing is known. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(CELLS * Float64Array.BYTES_PER_ELEMENT);
    this.#cells = new Float64Array(this.memory);
    if (memory === undefined) this.forgetGauges();
  }

  /** Adds to a counter without a label. */
  count(metric: Metric<never>, by = 1): void {
    this.#add(metric.at, by);
  }

  /** Adds to a counter with this value of its label. */
  countAs<Value extends string>(metric: Metric<Value>, value: NoInfer<Value>, by = 1): void {
    const index = metric.label?.values.indexOf(value) ?? -1;
    if (index >= 0) this.#add(metric.at + index, by);
  }

  /** Adds a value, in the unit of the histogram's name. */
  observe(metric: Metric<never>, value: number): void {
    const { buckets, at } = metric;
    let bucket = 0;
    while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket++;
    this.#add(at + bucket, 1);
    this.#add(at + buckets.length + 1, value);
  }

  /** Sets a gauge without a label. */
  set(metric: Metric<never>, value: number): void {
    this.#cells[metric.at] = value;
  }

  /** Sets a gauge with this value of its label. */
  setAs<Value extends string>(metric: Metric<Value>, value: NoInfer<Value>, number: number): void {
    const index = metric.label?.values.indexOf(value) ?? -1;
    if (index >= 0) this.#cells[metric.at + index] = number;
  }

  /** The thread has ended, or has not begun: its gauges have no value. Its counters keep theirs. */
  forgetGauges(): void {
    for (const { type, from, at, label } of ALL_METRICS) {
      if (type === 'gauge' && from !== 'reading')
        this.#cells.fill(Number.NaN, at, at + (label?.values.length ?? 1));
    }
    this.#cells[OF_THREAD.beatMs] = Number.NaN;
  }

  /** Writes one of the cells OF_THREAD. */
  tell(cell: number, value: number): void {
    this.#cells[cell] = value;
  }

  /** The value of one cell. NaN stands for a gauge without a value. */
  cell(index: number): number {
    return this.#cells[index] ?? Number.NaN;
  }

  #add(index: number, by: number): void {
    this.#cells[index] = (this.#cells[index] ?? 0) + by;
  }
}
