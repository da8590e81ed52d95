// Which documents are read next: after a takeover thousands are wanted at once. While there are few each is
// read at once and by itself. What comes while those few are under way waits until one of them has ended, and is
// then read together, in as many parts at a time as the store has connections. It knows neither the store nor what a document is.
import type { KindName } from '../protocol/messages.ts';
import type { DocumentActor, LoadResult } from './document/actor.ts';
import { READ_TOGETHER } from './storage/store.ts';

/** One document that its actor wants. An actor wants it once at a time: so many at most wait. */
export interface Wanted {
  readonly actor: DocumentActor;
  /** As this kind, where it does not exist. */
  readonly create: KindName | undefined;
  readonly done: (result: LoadResult) => void;
}

/** Tells each of `wanted` its result, later. Resolves to false where the store was out of reach. */
export type Load = (wanted: readonly Wanted[]) => Promise<boolean>;

export interface LoadLimits {
  /** While fewer reads are under way than this, each document is read by itself. */
  readonly alone: number;
  /** Parts of many under way at once. */
  readonly together: number;
}

/** On each connection the statements of so many follow each other without a pause: none waits for another's end. */
const ALONE_PER_CONNECTION = 4;

export const loadLimits = (connections: number): LoadLimits => ({
  alone: ALONE_PER_CONNECTION * connections,
  together: connections,
});

export class LoadQueue {
  private readonly load: Load;
  private readonly limits: LoadLimits;
  private waiting: { readonly wanted: Wanted; readonly number: number }[] = [];
  private underWay = 0;
  private together = 0;
  private last = 0;

  constructor(load: Load, limits: LoadLimits) {
    this.load = load;
    this.limits = limits;
  }

  add(wanted: Wanted): void {
    const number = ++this.last;
    if (this.underWay < this.limits.alone && this.waiting.length === 0) this.begin([wanted], false);
    else this.waiting.push({ wanted, number });
  }

  /** What waits is forgotten. */
  clear(): void {
    this.waiting = [];
  }

  private begin(wanted: readonly Wanted[], together: boolean): void {
    const upTo = this.last;
    const weight = together ? 1 : 0;
    this.underWay++;
    this.together += weight;
    void this.load(wanted).then((reached) => {
      this.underWay--;
      this.together -= weight;
      if (!reached) this.giveUp(upTo);
      // Whatever waits, waits for one that is under way.
      while (this.together < this.limits.together && this.waiting.length > 0) this.begin(this.take(), true);
    });
  }

  /** Those for which somebody waits with an edit go first, each by when it came. */
  private take(): readonly Wanted[] {
    if (this.waiting.length > 1) {
      const urgent = new Set(this.waiting.filter(({ wanted }) => wanted.actor.hasWaitingSubmits));
      const first = (one: (typeof this.waiting)[number]): number => (urgent.has(one) ? 0 : 1);
      this.waiting.sort((a, b) => first(a) - first(b) || a.number - b.number);
    }
    return this.waiting.splice(0, READ_TOGETHER).map(({ wanted }) => wanted);
  }

  /**
   * What has waited for as long as the store was tried hears of it too: batch after batch would wait for the same
   * time-out, and the last for minutes.
   */
  private giveUp(upTo: number): void {
    const late = this.waiting.filter(({ number }) => number <= upTo);
    this.waiting = this.waiting.filter(({ number }) => number > upTo);
    for (const { wanted } of late) wanted.done(OUT_OF_REACH);
  }
}

export const OUT_OF_REACH: LoadResult = {
  type: 'failed',
  code: 'unavailable',
  message: 'the store is out of reach',
};
