// Which documents are out of service, and for how long: those of which workers have died, or whose handling has thrown,
// too often of late. Such a document comes back by itself after a time. One more failure then puts it out again, for twice
// as long. A release by an operator forgets its failures. Callers give the times; it has no clock and tells nobody.

export interface QuarantineLimits {
  /** Out of service the first time, ms; doubled each time that it fails again after it came back. */
  readonly firstMs: number;
  /** Out of service at most, ms. */
  readonly mostMs: number;
}

/** A document that is out of service, for another thread or node. */
export interface Quarantined {
  readonly doc: string;
  /** Until it comes back, ms from now: clocks of two threads do not begin at the same moment. */
  readonly forMs: number;
  /** How often it has been put out of service, this time included. */
  readonly round: number;
}

/** What the answer says of a document that is out of service. */
export const QUARANTINED = 'this document is quarantined, because workers failed at it';

/** Failures count together while each comes within this of the one before, or of the end of the time out of service, ms. */
const FORGET_MS = 10 * 60_000;
const FAILURES = 3;
/** Documents remembered; the one that failed longest ago goes first. */
const REMEMBERED = 10_000;

interface Failed {
  /** Since it last came back with a clean record. */
  readonly times: number;
  readonly at: number;
  readonly round: number;
  /** It is out of service until then. */
  readonly until: number;
}

export class Quarantine {
  private readonly limits: QuarantineLimits;
  private readonly failures = new Map<string, Failed>();

  constructor(limits: QuarantineLimits) {
    this.limits = limits;
  }

  /** It has failed once more. `putOut`: it is out of service from now on, and was not before. */
  failed(doc: string, now: number): { readonly times: number; readonly putOut: Quarantined | undefined } {
    const known = this.known(doc, now);
    const times = (known?.times ?? 0) + 1;
    const { round = 0, until = now } = known ?? {};
    // What was under way when it was put out may fail yet.
    const goesOut = times >= FAILURES && until <= now;
    const { firstMs, mostMs } = this.limits;
    const forMs = goesOut ? Math.min(mostMs, firstMs * 2 ** round) : 0;
    const next = goesOut ? { round: round + 1, until: now + forMs } : { round, until };
    this.keep(doc, { times, at: now, ...next });
    return { times, putOut: goesOut ? { doc, forMs, round: round + 1 } : undefined };
  }

  /** Another thread or node has put it out of service. */
  adopt({ doc, forMs, round }: Quarantined, now: number): void {
    const known = this.known(doc, now);
    const wait = Math.min(forMs, this.limits.mostMs);
    this.keep(doc, {
      times: Math.max(FAILURES, known?.times ?? 0),
      at: now,
      round: Math.max(round, known?.round ?? 0),
      until: Math.max(now + wait, known?.until ?? 0),
    });
  }

  /** Until it comes back; 0: it is in service. */
  leftMs(doc: string, now: number): number {
    return Math.max(0, (this.known(doc, now)?.until ?? now) - now);
  }

  /** Forgets its failures; whether it was out of service. */
  release(doc: string, now: number): boolean {
    const wasOut = this.leftMs(doc, now) > 0;
    this.failures.delete(doc);
    return wasOut;
  }

  /** Those that are out of service, the ones that failed last first, at most `most`. */
  list(now: number, most = REMEMBERED): readonly Quarantined[] {
    const found: Quarantined[] = [];
    for (const [doc, { until, round }] of [...this.failures].reverse()) {
      if (until > now && found.push({ doc, forMs: until - now, round }) === most) break;
    }
    return found;
  }

  private known(doc: string, now: number): Failed | undefined {
    const known = this.failures.get(doc);
    return known !== undefined && now - Math.max(known.at, known.until) <= FORGET_MS ? known : undefined;
  }

  private keep(doc: string, failed: Failed): void {
    this.failures.delete(doc);
    this.failures.set(doc, failed);
    if (this.failures.size <= REMEMBERED) return;
    const [oldest] = this.failures.keys();
    if (oldest !== undefined) this.failures.delete(oldest);
  }
}
