// Decides which documents are read next: after a takeover thousands are wanted at once. While few reads are
// under way, each document is read at once and by itself. Documents that come later wait until a read has
// ended. They are then read together, in as many parts at a time as the store has connections. The queue
// knows neither the store nor the content of a document.
import type { DocumentActor, LoadResult } from '../document/actor.ts';
import { type Creation, READ_TOGETHER } from '../storage/store.ts';

/**
 * One document that its actor wants. An actor wants it once at a time, so there are never more of these
 * than actors.
 */
export interface Wanted {
  readonly actor: DocumentActor;
  /** How to create the document if it does not exist. */
  readonly create: Creation | undefined;
  readonly done: (result: LoadResult) => void;
}

/** Tells each of `wanted` its result, later. Resolves to false if the store was out of reach. */
export type Load = (wanted: readonly Wanted[]) => Promise<boolean>;

export interface LoadLimits {
  /** While fewer reads are under way than this, each document is read by itself. */
  readonly alone: number;
  /** Parts of many documents under way at once. */
  readonly together: number;
}

/**
 * Each connection may carry the statements of this many documents without a pause: none waits for another's
 * end.
 */
const ALONE_PER_CONNECTION = 4;

export const loadLimits = (connections: number): LoadLimits => ({
  alone: ALONE_PER_CONNECTION * connections,
  together: connections,
});

interface Waiting {
  readonly wanted: Wanted;
  readonly number: number;
}

export class LoadQueue {
  readonly #load: Load;
  readonly #limits: LoadLimits;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #together = 0;
  #last = 0;

  constructor(load: Load, limits: LoadLimits) {
    this.#load = load;
    this.#limits = limits;
  }

  add(wanted: Wanted): void {
    const number = ++this.#last;
    if (this.#underWay < this.#limits.alone && this.#waiting.length === 0) this.#begin([wanted], false);
    else this.#waiting.push({ wanted, number });
  }

  /** Forgets all waiting documents. */
  clear(): void {
    this.#waiting = [];
  }

  #begin(wanted: readonly Wanted[], together: boolean): void {
    const upTo = this.#last;
    const weight = together ? 1 : 0;
    this.#underWay++;
    this.#together += weight;
    void this.#load(wanted).then((reached) => {
      this.#underWay--;
      this.#together -= weight;
      if (!reached) this.#giveUp(upTo);
      // A waiting document always waits for a read that is under way.
      while (this.#together < this.#limits.together && this.#waiting.length > 0)
        this.#begin(this.#take(), true);
    });
  }

  /** Takes the next documents: those with a waiting submit first, each group in its order of arrival. */
  #take(): readonly Wanted[] {
    if (this.#waiting.length > 1) {
      const urgent = new Set(this.#waiting.filter(({ wanted }) => wanted.actor.hasWaitingSubmits));
      const first = (one: Waiting): number => (urgent.has(one) ? 0 : 1);
      this.#waiting.sort((a, b) => first(a) - first(b) || a.number - b.number);
    }
    return this.#waiting.splice(0, READ_TOGETHER).map(({ wanted }) => wanted);
  }

  /**
   * Fails documents that waited while the store was tried in vain. Otherwise each batch would wait for the
   * same time-out, and the last one for minutes.
   */
  #giveUp(upTo: number): void {
    const late = this.#waiting.filter(({ number }) => number <= upTo);
    this.#waiting = this.#waiting.filter(({ number }) => number > upTo);
    for (const { wanted } of late) wanted.done(OUT_OF_REACH);
  }
}

export const OUT_OF_REACH: LoadResult = {
  type: 'failed',
  code: 'unavailable',
  message: 'the store is out of reach',
};
