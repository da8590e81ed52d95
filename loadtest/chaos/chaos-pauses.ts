// The time for which documents stood still, as clients saw it: the time between one commit and the next. Owns
// the times; knows no clients and no faults.
import { summarize } from '../statistics.ts';

/**
 * The longest time for which documents may stand still because of a fault, at full load on a machine that has
 * nothing else to do.
 */
export interface PauseBound {
  readonly of: 'p99' | 'max';
  readonly ms: number;
}

/**
 * Whether the pauses are within the bound. No pause is measured more exactly than the measuring process
 * turns: `lagMs` are its own delays.
 */
export const isWithin = ({ of, ms }: PauseBound, pausesMs: readonly number[], lagMs: number): boolean =>
  summarize(pausesMs)[of] < ms + lagMs;

export interface PauseOptions {
  readonly docs: Iterable<string>;
  /** The clients that count; the earliest of them to see a version gives the time of its commit. */
  readonly observers: ReadonlySet<string>;
  readonly fromMs: number;
  readonly toMs: number;
}

export class Pauses {
  /** doc -> observer -> version -> time of arrival. Versions of one observer only rise. */
  readonly #seen = new Map<string, Map<string, [version: number, at: number][]>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  committed(doc: string, observer: string, version: number): void {
    let observers = this.#seen.get(doc);
    if (observers === undefined) {
      observers = new Map();
      this.#seen.set(doc, observers);
    }
    const times = observers.get(observer);
    if (times === undefined) observers.set(observer, [[version, this.#now()]]);
    else times.push([version, this.#now()]);
  }

  /**
   * For each document its longest pause that touches the window, in milliseconds; time after the window does
   * not count.
   */
  longest({ docs, observers, fromMs, toMs }: PauseOptions): readonly number[] {
    const pauses: number[] = [];
    for (const doc of docs) {
      const times = this.#timesOf(doc, observers);
      // No observer was left to see it.
      if (times.length === 0) continue;
      let longest = 0;
      for (let i = 1; i < times.length; i++) {
        const [before = 0, after = 0] = [times[i - 1], times[i]];
        if (after > fromMs && before < toMs) longest = Math.max(longest, Math.min(after, toMs) - before);
      }
      const last = times.at(-1) ?? fromMs;
      if (last < toMs) longest = Math.max(longest, toMs - last);
      pauses.push(longest);
    }
    return pauses;
  }

  /** The times at which an observer first saw a version newer than all before. */
  #timesOf(doc: string, observers: ReadonlySet<string>): readonly number[] {
    const all = [...(this.#seen.get(doc) ?? [])]
      .filter(([observer]) => observers.has(observer))
      .flatMap(([, times]) => times)
      .sort(([, a], [, b]) => a - b);
    const times: number[] = [];
    let newest = -1;
    for (const [version, at] of all) {
      if (version <= newest) continue;
      newest = version;
      times.push(at);
    }
    return times;
  }
}
