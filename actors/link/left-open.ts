// The seqs of one client in one document that were left open by a retryable answer and have not come again.
// A higher seq gets the same answer meanwhile: if it committed, the open seq could only become `seq-used`.
// The gateway keeps one such list for each subscription. The owner keeps another for the submits that are
// on their way when it refuses an earlier one.
import type { OpenSubmitCode } from '../../protocol/errors.ts';

/**
 * Most open seqs that are kept one by one. Beyond that number the highest are left out. They are still
 * refused while a kept seq is open, which covers every client that sends its seqs again in their order.
 */
export const MOST_LEFT_OPEN = 256;

export class LeftOpen {
  /** Ascending. */
  readonly #seqs: number[] = [];
  #code: OpenSubmitCode = 'unavailable';

  get isEmpty(): boolean {
    return this.#seqs.length === 0;
  }

  /** Notes that the seq was answered with `code`. It is open until `arrives` is called for it. */
  add(seq: number, code: OpenSubmitCode): void {
    if (this.#seqs.length === 0) this.#code = code;
    const at = this.#seqs.findLastIndex((open) => open <= seq);
    if (this.#seqs[at] === seq) return;
    this.#seqs.splice(at + 1, 0, seq);
    if (this.#seqs.length > MOST_LEFT_OPEN) this.#seqs.pop();
  }

  /**
   * Returns the code with which a submit of this seq must be answered, which leaves it open as well.
   * Undefined if the submit may go on; the seq is then no longer open.
   */
  arrives(seq: number): OpenSubmitCode | undefined {
    const [lowest] = this.#seqs;
    if (lowest === undefined) return undefined;
    if (lowest >= seq) {
      this.delete(seq);
      return undefined;
    }
    this.add(seq, this.#code);
    return this.#code;
  }

  /** Notes all seqs that are open in the other list. */
  addAll(other: LeftOpen): void {
    for (const seq of other.#seqs) this.add(seq, other.#code);
  }

  /** Notes that the seq has had its final answer after all. */
  delete(seq: number): void {
    const at = this.#seqs.indexOf(seq);
    if (at >= 0) this.#seqs.splice(at, 1);
  }

  /** Forgets the open seqs that have been decided after all. Their client does not send them again. */
  forget(isDecided: (seq: number) => boolean): void {
    for (let at = this.#seqs.length - 1; at >= 0; at--)
      if (isDecided(this.#seqs[at] ?? 0)) this.#seqs.splice(at, 1);
  }

  /** Forgets all open seqs, since the document has been opened anew. */
  clear(): void {
    this.#seqs.length = 0;
  }
}

/** The answer's text for a submit that stands behind an open seq. */
export const BEHIND_OPEN = 'a lower seq of this client was left open: send that one again first';
