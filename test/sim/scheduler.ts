// Virtual time: one queue of events, ordered by their times and then by the order of their creation. It jumps
// from event to event, and lets all promises and ticks of an event end before the next event. If the same
// work is scheduled, the same events run in the same order.
import type { Clock } from '../../actors/clock.ts';

export interface Run {
  /** Asked after each event. True ends the run. */
  readonly until: () => boolean;
  /** No event after this time is run. */
  readonly untilMs: number;
}

/**
 * Node runs all ticks and promises between two immediates, also if both were requested at once. Many at a
 * time save most of the rounds of the real event loop, which would be a quarter of a run.
 */
const nextTurn = globalThis.setImmediate;
const TURNS = 64;

export class Scheduler implements Clock {
  readonly #heap: Event[] = [];
  #sequence = 0;
  #nowMs = 0;
  /** The number of events that have run. */
  count = 0;
  /** Called before each event. */
  onEvent: (timeMs: number, sequence: number) => void = () => undefined;

  readonly now = (): number => this.#nowMs;

  readonly after = (ms: number, run: () => void): (() => void) => {
    const event = { time: this.#nowMs + Math.max(0, ms), sequence: ++this.#sequence, run };
    this.#push(event);
    return () => {
      event.run = NOTHING;
    };
  };

  readonly every = (ms: number, run: () => void): (() => void) => {
    let cancel = (): void => undefined;
    const again = (): void => {
      cancel = this.after(ms, () => {
        again();
        run();
      });
    };
    again();
    return () => cancel();
  };

  readonly soon = (run: () => void): void => {
    this.after(0, run);
  };

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      this.after(ms, resolve);
    });

  /** Runs events until there is a reason to stop. Returns true if `until` was the reason. */
  run({ until, untilMs }: Run): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let over = false;
      const end = (settle: () => void): void => {
        over = true;
        settle();
      };
      const step = (): void => {
        if (over) return;
        try {
          if (until()) {
            end(() => resolve(true));
            return;
          }
          const event = this.#pop(untilMs);
          if (event === undefined) {
            this.#nowMs = Math.max(this.#nowMs, untilMs);
            end(() => resolve(false));
            return;
          }
          this.#nowMs = event.time;
          this.count++;
          this.onEvent(event.time, event.sequence);
          event.run();
        } catch (error) {
          end(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
      };
      const steps = (): void => {
        if (over) return;
        for (let turn = 0; turn < TURNS; turn++) nextTurn(step);
        nextTurn(steps);
      };
      steps();
    });
  }

  /** The first event that was not cancelled, if it is due. */
  #pop(untilMs: number): Event | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.time > untilMs) return undefined;
      this.#removeFirst();
      if (first.run !== NOTHING) return first;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      let child = heap[left];
      if (child === undefined) break;
      let place = left;
      const right = heap[left + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        place = left + 1;
      }
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = place;
    }
    heap[at] = last;
  }
}

interface Event {
  readonly time: number;
  readonly sequence: number;
  run: () => void;
}

const NOTHING = (): void => undefined;

const isBefore = (a: Event, b: Event): boolean =>
  a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
