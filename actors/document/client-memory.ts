// What a document remembers of one client: its latest committed seqs with their versions, and the
// seqs it was refused for good. It makes resubmission exactly once; it never forgets within 64 seqs.

/** Pairs kept in memory and in the store; a client has at most as many submits in flight. */
export const REMEMBERED_SEQS = 64;

export type SeqAnswer =
  /** Committed, or about to be, as this version. */
  | { readonly type: 'committed'; readonly version: number }
  /** Refused for good before. */
  | { readonly type: 'burnt' }
  /** Below the highest seq and not among the latest: only the log knows. */
  | { readonly type: 'log' }
  /** Below the highest seq and never committed. */
  | { readonly type: 'used' }
  | { readonly type: 'new' };

export class ClientMemory {
  /** seq, version, seq, version, …; newest last. */
  private readonly pairs: number[] = [];
  /** Highest seq taken, durable or not; 0 none. */
  lastSeq = 0;
  /** Version that it committed last; 0: none is here. */
  lastVersion = 0;
  private burnt: number[] | undefined;
  /** All seqs that this client ever committed are here. */
  private complete = true;
  /** The highest that the store has; it may be above those that are here. */
  private storedLastSeq = 0;
  /** It may have committed what nobody remembers. */
  private isForgotten: boolean;
  /** The store may know seqs of this client that are not here yet: `recall` them before answering. */
  needsRecall: boolean;

  constructor(needsRecall: boolean, isForgotten = false) {
    this.needsRecall = needsRecall;
    this.isForgotten = isForgotten;
  }

  answer(seq: number): SeqAnswer {
    if (this.burnt?.includes(seq)) return { type: 'burnt' };
    if (seq > this.lastSeq) return seq > this.storedLastSeq ? NEW : { type: 'log' };
    const { pairs } = this;
    for (let i = pairs.length - 2; i >= 0; i -= 2)
      if (pairs[i] === seq) return { type: 'committed', version: pairs[i + 1] ?? 0 };
    return this.complete || seq > (pairs[0] ?? 0) ? { type: 'used' } : { type: 'log' };
  }

  /** What it committed above `version`, newest first, the latest 64. */
  pairsAbove(version: number): readonly (readonly [seq: number, version: number])[] {
    const found: [number, number][] = [];
    for (let i = this.pairs.length - 2; i >= 0 && found.length < REMEMBERED_SEQS; i -= 2) {
      const at = this.pairs[i + 1] ?? 0;
      if (at <= version) break;
      found.push([this.pairs[i] ?? 0, at]);
    }
    return found;
  }

  /** Highest seq committed at or below `version`; 0 none, undefined where only the log knows, or nobody. */
  lastSeqAt(version: number): number | undefined {
    for (let i = this.pairs.length - 2; i >= 0; i -= 2) {
      if ((this.pairs[i + 1] ?? 0) <= version) return this.pairs[i] ?? 0;
    }
    return this.complete && !this.isForgotten ? 0 : undefined;
  }

  committed(seq: number, version: number): void {
    this.pairs.push(seq, version);
    this.lastSeq = seq;
    this.lastVersion = version;
    // Trimmed by halves, so that a push stays cheap.
    if (this.pairs.length > 4 * REMEMBERED_SEQS) {
      this.pairs.splice(0, 2 * REMEMBERED_SEQS);
      this.complete = false;
    }
  }

  refused(seq: number): void {
    this.burnt ??= [];
    if (this.burnt.push(seq) > REMEMBERED_SEQS) this.burnt.shift();
  }

  /** Puts what the store knows under what is known here. `pairs` newest first; as `ClientSeqs` has them. */
  recall(pairs: readonly (readonly [seq: number, version: number])[], lastSeq: number | null): void {
    this.storedLastSeq = lastSeq ?? 0;
    this.isForgotten ||= lastSeq === null;
    const oldest = this.pairs[1] ?? Number.POSITIVE_INFINITY;
    const older = pairs.filter(([, version]) => version < oldest).reverse();
    this.pairs.unshift(...older.flat());
    this.lastSeq = this.pairs.at(-2) ?? 0;
    this.lastVersion = this.pairs.at(-1) ?? 0;
    this.complete = pairs.length < REMEMBERED_SEQS;
    this.needsRecall = false;
  }
}

const NEW: SeqAnswer = { type: 'new' };
