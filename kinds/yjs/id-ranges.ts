// A set of Yjs ids: for each client ranges of clocks, sorted, with a gap between any two. A range is the half-open
// interval from its first clock to the one behind its last. It knows nothing of updates.

/** The flat list from, to, from, to … of one client. */
type Flat = number[];

const NONE: readonly number[] = [];

export class IdRanges {
  readonly #byClient = new Map<number, Flat>();
  #count = 0;

  /** Number of ranges. */
  get count(): number {
    return this.#count;
  }

  get clients(): Iterable<number> {
    return this.#byClient.keys();
  }

  /** The ranges of a client as a flat list: from, to, from, to … The caller must not change it. */
  of(client: number): readonly number[] {
    return this.#byClient.get(client) ?? NONE;
  }

  /** The end of the range that begins at clock 0. 0 if there is none. */
  prefix(client: number): number {
    const flat = this.#byClient.get(client);
    return flat !== undefined && flat[0] === 0 ? (flat[1] ?? 0) : 0;
  }

  /** Adds the clocks from `from` up to `to`. True if at least one of them is new. O(1) at or behind the end. */
  add(client: number, from: number, to: number): boolean {
    if (from >= to) return false;
    const flat = this.#byClient.get(client);
    if (flat === undefined) {
      this.#byClient.set(client, [from, to]);
      this.#count++;
      return true;
    }
    const end = flat.at(-1) ?? 0;
    if (from > end) {
      flat.push(from, to);
      this.#count++;
      return true;
    }
    // The first range that ends at or behind `from`, and the first behind it that begins behind `to`.
    const first = firstEnding(flat, from);
    let after = first;
    while (after < flat.length && (flat[after] ?? 0) <= to) after += 2;
    const low = Math.min(from, flat[first] ?? from);
    const high = Math.max(to, after > first ? (flat[after - 1] ?? to) : to);
    if (after === first + 2) {
      const isNew = low !== flat[first] || high !== flat[first + 1];
      flat[first] = low;
      flat[first + 1] = high;
      return isNew;
    }
    flat.splice(first, after - first, low, high);
    this.#count += 1 - (after - first) / 2;
    return true;
  }

  /** True if all clocks from `from` up to `to` are in the set. */
  has(client: number, from: number, to: number): boolean {
    const flat = this.#byClient.get(client);
    if (flat === undefined) return from >= to;
    const at = firstEnding(flat, to);
    return at < flat.length && (flat[at] ?? 0) <= from;
  }

  /** Calls `take` with the parts of the given clocks that are not in the set, in order. */
  missing(client: number, from: number, to: number, take: (from: number, to: number) => void): void {
    const flat = this.#byClient.get(client) ?? NONE;
    let at = from;
    for (let i = firstEnding(flat, from + 1); i < flat.length && (flat[i] ?? 0) < to; i += 2) {
      const begin = flat[i] ?? 0;
      if (begin > at) take(at, begin);
      at = Math.max(at, flat[i + 1] ?? 0);
    }
    if (at < to) take(at, to);
  }
}

/** Index of the first range whose end is at or behind `clock`. */
function firstEnding(flat: readonly number[], clock: number): number {
  let low = 0;
  let high = flat.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((flat[2 * middle + 1] ?? 0) < clock) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}
