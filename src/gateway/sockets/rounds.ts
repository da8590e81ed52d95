// Visits every item of a set once in a period, a few items at a time, so that no visit of all items holds up the
// event loop.

export class Rounds<Item> {
  readonly #items: ReadonlySet<Item>;
  readonly #periodMs: number;
  #began: number;
  /** Follows the set: it leaves out removed items and comes to added ones. */
  #rest: Iterator<Item>;
  #visited = 0;

  /** `now`: ms that never go back. */
  constructor(items: ReadonlySet<Item>, periodMs: number, now: number) {
    this.#items = items;
    this.#periodMs = periodMs;
    this.#began = now;
    this.#rest = items.values();
  }

  /**
   * Visits the items that are due at `now`: a share of the set as large as the share of the period that has passed.
   * Returns true if this ended a round. The next round begins at once.
   */
  advance(now: number, visit: (item: Item) => void): boolean {
    const share = (now - this.#began) / this.#periodMs;
    const due = share >= 1 ? Number.POSITIVE_INFINITY : Math.ceil(share * this.#items.size);
    while (this.#visited < due) {
      const next = this.#rest.next();
      if (next.done === true) break;
      this.#visited++;
      visit(next.value);
    }
    if (share < 1) return false;
    this.#began = now;
    this.#rest = this.#items.values();
    this.#visited = 0;
    return true;
  }
}
