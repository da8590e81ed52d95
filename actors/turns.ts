// Gives the documents of one worker turns at its thread. Work is done at once while a slice of the thread's time
// lasts; what comes past it waits with its document, and the documents that wait are served in slices, between
// which the event loop brings answers of the store, other links and timers. It knows neither messages nor documents.
//
// Order among documents is fair queueing by CPU time: each document has a mark, which every turn moves ahead by the time
// that the turn took, and the document whose next turn would end at the lowest mark goes next. How long its turn will
// take is expected from its turns before. A document that comes back starts at the mark that is being served now, or
// at its own where that is higher. So a document that has used much time lately comes behind those that have not, one
// with short turns waits for the turn under way and not for a round of long ones, none is put off for ever, and time
// that nobody else wanted is not held against a document. A turn that takes much longer than expected, since memory was
// collected in it for one, counts as a few times what was expected.
//
// Long turns leave room: where documents with short ones are about, too, the thread rests after a slice of long turns for
// as long as the slice took. What comes meanwhile, an edit, an answer of the store, is served at once, and the other
// threads of the machine catch up with what this one has set off.
import type { Clock } from './clock.ts';

/** Work goes on for so long before the event loop has its turn. The work of one patch is not cut. */
export const SLICE_MS = 8;
/** A document that has begun its turn goes on for so long, where it has that much to do: choosing the next costs, too. */
const TURN_MS = 1;
/** Less than this is not worth a turn of the event loop of its own. */
const TRIFLE_MS = 1;
/** A first turn is expected to take so long: longer than that of a document whose turns are known to be short. */
const UNKNOWN_MS = 1;
/** A turn that takes longer is long. */
const LONG_MS = 2;
/** A document with short turns is about while it has had one within so much of the thread's time. */
const ABOUT_MS = 500;
/** A turn counts as so many times what was expected of it, and UNKNOWN_MS, at most. */
const SURPRISE = 4;
/** Weight of the newest turn in what is expected of the next. */
const SMOOTHING = 0.2;

/** What `Turns` keeps with each document. */
export class TurnMark {
  /** Where its next turn starts, ms of the thread's time. */
  at = 0;
  /** What one piece of its work is expected to take, ms. */
  expectedMs = UNKNOWN_MS;
  isWaiting = false;
}

export interface TurnTaker {
  readonly turn: TurnMark;
}

export interface TurnsOptions<Taker> {
  readonly clock: Pick<Clock, 'soon' | 'after'>;
  /** Milliseconds of the thread's own time, never going back. */
  readonly spentMs: () => number;
  /** Does the next piece of what waits for this document; true: more waits. */
  readonly take: (taker: Taker) => boolean;
  /** Called after each slice. */
  readonly onPause: () => void;
}

interface Waiting<Taker> {
  readonly taker: Taker;
  readonly at: number;
  /** Where its turn is expected to end. */
  readonly end: number;
  /** Equal ends go by it. */
  readonly number: number;
}

export class Turns<Taker extends TurnTaker> {
  private readonly options: TurnsOptions<Taker>;
  /** A binary heap, the lowest end first. */
  private readonly heap: Waiting<Taker>[] = [];
  private number = 0;
  /** The mark that is being served. */
  private current = 0;
  /** Of this slice. */
  private sliceMs = 0;
  private lastReading = 0;
  private scheduled = false;
  /** Long turns wait until the thread has rested. */
  private resting = false;
  /** When a short turn was taken last, by the thread's time. */
  private lastShort = Number.NEGATIVE_INFINITY;
  private isOver = false;

  constructor(options: TurnsOptions<Taker>) {
    this.options = options;
  }

  /** What comes now waits: others wait already, or this slice is used up. */
  get isBusy(): boolean {
    return this.heap.length > 0 || this.resting || this.sliceMs >= SLICE_MS;
  }

