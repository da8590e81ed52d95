// Gives the documents of one worker turns at its thread. Work is done at once while a slice of the thread's time
// lasts; what comes past it waits with its document, and the documents that wait are served in slices, between
// which the event loop brings answers of the store, other links and timers. It knows neither messages nor documents.
//
// Order among documents: those whose turns are short come before those whose turns are long, as long as a quarter of the
// time is left to the long ones. Within each of the two it is fair queueing by CPU time: each document has a mark, which
// every turn moves ahead by the time that the turn took, and the document whose next turn would end at the lowest mark goes
// next. How long its turn will take is expected from its turns before. A document that comes back starts at the mark that
// is being served now, or at its own where that is higher. So one that has used much time lately comes behind those that
// have not, none is put off for ever, and time that nobody else wanted is not held against a document. A turn that takes
// much longer than expected, since memory was collected in it for one, counts as a few times what was expected.
//
// Long turns leave room: where documents with short ones are about, too, the thread rests after a slice of long turns for
// twice as long as they took. What comes meanwhile, an edit, an answer of the store, is served at once, and the other
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
/** So many times as long as long turns took the thread rests after them. */
const REST = 2;
/** A document with short turns is about while it has had one within so much of the thread's time. */
const ABOUT_MS = 500;
/** A turn counts as so many times what was expected of it, and UNKNOWN_MS, at most. */
const SURPRISE = 4;
/** Weight of the newest turn in what is expected of the next, at least: the first ones have a greater one. */
const SMOOTHING = 0.2;

/** Of the time that documents with short turns take, so much is owed to those with long ones that wait. */
const OWED = 1 / 3;

/** Levels of the queues. */
const SHORT = 0;
const LONG = 1;

/** What `Turns` keeps with each document. */
export class TurnMark {
  /** Where its next turn starts among the short ones and among the long ones, ms of the thread's time. */
  readonly at: [number, number] = [0, 0];
  /** Time that one piece of its work is expected to take, ms. */
  expectedMs = UNKNOWN_MS;
  isLong = true;
  /** Turns that it has had, as far as their number matters. */
  turns = 0;
  isWaiting = false;
}

export interface TurnTaker {
  readonly turn: TurnMark;
  /** Its next piece of work has much to go through. */
  readonly isCostlyNext: boolean;
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

export class Turns<Taker extends TurnTaker> {
  private readonly options: TurnsOptions<Taker>;
  private readonly short = new Queue<Taker>(SHORT);
  private readonly long = new Queue<Taker>(LONG);
  /** ms that are owed to long turns. */
  private owedMs = 0;
  /** Of this slice: all, and long turns alone. */
  private sliceMs = 0;
  private longMs = 0;
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
    return this.resting || this.sliceMs >= SLICE_MS || !this.isEmpty;
  }

  private get isEmpty(): boolean {
    return this.short.isEmpty && this.long.isEmpty;
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
    const queue = this.queueOf(turn);
    // Others may have gone ahead of one that waits: its turn starts where it stood.
    const at = turn.at[queue.level];
    const start = turn.isWaiting ? at : Math.max(at, queue.current);
    if (queue.isEmpty) queue.current = start;
    const counted = Math.min(spent, SURPRISE * turn.expectedMs + UNKNOWN_MS);
    turn.at[queue.level] = start + counted;
    const weight = Math.max(SMOOTHING, 1 / (turn.turns + 2));
    if (weight > SMOOTHING) turn.turns++;
    turn.expectedMs += weight * (counted - turn.expectedMs);
    if (turn.isLong) this.owedMs = Math.max(0, this.owedMs - spent);
    else this.owedMs = this.long.isEmpty ? 0 : this.owedMs + spent * OWED;
    if (turn.expectedMs < LONG_MS) this.lastShort = now;
    this.sliceMs += spent;
    if (spent >= LONG_MS) this.longMs += spent;
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
    this.short.clear();
    this.long.clear();
  }

  /** What this turn of the event loop has set off, the writing of a batch for one, comes before the next slice. */
  private schedule(): void {
    if (this.scheduled || this.isOver) return;
    this.scheduled = true;
    const { clock } = this.options;
    clock.soon(() => {
      if (this.isEmpty) this.slice();
      else clock.soon(() => this.slice());
    });
  }

  private slice(): void {
    const { take, onPause } = this.options;
    this.scheduled = false;
    this.sliceMs = 0;
    this.restAfterLong();
    if (this.isEmpty) return;
    this.begin();
    while (this.sliceMs < SLICE_MS) {
      const queue = this.next;
      const first = queue?.pop();
      if (queue === undefined || first === undefined) break;
      const { taker, at } = first;
      const { turn } = taker;
      // It has been charged while it waited.
      if (turn.at[queue.level] > at && !queue.isEmpty) {
        this.push(taker);
        continue;
      }
      queue.current = Math.max(queue.current, at);
      const until = Math.min(SLICE_MS, this.sliceMs + TURN_MS);
      let more = true;
      do {
        more = take(taker);
        this.charge(taker);
      } while (more && !this.isOver && this.sliceMs < until && this.isLong(taker) === turn.isLong);
      if (more && !this.isOver) this.push(taker);
      else turn.isWaiting = false;
    }
    onPause();
    this.restAfterLong();
    if (this.next !== undefined) this.schedule();
  }

  /** Where the next turn is taken from. */
  private get next(): Queue<Taker> | undefined {
    const { short, long } = this;
    if (this.resting || long.isEmpty) return short.isEmpty ? undefined : short;
    return short.isEmpty || this.owedMs >= long.expectedMs ? long : short;
  }

  private restAfterLong(): void {
    const ms = this.longMs;
    this.longMs = 0;
    if (ms === 0 || this.resting || this.lastReading - this.lastShort > ABOUT_MS) return;
    this.resting = true;
    this.options.clock.after(REST * ms, () => {
      this.resting = false;
      if (!this.isEmpty) this.schedule();
    });
  }

  private queueOf(turn: TurnMark): Queue<Taker> {
    return turn.isLong ? this.long : this.short;
  }

  /** Of a document that has had no turn nobody knows. */
  private isLong({ turn, isCostlyNext }: Taker): boolean {
    return isCostlyNext || turn.turns === 0 || turn.expectedMs >= LONG_MS;
  }

  private push(taker: Taker): void {
    taker.turn.isLong = this.isLong(taker);
    this.queueOf(taker.turn).push(taker);
  }
}

interface Waiting<Taker> {
  readonly taker: Taker;
  readonly at: number;
  /** Where its turn is expected to end. */
  readonly end: number;
  /** Equal ends go by it. */
  readonly number: number;
}

/** Documents that wait, as a binary heap, the lowest end first. */
class Queue<Taker extends TurnTaker> {
  /** Which of a document's marks are its own. */
  readonly level: 0 | 1;
  /** The mark that is being served. */
  current = 0;
  private readonly heap: Waiting<Taker>[] = [];
  private number = 0;

  constructor(level: 0 | 1) {
    this.level = level;
  }

  get isEmpty(): boolean {
    return this.heap.length === 0;
  }

  /** Of the next turn; 0: there is none. */
  get expectedMs(): number {
    return this.heap[0]?.taker.turn.expectedMs ?? 0;
  }

  clear(): void {
    this.heap.length = 0;
  }

  push(taker: Taker): void {
    const { heap } = this;
    const { turn } = taker;
    const at = Math.max(turn.at[this.level], this.current);
    turn.at[this.level] = at;
    const waiting = { taker, at, end: at + turn.expectedMs, number: ++this.number };
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

  pop(): Waiting<Taker> | undefined {
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
