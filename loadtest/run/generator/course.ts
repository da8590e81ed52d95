// The course of a run: how many clients are connected and how fast they type at each moment, from the stages of
// the scenario. Pure. Times are milliseconds after the beginning.
import type { Stage } from '../../scenarios/scenario.ts';

/** Step in which the rate of typing is summed up. */
const STEP_MS = 50;

export class Course {
  readonly lastsMs: number;
  readonly #stages: readonly Stage[];

  constructor(stages: readonly Stage[]) {
    this.#stages = stages;
    this.lastsMs = stages.reduce((sum, { lastsMs }) => sum + lastsMs, 0);
  }

  /** Share of the clients that are connected. */
  clientsAt(ms: number): number {
    return this.#valueAt(ms, 'clients');
  }

  /** Factor of the rate of edits. */
  typingAt(ms: number): number {
    return this.#valueAt(ms, 'typing');
  }

  /** The time at which `workMs` of typing at the factor 1 are over; undefined past the end of the run. */
  afterTyping(fromMs: number, workMs: number): number | undefined {
    let left = workMs;
    for (let at = fromMs; at < this.lastsMs; at += STEP_MS) {
      const done = STEP_MS * this.typingAt(at);
      if (done >= left && done > 0) {
        const end = at + (STEP_MS * left) / done;
        return end < this.lastsMs ? end : undefined;
      }
      left -= done;
    }
    return undefined;
  }

  #valueAt(ms: number, name: 'clients' | 'typing'): number {
    let began = 0;
    let before = 0;
    for (const stage of this.#stages) {
      const value = stage[name];
      if (ms < began + stage.lastsMs) {
        if (stage.change === 'step') return value;
        return before + ((value - before) * Math.max(0, ms - began)) / stage.lastsMs;
      }
      began += stage.lastsMs;
      before = value;
    }
    return before;
  }
}
