// Decides how long edits wait for others before they are sent to their worker. Each batch of edits wakes the
// worker and becomes a commit, so batches keep to a budget of commits. The worker sleeps while edits are
// gathered here. It knows no bytes and no credits.
import type { Clock } from '../clock.ts';
import { CommitBudget } from '../commit/commit-budget.ts';
import { PRESENCE, SUBMIT, type ToOwner } from './link-messages.ts';

/** The part of the committer's budget that a link uses, so that its edits do not wait for the budget twice. */
const SHARE = 0.8;
/** Longest pause between two batches at a very high rate of messages, ms. */
const THICK_MS = 8;
/** Messages per ms at which the pause is one ms. At twice as many it is two. */
const THICK_PER_MS = 3;
/** Weight that the earlier batches keep in the running rate when a new batch is counted. */
const REMEMBERED = 0.9;

export class Gathering {
  readonly #budget: CommitBudget;
  readonly #clock: Pick<Clock, 'now'>;
  #lastBatch = 0;
  #recentMs = 0;
  #recentMessages = 0;

  /** @param perSecond the worker's commits a second (configuration: commit.perSecond) */
  constructor(perSecond: number, clock: Pick<Clock, 'now'>) {
    this.#budget = new CommitBudget(SHARE * perSecond, clock);
    this.#clock = clock;
  }

  /** True for a message that may wait. Any other message is sent at once, with all that wait before it. */
  mayWait(message: ToOwner): boolean {
    return message[0] === SUBMIT || message[0] === PRESENCE;
  }

  /** Milliseconds for which a message that may wait is gathered. 0 if it is sent at once. */
  get waitMs(): number {
    const rate = this.#recentMs === 0 ? 0 : this.#recentMessages / this.#recentMs;
    const pauseMs = Math.min(THICK_MS, Math.floor(rate / THICK_PER_MS));
    const isThick = pauseMs > 0 && this.#clock.now() - this.#lastBatch < pauseMs;
    return Math.max(this.#budget.waitMs, isThick ? pauseMs : 0);
  }

  /** Counts a batch that is sent. */
  sent(messages: number): void {
    const now = this.#clock.now();
    this.#recentMs = REMEMBERED * this.#recentMs + now - this.#lastBatch;
    this.#recentMessages = REMEMBERED * this.#recentMessages + messages;
    this.#lastBatch = now;
    this.#budget.spend();
  }
}
