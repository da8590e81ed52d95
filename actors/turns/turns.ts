// Gives the documents of one worker turns at its thread. Work is done at once while a slice of the thread's
// time lasts. Later work waits with its document, and the waiting documents are served in slices. Between
// slices the event loop brings answers of the store, other links and timers. It knows neither messages nor
// documents.
//
// Order among documents: documents with short turns come before documents with long turns, as long as a
// quarter of the time is left to the long ones. Within each of the two groups the order is fair queueing by
// CPU time. Each document has a mark, and every turn moves the mark ahead by the time that the turn took.
// The next turn goes to the document whose turn would end at the lowest mark; the length of the turn is
// expected from earlier turns. A document that comes back starts at the mark that is being served now, or
// at its own mark if that is higher. So a document that has used much time lately comes behind documents
// that have not, no document is put off for ever, and time that no other document wanted is not held
// against a document. A turn that takes much longer than expected, for example because memory was collected
// in it, counts as at most a few times the expectation.
//
// Long turns leave room. If documents with short turns are active too, the thread rests after a slice of
// long turns for three times as long as they took. Work that comes meanwhile, such as an edit or an answer of the
// store, is done at once, and the other threads of the machine catch up.
import type { Clock } from '../clock.ts';

/** Work goes on for this long before the event loop gets its turn. The work of one patch is not cut. */
export const SLICE_MS = 8;
/**
 * A document that has begun its turn goes on for this long if it has enough work, because choosing the next
 * document has a cost too.
 */
const TURN_MS = 1;
/** Less work than this does not start a new turn of the event loop. */
const TRIFLE_MS = 1;
/**
 * The expected length of a first turn. It is longer than that of a document whose turns are known to be
 * short.
 */
const UNKNOWN_MS = 1;
/** A turn that takes longer is a long turn. */
const LONG_MS = 2;
/** The thread rests after long turns for this many times their length. */
const REST = 3;
/**
 * A document with short turns counts as active for this much of the thread's time after its last short
 * turn.
 */
const ABOUT_MS = 500;
/** A turn counts as at most this many times its expected length, plus UNKNOWN_MS. */
const SURPRISE = 4;
/** Least weight of the newest turn in the expectation of the next. The first turns weigh more. */
const SMOOTHING = 0.2;

/** Share of the time of short turns that is owed to waiting documents with long turns. */
const OWED = 1 / 3;

/** Levels of the queues. */
const SHORT = 0;
const LONG = 1;

/** The state that `Turns` keeps with each document. */
export class TurnMark {
  /** Where the next turn starts among the short ones and among the long ones, in ms of the thread's time. */
  readonly at: [number, number] = [0, 0];
  /** Expected time of one piece of the document's work, ms. */
  expectedMs = UNKNOWN_MS;
  isLong = true;
  /** Number of turns so far, counted only as far as it matters. */
  turns = 0;
  isWaiting = false;
}

export interface TurnTaker {
  readonly turn: TurnMark;
  /** True if the next piece of work has much to go through. */
  readonly isCostlyNext: boolean;
}

export interface TurnsOptions<Taker> {
  readonly clock: Pick<Clock, 'soon' | 'after'>;
  /** Milliseconds of the thread's own time, never going back. */
  readonly spentMs: () => number;
  /** Does the next piece of the document's waiting work. True if more waits. */
  readonly take: (taker: Taker) => boolean;
  /** Called after each slice. */
  readonly onPause: () => void;
}

