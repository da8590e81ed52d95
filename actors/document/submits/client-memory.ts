// The memory of one client in one document: its latest committed seqs with their versions, and the seqs
// that were refused for good. It makes resubmission exactly once; it always keeps the latest 64 seqs.
import assert from 'node:assert/strict';
import type { ClientSeqs } from '../../storage/store.ts';

/** Number of pairs kept in memory and in the store. A client has at most as many submits in flight. */
export const REMEMBERED_SEQS = 64;

export type SeqAnswer =
  /** The seq was committed, or is about to be, as `version`. */
  | { readonly type: 'committed'; readonly version: number }
  /** The seq was refused for good before. */
  | { readonly type: 'burnt' }
  /** The seq is below the highest and not among the latest, so only the log knows it. */
  | { readonly type: 'log' }
  /** The seq is below the highest and was never committed. */
  | { readonly type: 'used' }
  | { readonly type: 'new' };

export class ClientMemory {
  /** Alternating seq and version, newest last. */
  readonly #pairs: number[] = [];
  /** Highest seq taken, durable or not. 0 for none. */
  lastSeq = 0;
  /** The user of the client's latest commit. '' if there is none, or if it is not known. */
  user = '';
  /** Version of the client's latest commit in memory. 0 for none. */
  lastVersion = 0;
  #burnt: number[] | undefined;
  /** True if memory has all seqs that this client ever committed. */
  #complete = true;
  /** Highest seq in the store. It may be above the seqs in memory. */
  #storedLastSeq = 0;
  /** The client may have commits that the store has forgotten. */
  #isForgotten: boolean;
  /** The store may know seqs of this client that memory lacks. Call `recall` before answering. */
  needsRecall: boolean;

  constructor(needsRecall: boolean, isForgotten = false) {
    this.needsRecall = needsRecall;
    this.#isForgotten = isForgotten;
  }

  answer(seq: number): SeqAnswer {
    if (this.#burnt?.includes(seq)) return { type: 'burnt' };
    if (seq > this.lastSeq) return seq > this.#storedLastSeq ? NEW : { type: 'log' };
    const pairs = this.#pairs;
    for (let i = pairs.length - 2; i >= 0; i -= 2)
      if (pairs[i] === seq) return { type: 'committed', version: pairs[i + 1] ?? 0 };
    return this.#complete || seq > (pairs[0] ?? 0) ? { type: 'used' } : { type: 'log' };
  }

  /** Pairs that the client committed above `version`, newest first, the latest 64. */
  pairsAbove(version: number): readonly (readonly [seq: number, version: number])[] {
    const found: [number, number][] = [];
    for (let i = this.#pairs.length - 2; i >= 0 && found.length < REMEMBERED_SEQS; i -= 2) {
      const at = this.#pairs[i + 1] ?? 0;
      if (at <= version) break;
      found.push([this.#pairs[i] ?? 0, at]);
    }
    return found;
  }

  /**
   * Highest seq committed at or below `version`, 0 for none. Undefined if only the log knows it, or if it
   * has been forgotten.
   */
  lastSeqAt(version: number): number | undefined {
    for (let i = this.#pairs.length - 2; i >= 0; i -= 2) {
      if ((this.#pairs[i + 1] ?? 0) <= version) return this.#pairs[i] ?? 0;
    }
    return this.#complete && !this.#isForgotten ? 0 : undefined;
  }

  committed(seq: number, version: number, user: string): void {
    assert(
      seq > this.lastSeq && version > this.lastVersion,
      'the seqs of a client do not rise along versions',
    );
    this.#pairs.push(seq, version);
    this.lastSeq = seq;
    this.lastVersion = version;
    this.user = user;
    // Half of the pairs are cut off at once, so that a push stays cheap.
    if (this.#pairs.length > 4 * REMEMBERED_SEQS) {
      this.#pairs.splice(0, 2 * REMEMBERED_SEQS);
      this.#complete = false;
    }
  }

  refused(seq: number): void {
    this.#burnt ??= [];
    if (this.#burnt.push(seq) > REMEMBERED_SEQS) this.#burnt.shift();
  }

  /**
   * Adds the store's pairs below the pairs in memory.
   */
  recall({ pairs, lastSeq, user }: ClientSeqs): void {
    this.#storedLastSeq = lastSeq ?? 0;
    this.user ||= user;
    this.#isForgotten ||= lastSeq === null;
    const oldest = this.#pairs[1] ?? Number.POSITIVE_INFINITY;
    const older = pairs.filter(([, version]) => version < oldest).reverse();
    this.#pairs.unshift(...older.flat());
    this.lastSeq = this.#pairs.at(-2) ?? 0;
    this.lastVersion = this.#pairs.at(-1) ?? 0;
    this.#complete = pairs.length < REMEMBERED_SEQS;
    this.needsRecall = false;
  }
}

const NEW: SeqAnswer = { type: 'new' };
