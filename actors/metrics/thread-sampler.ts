// Notes in a thread's counts how late its timers fire, and once a second what the thread uses. The owner of the
// thread calls `beat` every BEAT_MS; this class has no timer of its own.
import { BEAT_MS } from '../liveness/liveness.ts';
import { METRICS, OF_THREAD } from './metrics.ts';
import type { ThreadCounts } from './thread-counts.ts';
import type { ThreadUsage } from './thread-usage.ts';

/** As every thread that gives signs of life beats. */
const SAMPLE_MS = BEAT_MS;
/** Beats between two looks at what the thread uses. */
const BEATS_PER_USAGE = 10;
/** Most values that one long turn adds. Beyond it the turn has said enough. */
const MOST_AT_ONCE = 1000;

export class ThreadSampler {
  readonly #counts: ThreadCounts;
  readonly #usage: ThreadUsage;
  readonly #now: () => number;
  #beats = 0;
  #last: number;
  #busy: number;

  /** `now`: milliseconds by a clock that all threads of the process share. */
  constructor(counts: ThreadCounts, usage: ThreadUsage, now: () => number) {
    this.#counts = counts;
    this.#usage = usage;
    this.#now = now;
    this.#last = now();
    this.#busy = usage.busySeconds();
    // The processor time of the thread's start counts too. A thread may begin anew with the counts that it had.
    if (usage.osThread !== undefined && counts.cell(OF_THREAD.osThread) !== usage.osThread) {
      counts.tell(OF_THREAD.osThread, usage.osThread);
      counts.tell(OF_THREAD.cpuSeconds, 0);
    }
    this.#tell();
    this.#lookAtUsage();
  }

  beat(): void {
    const now = this.#now();
    const late = Math.max(0, now - this.#last - SAMPLE_MS);
    this.#last = now;
    // Beats that were due during a long turn would have been late, too, each by what was left of the turn.
    let values = 0;
    for (let delay = late; delay >= 0 && values < MOST_AT_ONCE; delay -= SAMPLE_MS, values++)
      this.#counts.observe(METRICS.loopDelay, delay / 1000);
    this.#tell();
    if (++this.#beats % BEATS_PER_USAGE === 0) this.#lookAtUsage();
  }

  #tell(): void {
    this.#counts.tell(OF_THREAD.beatMs, this.#last);
  }

  #lookAtUsage(): void {
    const busy = this.#usage.busySeconds();
    this.#counts.count(METRICS.threadBusy, Math.max(0, busy - this.#busy));
    this.#busy = busy;
    const cpu = this.#usage.cpuSeconds();
    if (cpu !== undefined && this.#usage.osThread !== undefined) {
      this.#counts.count(METRICS.threadCpu, Math.max(0, cpu - this.#counts.cell(OF_THREAD.cpuSeconds)));
      this.#counts.tell(OF_THREAD.cpuSeconds, cpu);
    }
    const { used, limit, external } = this.#usage.heap();
    this.#counts.set(METRICS.heapUsed, used);
    this.#counts.set(METRICS.heapLimit, limit);
    this.#counts.set(METRICS.externalBytes, external);
  }
}
