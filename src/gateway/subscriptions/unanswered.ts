// The submits of one client to one document that have no final answer: submits without any answer, in the
// order sent, which are sent to the next owner in that order; and seqs that were refused and may come again,
// which hold up higher seqs. Mostly one submit is without an answer, and never more than limits.inflight, so
// they are kept as a list. A seq whose final answer has passed here holds up nothing: its client does not send it
// again, even if a copy of it that was on its way is refused afterwards.
import { LeftOpen } from '../../../actors/link/left-open.ts';
import type { LinkOp } from '../../../actors/link/link-messages.ts';
import type { OpenSubmitCode } from '../../../protocol/errors.ts';

export interface UnansweredSubmit {
  readonly seq: number;
  /** -1 means the head on arrival. */
  readonly base: number;
  readonly op: LinkOp;
}

interface Sent extends UnansweredSubmit {
  /** When the gateway took it, in ticks of the clock of edits (edit-clock.ts). */
  readonly takenAt: number;
  /** How often the document had been opened anew when this was sent. */
  readonly opens: number;
  /**
   * Set if a lower seq was refused after this one was sent. The owner gives it the same answer, and it must
   * not go to another owner.
   */
  behind: OpenSubmitCode | undefined;
  /** The number of owners that ended without answering it. */
  owners: number;
}

/** Number of rejected seqs that are remembered. A client has about as many submits on their way. */
const MOST_REJECTED = 64;

export class Unanswered {
  readonly #submits: Sent[] = [];
  #leftOpen: LeftOpen | undefined;
  /** Highest seq of the client that is known to have committed. 0 for none. */
  #committedTo = 0;
  /** The latest seqs that were rejected. */
  #rejected: number[] | undefined;
  #opens = 0;

  get size(): number {
    return this.#submits.length;
  }

  all(): readonly Readonly<Sent>[] {
    return this.#submits;
  }

  get(seq: number): UnansweredSubmit | undefined {
    return this.#submits[this.#indexOf(seq)];
  }

  /** See `LeftOpen.arrives`: the code to refuse a submit of this seq with. Undefined if it may go on. */
  arrives(seq: number): OpenSubmitCode | undefined {
    return this.#leftOpen?.arrives(seq);
  }

  /** Records that the gateway has refused the submit, which may come again. */
  leave(seq: number, code: OpenSubmitCode): void {
    if (seq <= this.#committedTo || this.#rejected?.includes(seq)) return;
    this.#leftOpen ??= new LeftOpen();
    this.#leftOpen.add(seq, code);
  }

  /**
   * A repeated seq keeps its place. If a lower seq before it was refused, it moves to the end instead, behind
   * the repetition of that seq.
   */
  set({ seq, base, op }: UnansweredSubmit, takenAt: number): void {
    const sent = { seq, base, op, takenAt, opens: this.#opens, behind: undefined, owners: 0 };
    const at = this.#indexOf(seq);
    if (at >= 0 && this.#submits[at]?.behind === undefined) {
      this.#submits[at] = sent;
      return;
    }
    if (at >= 0) this.#submits.splice(at, 1);
    this.#submits.push(sent);
  }

  /** Records that the seq has committed. Returns the submit; undefined if it had its answer already. */
  committed(seq: number): Readonly<Sent> | undefined {
    this.committedTo(seq);
    return this.#remove(seq);
  }

  /** Records that the seq was rejected. Returns the submit; undefined if it had its answer already. */
  rejected(seq: number): Readonly<Sent> | undefined {
    this.#leftOpen?.delete(seq);
    this.#rejected ??= [];
    if (this.#rejected.push(seq) > MOST_REJECTED) this.#rejected.shift();
    return this.#remove(seq);
  }

  /**
   * Records that an owner has refused the submit, which may come again. Returns the submit; undefined if it
   * had an answer before.
   */
  refused(seq: number, code: OpenSubmitCode): UnansweredSubmit | undefined {
    const submit = this.#remove(seq);
    // If the document has been opened anew since, the refusal of an earlier submit holds up nothing.
    if (submit === undefined || submit.opens === this.#opens) this.leave(seq, code);
    for (const other of this.#submits)
      if (other.seq > seq && other.opens === submit?.opens) other.behind ??= code;
    return submit;
  }

  /**
   * Records the end of an owner. Returns the seqs that were unanswered at the end of `most` owners or more.
   */
  ownerLost(most: number): readonly number[] {
    return this.#submits.filter((submit) => ++submit.owners >= most).map(({ seq }) => seq);
  }

  /** Records that this is the highest seq of the client that has committed so far. 0 for none. */
  committedTo(seq: number): void {
    if (seq <= this.#committedTo) return;
    this.#committedTo = seq;
    this.#leftOpen?.forget((open) => open <= seq);
  }

  openedAnew(): void {
    this.#opens++;
    this.#leftOpen?.clear();
    this.#committedTo = 0;
    this.#rejected = undefined;
  }

  #remove(seq: number): Sent | undefined {
    const at = this.#indexOf(seq);
    if (at === 0) return this.#submits.shift();
    return at < 0 ? undefined : this.#submits.splice(at, 1)[0];
  }

  #indexOf(seq: number): number {
    for (let at = 0; at < this.#submits.length; at++) if (this.#submits[at]?.seq === seq) return at;
    return -1;
  }
}
