// The seqs of one client in one document that were left open by a retryable answer and have not come again. A higher
// seq gets the same answer meanwhile: if it committed, the open one could only be `seq-used`. The gateway keeps one for
// each subscription, and the owner another for the submits that are on their way when it refuses one before them.
import type { OpenSubmitCode } from '../protocol/errors.ts';

/**
 * Open seqs that are kept one by one. Past it the highest are left out: they are still refused while one of these is
 * open, which covers every client that sends its seqs again in their order.
 */
export const MOST_LEFT_OPEN = 256;

export class LeftOpen {
  /** Rising. */
  private readonly seqs: number[] = [];
  private code: OpenSubmitCode = 'unavailable';

  get isEmpty(): boolean {
    return this.seqs.length === 0;
  }

  /** The seq has been answered with `code`, and is open until `arrives` is told of it again. */
  add(seq: number, code: OpenSubmitCode): void {
    if (this.seqs.length === 0) this.code = code;
    const at = this.seqs.findLastIndex((open) => open <= seq);
    if (this.seqs[at] === seq) return;
    this.seqs.splice(at + 1, 0, seq);
    if (this.seqs.length > MOST_LEFT_OPEN) this.seqs.pop();
  }

  /**
   * The code that a submit of this seq has to be answered with, which leaves it open as well; undefined: it may go on,
   * and is open no more.
   */
  arrives(seq: number): OpenSubmitCode | undefined {
    const [lowest] = this.seqs;
    if (lowest === undefined) return undefined;
    if (lowest >= seq) {
      this.delete(seq);
      return undefined;
    }
    this.add(seq, this.code);
    return this.code;
  }

  /** The seq has had its final answer after all. */
  delete(seq: number): void {
    const at = this.seqs.indexOf(seq);
    if (at >= 0) this.seqs.splice(at, 1);
  }

  /** The document has been opened anew. */
  clear(): void {
    this.seqs.length = 0;
  }
}

/** What the answer says of a submit that stands behind an open one. */
export const BEHIND_OPEN = 'a lower seq of this client was left open: send that one again first';
