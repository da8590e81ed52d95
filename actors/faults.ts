// How often each document has failed lately. A few failures far apart are no reason to leave it alone,
// and a document that once failed is not remembered for ever.

/** Failures count together while each comes within this of the one before, ms. */
const FORGET_MS = 10 * 60_000;
/** Documents remembered; the one that failed longest ago goes first. */
const REMEMBERED = 10_000;

export class Faults {
  private readonly limit: number;
  private readonly failed = new Map<string, { times: number; at: number }>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** One more; returns how many they are now. */
  count(doc: string, now: number): number {
    const times = this.timesOf(doc, now) + 1;
    this.failed.delete(doc);
    this.failed.set(doc, { times, at: now });
    if (this.failed.size > REMEMBERED) {
      const [oldest] = this.failed.keys();
      if (oldest !== undefined) this.failed.delete(oldest);
    }
    return times;
  }

  /** It has failed as often as it may. */
  isOut(doc: string, now: number): boolean {
    return this.timesOf(doc, now) >= this.limit;
  }

  private timesOf(doc: string, now: number): number {
    const known = this.failed.get(doc);
    return known === undefined || now - known.at > FORGET_MS ? 0 : known.times;
  }
}
