// The clock by which the gateway measures how long edits take. Reading a clock costs about as much as everything
// else that is counted for an edit, so all edits that are read in one turn of the event loop get the time of the
// first of them: from then on they all waited for this thread.
import type { Clock } from '../../actors/clock.ts';

/** Times are whole ticks, which take no memory of their own beside the edit. */
const TICKS_PER_MS = 10;
const TICKS_PER_SECOND = 1_000 * TICKS_PER_MS;

export class EditClock {
  readonly #clock: Pick<Clock, 'now' | 'soon'>;
  #turn = 0;
  #isTurnKnown = false;
  readonly #endTurn = (): void => {
    this.#isTurnKnown = false;
  };

  constructor(clock: Pick<Clock, 'now' | 'soon'>) {
    this.#clock = clock;
  }

  /** The time for an edit that has just been read, in ticks. */
  arrival(): number {
    if (!this.#isTurnKnown) {
      this.#isTurnKnown = true;
      this.#turn = this.now();
      this.#clock.soon(this.#endTurn);
    }
    return this.#turn;
  }

  /** In ticks. They begin anew from the lowest number after some days. */
  now(): number {
    return (this.#clock.now() * TICKS_PER_MS) | 0;
  }
}

/** Seconds from one time in ticks to another, which is at most two days later. */
export const secondsBetween = (from: number, to: number): number => ((to - from) | 0) / TICKS_PER_SECOND;
