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
  /** Newest last. */
  private readonly seqs: number[] = [];
  private readonly versions: number[] = [];
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

  /** Highest seq taken, durable or not; 0 none. */
  get lastSeq(): number {
    return this.seqs.at(-1) ?? 0;
  }

  /** Version that it committed last; 0: none is here. */
  get lastVersion(): number {
    return this.versions.at(-1) ?? 0;
  }

  answer(seq: number): SeqAnswer {
    if (this.burnt?.includes(seq)) return { type: 'burnt' };
    if (seq > this.lastSeq) return { type: seq > this.storedLastSeq ? 'new' : 'log' };
    const at = this.seqs.lastIndexOf(seq);
    if (at >= 0) return { type: 'committed', version: this.versions[at] ?? 0 };
    return this.complete || seq > (this.seqs[0] ?? 0) ? { type: 'used' } : { type: 'log' };
  }

  /** What it committed above `version`, newest first, the latest 64. */
  pairsAbove(version: number): readonly (readonly [seq: number, version: number])[] {
    const pairs: [number, number][] = [];
    for (let i = this.versions.length - 1; i >= 0 && pairs.length < REMEMBERED_SEQS; i--) {
      const at = this.versions[i] ?? 0;
      if (at <= version) break;
      pairs.push([this.seqs[i] ?? 0, at]);
    }
    return pairs;
  }

  /** Highest seq committed at or below `version`; 0 none, undefined where only the log knows, or nobody. */
  lastSeqAt(version: number): number | undefined {
    for (let i = this.seqs.length - 1; i >= 0; i--) {
      if ((this.versions[i] ?? 0) <= version) return this.seqs[i] ?? 0;
    }
    return this.complete && !this.isForgotten ? 0 : undefined;
  }

  committed(seq: number, version: number): void {
    this.seqs.push(seq);
    this.versions.push(version);
    // Trimmed by halves, so that a push stays cheap.
    if (this.seqs.length > 2 * REMEMBERED_SEQS) {
      this.seqs.splice(0, REMEMBERED_SEQS);
      this.versions.splice(0, REMEMBERED_SEQS);
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
    const oldest = this.versions[0] ?? Number.POSITIVE_INFINITY;
    const older = pairs.filter(([, version]) => version < oldest).reverse();
    this.seqs.unshift(...older.map(([seq]) => seq));
    this.versions.unshift(...older.map(([, version]) => version));
    this.complete = pairs.length < REMEMBERED_SEQS;
    this.needsRecall = false;
  }
}
