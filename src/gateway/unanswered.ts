// Submits of one subscription that have no answer yet, in the order sent: they go again to the next owner in
// that order. Mostly there is one, never more than limits.inflight, so they are a list.
import type { LinkOp } from '../../actors/link-messages.ts';

export interface UnansweredSubmit {
  readonly seq: number;
  /** -1: the head on arrival. */
  readonly base: number;
  readonly op: LinkOp;
}

export class Unanswered {
  private readonly submits: UnansweredSubmit[] = [];

  get size(): number {
    return this.submits.length;
  }

  all(): readonly UnansweredSubmit[] {
    return this.submits;
  }

  get(seq: number): UnansweredSubmit | undefined {
    return this.submits[this.indexOf(seq)];
  }

  /** A seq that is sent again keeps its place. */
  set(submit: UnansweredSubmit): void {
    const at = this.indexOf(submit.seq);
    if (at < 0) this.submits.push(submit);
    else this.submits[at] = submit;
  }

  /** What it was; undefined: it had its answer. */
  delete(seq: number): UnansweredSubmit | undefined {
    const at = this.indexOf(seq);
    if (at === 0) return this.submits.shift();
    return at < 0 ? undefined : this.submits.splice(at, 1)[0];
  }

  private indexOf(seq: number): number {
    for (let at = 0; at < this.submits.length; at++) if (this.submits[at]?.seq === seq) return at;
    return -1;
  }
}
