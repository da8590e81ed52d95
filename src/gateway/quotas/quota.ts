// The rates that all sockets of one user, or all documents of one organisation, share: token buckets that hold the tokens
// of one second. It is one object of numbers, because each edit takes from it.

/** Rates per second. null: no limit. */
export interface QuotaRates {
  readonly opensPerSecond: number | null;
  readonly editsPerSecond: number | null;
  readonly editBytes: number | null;
  readonly presencesPerSecond: number | null;
}

export const isUnlimited = (rates: QuotaRates): boolean =>
  rates.opensPerSecond === null &&
  rates.editsPerSecond === null &&
  rates.editBytes === null &&
  rates.presencesPerSecond === null;

const SECOND = 1_000;

export class Quota {
  readonly #opensPerSecond: number;
  readonly #editsPerSecond: number;
  readonly #bytesPerSecond: number;
  readonly #presencesPerSecond: number;
  #opens: number;
  #edits: number;
  #bytes: number;
  #presences: number;
  #refilled: number;

  /** `now`: ms that never go back, as in all calls. */
  constructor(rates: QuotaRates, now: number) {
    this.#opensPerSecond = rates.opensPerSecond ?? Number.POSITIVE_INFINITY;
    this.#editsPerSecond = rates.editsPerSecond ?? Number.POSITIVE_INFINITY;
    this.#bytesPerSecond = rates.editBytes ?? Number.POSITIVE_INFINITY;
    this.#presencesPerSecond = rates.presencesPerSecond ?? Number.POSITIVE_INFINITY;
    this.#opens = this.#opensPerSecond;
    this.#edits = this.#editsPerSecond;
    this.#bytes = this.#bytesPerSecond;
    this.#presences = this.#presencesPerSecond;
    this.#refilled = now;
  }

  /** True if it has everything back that was taken: a new one would be the same. */
  isFull(now: number): boolean {
    this.#refill(now);
    return (
      this.#opens === this.#opensPerSecond &&
      this.#edits === this.#editsPerSecond &&
      this.#bytes === this.#bytesPerSecond &&
      this.#presences === this.#presencesPerSecond
    );
  }

  /** 0 if the open is taken. Otherwise the ms until the next one is. */
  takeOpen(now: number): number {
    this.#refill(now);
    if (this.#opens < 1) return waitFor(1 - this.#opens, this.#opensPerSecond);
    this.#opens--;
    return 0;
  }

  /** An edit is taken while bytes are left, also if it has more bytes. The next ones wait for longer then. */
  takeEdit(bytes: number, now: number): number {
    this.#refill(now);
    if (this.#edits < 1) return waitFor(1 - this.#edits, this.#editsPerSecond);
    if (this.#bytes <= 0) return waitFor(1 - this.#bytes, this.#bytesPerSecond);
    this.#edits--;
    this.#bytes -= bytes;
    return 0;
  }

  takePresence(now: number): number {
    this.#refill(now);
    if (this.#presences < 1) return waitFor(1 - this.#presences, this.#presencesPerSecond);
    this.#presences--;
    return 0;
  }

  #refill(now: number): void {
    const seconds = (now - this.#refilled) / SECOND;
    if (seconds <= 0) return;
    this.#refilled = now;
    this.#opens = Math.min(this.#opensPerSecond, this.#opens + seconds * this.#opensPerSecond);
    this.#edits = Math.min(this.#editsPerSecond, this.#edits + seconds * this.#editsPerSecond);
    this.#bytes = Math.min(this.#bytesPerSecond, this.#bytes + seconds * this.#bytesPerSecond);
    this.#presences = Math.min(
      this.#presencesPerSecond,
      this.#presences + seconds * this.#presencesPerSecond,
    );
  }
}

const waitFor = (missing: number, perSecond: number): number => Math.ceil((missing * SECOND) / perSecond);
