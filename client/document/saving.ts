// The promises of `whenSaved`: each waits for the edits that were made before the call. Edits are numbered in
// the order in which they were made; a patch that is sent carries several, and is named by its first.
import type { TroupeError } from '../errors.ts';

interface Waiting {
  /** The number of the latest edit that this promise waits for. */
  readonly edit: number;
  readonly resolve: () => void;
  readonly reject: (error: TroupeError) => void;
}

export class Saving {
  #waiting: readonly Waiting[] = [];

  /** Resolves once no edit up to `edit` is pending; rejects with the error for which one of them was lost. */
  wait(edit: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = [...this.#waiting, { edit, resolve, reject }];
    });
  }

  /** @param oldestPending the first edit that is not settled; undefined if all are settled */
  settled(oldestPending: number | undefined): void {
    this.#settle(
      ({ edit }) => oldestPending === undefined || edit < oldestPending,
      (waiting) => waiting.resolve(),
    );
  }

  /** Rejects the waiters of a lost patch, whose first edit is `first`. */
  lost(first: number, error: TroupeError): void {
    this.#settle(
      ({ edit }) => edit >= first,
      (waiting) => waiting.reject(error),
    );
  }

  #settle(which: (waiting: Waiting) => boolean, how: (waiting: Waiting) => void): void {
    const settled = this.#waiting.filter(which);
    if (settled.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => !settled.includes(waiting));
    for (const waiting of settled) how(waiting);
  }
}
