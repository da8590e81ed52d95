// The account of a run of `troupe import` or `troupe export`. Documents that are left out are told at once, the
// rest in one line now and then and at the end, so that nothing is kept for each document.
import { EXIT, type ExitCode } from '../../../config/fatal.ts';
import { type Output, plural } from '../output.ts';

export type Outcome = 'new' | 'grown' | 'same';

const EVERY_MS = 5_000;

export class Progress {
  readonly #output: Output;
  readonly #verb: string;
  readonly #counts = { new: 0, grown: 0, same: 0, leftOut: 0 };
  #bytes = 0;
  #toldAt = performance.now();

  /** `verb`: `imported` or `exported`. */
  constructor(output: Output, verb: string) {
    this.#output = output;
    this.#verb = verb;
  }

  done(outcome: Outcome, bytes: number): void {
    this.#counts[outcome] += 1;
    this.#bytes += bytes;
    this.#tellNowAndThen();
  }

  /** `reason`: a part of a sentence. */
  leaveOut(name: string, reason: string): void {
    this.#counts.leftOut += 1;
    this.#output.stdout.write(`left out: ${JSON.stringify(name)}: ${reason}\n`);
    this.#tellNowAndThen();
  }

  /** The last line. A run that has left something out has failed, so that a script notices. */
  end(): ExitCode {
    this.#output.stdout.write(`${this.#line()}.\n`);
    return this.#counts.leftOut > 0 ? EXIT.failure : EXIT.ok;
  }

  #tellNowAndThen(): void {
    if (performance.now() - this.#toldAt < EVERY_MS) return;
    this.#toldAt = performance.now();
    this.#output.stderr.write(`${this.#line()} so far\n`);
  }

  #line(): string {
    const { new: added, grown, same, leftOut } = this.#counts;
    const megabytes = (this.#bytes / 1_000_000).toFixed(1);
    return `${plural(added + grown + same, 'document')} ${this.#verb} (${megabytes} MB): ${added} new, ${grown} with something new, ${same} the same; ${leftOut} left out`;
  }
}
