// Submits of one client in one document that have no final answer: those without any answer, in the order sent, which go
// again to the next owner in that order; and the seqs that were refused and may come again, which hold up the higher ones.
// Of the first there is mostly one, never more than limits.inflight, so they are a list.
import { LeftOpen } from '../../actors/left-open.ts';
import type { LinkOp } from '../../actors/link-messages.ts';
import type { OpenSubmitCode } from '../../protocol/errors.ts';

export interface UnansweredSubmit {
  readonly seq: number;
  /** -1: the head on arrival. */
  readonly base: number;
  readonly op: LinkOp;
}

interface Sent extends UnansweredSubmit {
  /** How often the document had been opened anew when it was sent. */
  readonly opens: number;
  /** A lower seq was refused after this one was sent: its owner gives it the same answer, and no other owner is to get it. */
  behind: OpenSubmitCode | undefined;
  /** Owners that have ended with it unanswered. */
  owners: number;
}

export class Unanswered {
  private readonly submits: Sent[] = [];
  private leftOpen: LeftOpen | undefined;
  private opens = 0;

  get size(): number {
    return this.submits.length;
  }

  all(): readonly Readonly<Sent>[] {
    return this.submits;
  }

  get(seq: number): UnansweredSubmit | undefined {
    return this.submits[this.indexOf(seq)];
  }

  /** As `LeftOpen.arrives`: the code that a submit of this seq has to be answered with, if it may not go on. */
  arrives(seq: number): OpenSubmitCode | undefined {
    return this.leftOpen?.arrives(seq);
  }

  /** It was refused here, and may come again. */
  leave(seq: number, code: OpenSubmitCode): void {
    this.leftOpen ??= new LeftOpen();
    this.leftOpen.add(seq, code);
  }

  /** A seq that is sent again keeps its place, unless it stands behind a refused one, which then is before it. */
  set({ seq, base, op }: UnansweredSubmit): void {
    const sent = { seq, base, op, opens: this.opens, behind: undefined, owners: 0 };
    const at = this.indexOf(seq);
    if (at >= 0 && this.submits[at]?.behind === undefined) {
      this.submits[at] = sent;
      return;
    }
    if (at >= 0) this.submits.splice(at, 1);
    this.submits.push(sent);
  }

  /** It has its final answer, or nobody waits for one. Returns what it was; undefined: it had its answer. */
  settle(seq: number): UnansweredSubmit | undefined {
    this.leftOpen?.delete(seq);
    return this.remove(seq);
  }

  /** It was sent, and refused; it may come again. Returns what it was; undefined: it had an answer before. */
  refused(seq: number, code: OpenSubmitCode): UnansweredSubmit | undefined {
    const submit = this.remove(seq);
    // A document that has been opened anew since holds up nothing for what came before.
    if (submit === undefined || submit.opens === this.opens) this.leave(seq, code);
    for (const other of this.submits)
      if (other.seq > seq && other.opens === submit?.opens) other.behind ??= code;
    return submit;
  }

  /** The owner has ended. Returns the seqs that this many owners, or more, have ended with. */
  ownerLost(most: number): readonly number[] {
    return this.submits.filter((submit) => ++submit.owners >= most).map(({ seq }) => seq);
  }

  openedAnew(): void {
    this.opens++;
    this.leftOpen?.clear();
  }

  private remove(seq: number): Sent | undefined {
    const at = this.indexOf(seq);
    if (at === 0) return this.submits.shift();
    return at < 0 ? undefined : this.submits.splice(at, 1)[0];
  }

  private indexOf(seq: number): number {
    for (let at = 0; at < this.submits.length; at++) if (this.submits[at]?.seq === seq) return at;
    return -1;
  }
}