  /** A piece of work that has several parts should leave the rest for later. Reads the clock. */
  get mustYield(): boolean {
    return this.sliceMs + this.options.spentMs() - this.lastReading >= SLICE_MS;
  }

  /** Work begins now. */
  begin(): void {
    this.lastReading = this.options.spentMs();
  }

  /** Since `begin`, or since the last call, the thread has worked for this document. */
  charge({ turn }: Taker): void {
    const now = this.options.spentMs();
    const spent = now - this.lastReading;
    this.lastReading = now;
    // Others may have gone ahead of one that waits: its turn starts where it stood.
    const start = turn.isWaiting ? turn.at : Math.max(turn.at, this.current);
    if (this.heap.length === 0) this.current = start;
    const counted = Math.min(spent, SURPRISE * turn.expectedMs + UNKNOWN_MS);
    turn.at = start + counted;
    turn.expectedMs += SMOOTHING * (counted - turn.expectedMs);
    if (turn.expectedMs < LONG_MS) this.lastShort = now;
    this.sliceMs += spent;
    if (this.sliceMs >= TRIFLE_MS) this.schedule();
  }

  /** Something waits for this document's turn. */
  wait(taker: Taker): void {
    if (taker.turn.isWaiting || this.isOver) return;
    taker.turn.isWaiting = true;
    this.push(taker);
    this.schedule();
  }

  /** Nobody has another turn. */
  dispose(): void {
    this.isOver = true;
    this.heap.length = 0;
  }

  /** What this turn of the event loop has set off, the writing of a batch for one, comes before the next slice. */
  private schedule(): void {
    if (this.scheduled || this.isOver) return;
    this.scheduled = true;
    const { clock } = this.options;
    clock.soon(() => {
      if (this.heap.length === 0) this.slice();
      else clock.soon(() => this.slice());
    });
  }

  private slice(): void {
    const { take, onPause } = this.options;
    this.scheduled = false;
    this.sliceMs = 0;
    if (this.heap.length === 0) return;
    this.begin();
    while (this.sliceMs < SLICE_MS) {
      if (this.resting && this.isLongNext) break;
      const first = this.pop();
      if (first === undefined) break;
      const { taker, at } = first;
      const { turn } = taker;
      // It has been charged while it waited.
      if (turn.at > at && this.heap.length > 0) {
        this.push(taker);
        continue;
      }
      this.current = Math.max(this.current, at);
      const until = Math.min(SLICE_MS, this.sliceMs + TURN_MS);
      let more = true;
      while (more && !this.isOver && this.sliceMs < until) {
        more = take(taker);
        this.charge(taker);
      }
      if (more && !this.isOver) this.push(taker);
      else turn.isWaiting = false;
    }
    onPause();
    if (this.heap.length === 0) return;
    if (!this.isLongNext || this.lastReading - this.lastShort > ABOUT_MS) this.schedule();
    else if (!this.resting) this.rest();
  }

  private get isLongNext(): boolean {
    const next = this.heap[0];
    return next !== undefined && next.taker.turn.expectedMs >= LONG_MS;
  }

  private rest(): void {
    this.resting = true;
    this.options.clock.after(this.sliceMs, () => {
      this.resting = false;
      if (this.heap.length > 0) this.schedule();
    });
  }

  private push(taker: Taker): void {
    const { heap } = this;
    const { turn } = taker;
    turn.at = Math.max(turn.at, this.current);
    const waiting = { taker, at: turn.at, end: turn.at + turn.expectedMs, number: ++this.number };
    let place = heap.push(waiting) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, waiting)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = waiting;
  }

  private pop(): Waiting<Taker> | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      let child = heap[below];
      if (child === undefined) break;
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        below++;
      }
      if (isBefore(last, child)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = last;
    return first;
  }
}

const isBefore = (a: Waiting<unknown>, b: Waiting<unknown>): boolean =>
  a.end < b.end || (a.end === b.end && a.number < b.number);
