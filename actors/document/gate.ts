// The output gate of one document: everything that depends on a patch waits here, in order, until
// the transaction that holds the patch has committed. It decides when, never what.
import type { Entry } from './entry.ts';

/** An output that is no commit: it saw the document at `version`. */
export interface Held {
  readonly version: number;
  readonly emit: () => void;
}

export class Gate {
  private queue: (Entry | Held)[] = [];
  private durable: number;

  constructor(durable: number) {
    this.durable = durable;
  }

  get isEmpty(): boolean {
    return this.queue.length === 0;
  }

  /** A committed patch, to be told to everyone. */
  commit(entry: Entry): void {
    this.queue.push(entry);
  }

  /** Emits at once where nothing is awaited, else after all that was put in before. */
  hold(version: number, emit: () => void): void {
    if (version <= this.durable && this.queue.length === 0) emit();
    else this.queue.push({ version, emit });
  }

  /**
   * Everything up to `durable` has committed: emits it in order, patches between two outputs as one run. False: it has
   * stopped since `mustYield` said so, and is to be called again.
   */
  release(
    durable: number,
    emitRun: (run: readonly Entry[]) => void,
    mustYield: () => boolean = () => false,
  ): boolean {
    this.durable = durable;
    let run: Entry[] = [];
    let at = 0;
    let isDone = true;
    for (; isDone && at < this.queue.length; at++) {
      const output = this.queue[at];
      if (output === undefined || output.version > durable) break;
      if ('emit' in output) {
        if (run.length > 0) emitRun(run);
        run = [];
        output.emit();
        isDone = !mustYield();
      } else run.push(output);
    }
    if (run.length > 0) emitRun(run);
    this.queue = at === this.queue.length ? [] : this.queue.slice(at);
    return isDone || this.queue.length === 0;
  }
}
