// The documents that are out of service, and for how long. A document is put out of service if workers have
// died of it, or if its handling has thrown, too often lately. It comes back by itself after a time. One
// more failure then puts it out again, for twice as long. A release by an operator forgets its failures.
// Callers pass the times; it has no clock and informs no other thread.

export interface QuarantineLimits {
  /** First time out of service, ms. It doubles each time that the document fails again after it came back. */
  readonly firstMs: number;
  /** Longest time out of service, ms. */
  readonly mostMs: number;
}

/** A document that is out of service, as another thread or node is told of it. */
export interface Quarantined {
  readonly doc: string;
  /**
   * Time until it comes back, in ms from now, because the clocks of two threads do not begin at the same
   * moment.
   */
  readonly forMs: number;
  /** Number of times that the document has been put out of service, this time included. */
  readonly round: number;
}

/** One failure, as it is logged. */
export interface CountedFailure {
  /** Failures of the document so far. */
  readonly times?: number;
  /** Set if this failure has put the document out of service. */
  readonly quarantinedForMs?: number | undefined;
}

/**
 * The longest time that a client is told to wait, ms. An operator may release the document at any time, and clients
 * learn of it only when they ask again.
 */
export const MOST_TOLD_MS = 10_000;

/** The answer's text for a document that is out of service. */
export const QUARANTINED = 'this document is quarantined, because workers failed at it';

/**
 * A failure counts together with the one before if it comes within this time, in ms, of that failure or of
 * the end of the time out of service.
 */
const FORGET_MS = 10 * 60_000;
const FAILURES = 3;
/** Most documents that are remembered. The one that failed longest ago is dropped first. */
const REMEMBERED = 10_000;

interface Failed {
  /** Failures since the document last had a clean record. */
  readonly times: number;
  readonly at: number;
  readonly round: number;
  /** The document is out of service until this time. */
  readonly until: number;
}

export class Quarantine {
  readonly #limits: QuarantineLimits;
  readonly #failures = new Map<string, Failed>();

  constructor(limits: QuarantineLimits) {
    this.#limits = limits;
  }

  /**
   * Counts one more failure. `putOut` is set if the document is out of service from now on and was not
   * before.
   */
  failed(doc: string, now: number): { readonly times: number; readonly putOut: Quarantined | undefined } {
    const known = this.#known(doc, now);
    const times = (known?.times ?? 0) + 1;
    const { round = 0, until = now } = known ?? {};
    // Work that was under way when the document was put out may still fail.
    const goesOut = times >= FAILURES && until <= now;
    const { firstMs, mostMs } = this.#limits;
    const forMs = goesOut ? Math.min(mostMs, firstMs * 2 ** round) : 0;
    const next = goesOut ? { round: round + 1, until: now + forMs } : { round, until };
    this.#keep(doc, { times, at: now, ...next });
    return { times, putOut: goesOut ? { doc, forMs, round: round + 1 } : undefined };
  }

  /** Notes that another thread or node has put the document out of service. */
  adopt({ doc, forMs, round }: Quarantined, now: number): void {
    const known = this.#known(doc, now);
    const wait = Math.min(forMs, this.#limits.mostMs);
    this.#keep(doc, {
      times: Math.max(FAILURES, known?.times ?? 0),
      at: now,
      round: Math.max(round, known?.round ?? 0),
      until: Math.max(now + wait, known?.until ?? 0),
    });
  }

  /** Time until the document comes back. 0 if it is in service. */
  leftMs(doc: string, now: number): number {
    return Math.max(0, (this.#known(doc, now)?.until ?? now) - now);
  }

  /** Forgets the document's failures. True if it was out of service. */
  release(doc: string, now: number): boolean {
    const wasOut = this.leftMs(doc, now) > 0;
    this.#failures.delete(doc);
    return wasOut;
  }

  /** The documents that are out of service, the latest failure first, at most `most`. */
  list(now: number, most = REMEMBERED): readonly Quarantined[] {
    const found: Quarantined[] = [];
    for (const [doc, { until, round }] of [...this.#failures].reverse()) {
      if (until > now && found.push({ doc, forMs: until - now, round }) === most) break;
    }
    return found;
  }

  #known(doc: string, now: number): Failed | undefined {
    const known = this.#failures.get(doc);
    return known !== undefined && now - Math.max(known.at, known.until) <= FORGET_MS ? known : undefined;
  }

  #keep(doc: string, failed: Failed): void {
    this.#failures.delete(doc);
    this.#failures.set(doc, failed);
    if (this.#failures.size <= REMEMBERED) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }
}