export class Turns<Taker extends TurnTaker> {
  readonly #options: TurnsOptions<Taker>;
  readonly #short = new Queue<Taker>(SHORT);
  readonly #long = new Queue<Taker>(LONG);
  /** Time owed to long turns, ms. */
  #owedMs = 0;
  /** Time of all turns in this slice, and of its long turns alone. */
  #sliceMs = 0;
  #longMs = 0;
  #lastReading = 0;
  #scheduled = false;
  /** True while long turns wait until the thread has rested. */
  #resting = false;
  /** The thread's time at the last short turn. */
  #lastShort = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(options: TurnsOptions<Taker>) {
    this.#options = options;
  }

  /** True if new work must wait, because other work waits already or this slice is used up. */
  get isBusy(): boolean {
    return this.#resting || this.#sliceMs >= SLICE_MS || !this.#isEmpty;
  }

  get #isEmpty(): boolean {
    return this.#short.isEmpty && this.#long.isEmpty;
  }

  /** True if a piece of work with several parts should leave the rest for later. Reads the clock. */
  get mustYield(): boolean {
    return this.#sliceMs + this.#options.spentMs() - this.#lastReading >= SLICE_MS;
  }

  /** Marks the beginning of work. */
  begin(): void {
    this.#lastReading = this.#options.spentMs();
  }

  /** Charges a document for the thread's time since `begin` or since the last call. */
  charge({ turn }: Taker): void {
    const now = this.#options.spentMs();
    const spent = now - this.#lastReading;
    this.#lastReading = now;
    const queue = this.#queueOf(turn);
    // Others may have gone ahead of a waiting document, so its turn starts at its own mark.
    const at = turn.at[queue.level];
    const start = turn.isWaiting ? at : Math.max(at, queue.current);
    if (queue.isEmpty) queue.current = start;
    const counted = Math.min(spent, SURPRISE * turn.expectedMs + UNKNOWN_MS);
    turn.at[queue.level] = start + counted;
    const weight = Math.max(SMOOTHING, 1 / (turn.turns + 2));
    if (weight > SMOOTHING) turn.turns++;
    turn.expectedMs += weight * (counted - turn.expectedMs);
    if (turn.isLong) this.#owedMs = Math.max(0, this.#owedMs - spent);
    else this.#owedMs = this.#long.isEmpty ? 0 : this.#owedMs + spent * OWED;
    if (turn.expectedMs < LONG_MS) this.#lastShort = now;
    this.#sliceMs += spent;
    if (spent >= LONG_MS) this.#longMs += spent;
    if (this.#sliceMs >= TRIFLE_MS) this.#schedule();
  }

  /** Queues a document for a turn. */
  wait(taker: Taker): void {
    if (taker.turn.isWaiting || this.#isOver) return;
    taker.turn.isWaiting = true;
    this.#push(taker);
    this.#schedule();
  }

  /** Ends all turns. No document has another turn after it. */
  dispose(): void {
    this.#isOver = true;
    this.#short.clear();
    this.#long.clear();
  }

  /**
   * Schedules the next slice after the work that this turn of the event loop has set off, such as writing a
   * batch.
   */
  #schedule(): void {
    if (this.#scheduled || this.#isOver) return;
    this.#scheduled = true;
    const { clock } = this.#options;
    clock.soon(() => {
      if (this.#isEmpty) this.#slice();
      else clock.soon(() => this.#slice());
    });
  }

  #slice(): void {
    const { take, onPause } = this.#options;
    this.#scheduled = false;
    this.#sliceMs = 0;
    this.#restAfterLong();
    if (this.#isEmpty) return;
    this.begin();
    while (this.#sliceMs < SLICE_MS) {
      const queue = this.#next;
      const first = queue?.pop();
      if (queue === undefined || first === undefined) break;
      const { taker, at } = first;
      const { turn } = taker;
      // The document has been charged while it waited.
      if (turn.at[queue.level] > at && !queue.isEmpty) {
        this.#push(taker);
        continue;
      }
      queue.current = Math.max(queue.current, at);
      const until = Math.min(SLICE_MS, this.#sliceMs + TURN_MS);
      let more = true;
      do {
        more = take(taker);
        this.charge(taker);
      } while (more && !this.#isOver && this.#sliceMs < until && this.#isLong(taker) === turn.isLong);
      if (more && !this.#isOver) this.#push(taker);
      else turn.isWaiting = false;
    }
    onPause();
    this.#restAfterLong();
    if (this.#next !== undefined) this.#schedule();
  }

  /** The queue from which the next turn is taken. Undefined if no turn can be taken now. */
  get #next(): Queue<Taker> | undefined {
    const short = this.#short;
    const long = this.#long;
    if (this.#resting || long.isEmpty) return short.isEmpty ? undefined : short;
    return short.isEmpty || this.#owedMs >= long.expectedMs ? long : short;
  }

  #restAfterLong(): void {
    const ms = this.#longMs;
    this.#longMs = 0;
    if (ms === 0 || this.#resting || this.#lastReading - this.#lastShort > ABOUT_MS) return;
    this.#resting = true;
    this.#options.clock.after(REST * ms, () => {
      this.#resting = false;
      if (!this.#isEmpty) this.#schedule();
    });
  }

  #queueOf(turn: TurnMark): Queue<Taker> {
    return turn.isLong ? this.#long : this.#short;
  }

  /** A document that has had no turn counts as long, since its length is not known. */
  #isLong({ turn, isCostlyNext }: Taker): boolean {
    return isCostlyNext || turn.turns === 0 || turn.expectedMs >= LONG_MS;
  }

  #push(taker: Taker): void {
    taker.turn.isLong = this.#isLong(taker);
    this.#queueOf(taker.turn).push(taker);
  }
}

interface Waiting<Taker> {
  readonly taker: Taker;
  readonly at: number;
  /** The mark at which the turn is expected to end. */
  readonly end: number;
  /** Decides the order of equal ends. */
  readonly number: number;
}

/** Waiting documents as a binary heap, the lowest end first. */
class Queue<Taker extends TurnTaker> {
  /** Selects the mark of a document that this queue uses. */
  readonly level: 0 | 1;
  /** The mark that is being served. */
  current = 0;
  readonly #heap: Waiting<Taker>[] = [];
  #number = 0;

  constructor(level: 0 | 1) {
    this.level = level;
  }

  get isEmpty(): boolean {
    return this.#heap.length === 0;
  }

  /** Expected length of the next turn. 0 if there is none. */
  get expectedMs(): number {
    return this.#heap[0]?.taker.turn.expectedMs ?? 0;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  push(taker: Taker): void {
    const heap = this.#heap;
    const { turn } = taker;
    const at = Math.max(turn.at[this.level], this.current);
    turn.at[this.level] = at;
    const waiting = { taker, at, end: at + turn.expectedMs, number: ++this.#number };
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
    const heap = this.#heap;
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
