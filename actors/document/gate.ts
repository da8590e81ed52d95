// The output gate of one document. Every output that depends on a patch waits here, in order, until the
// transaction that holds the patch has committed. The gate decides when an output leaves, never its
// content.
import assert from 'node:assert/strict';
import type { Entry } from './entry.ts';

/** An output other than a commit. It saw the document at `version`. */
export interface Held {
  readonly version: number;
  readonly emit: () => void;
}

export class Gate {
  #queue: (Entry | Held)[] = [];
  #durable: number;
  /** The version of the last patch that was queued, and that of the last one that left. */
  #queued: number;
  #left: number;

  constructor(durable: number) {
    this.#durable = durable;
    this.#queued = durable;
    this.#left = durable;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Queues a committed patch for all subscribers. */
  commit(entry: Entry): void {
    assert(entry.version === this.#queued + 1, 'a patch is queued out of order');
    this.#queued = entry.version;
    this.#queue.push(entry);
  }

  /** Emits at once if `version` is durable and nothing waits; otherwise after all earlier outputs. */
  hold(version: number, emit: () => void): void {
    if (version <= this.#durable && this.#queue.length === 0) emit();
    else this.#queue.push({ version, emit });
  }

  /**
   * Marks versions up to `durable` as committed and emits the outputs in order, with the patches between
   * two outputs as one run. False if it stopped because `mustYield` asked for it; call it again then.
   */
  release(
    durable: number,
    emitRun: (run: readonly Entry[]) => void,
    mustYield: () => boolean = () => false,
  ): boolean {
    assert(durable >= this.#durable, 'a durable version is not durable any more');
    this.#durable = durable;
    let run: Entry[] = [];
    let at = 0;
    let isDone = true;
    for (; isDone && at < this.#queue.length; at++) {
      const output = this.#queue[at];
      if (output === undefined || output.version > durable) break;
      if ('emit' in output) {
        if (run.length > 0) emitRun(run);
        run = [];
        output.emit();
        isDone = !mustYield();
      } else {
        assert(output.version === ++this.#left, 'a patch leaves out of order');
        run.push(output);
      }
    }
    if (run.length > 0) emitRun(run);
    this.#queue = at === this.#queue.length ? [] : this.#queue.slice(at);
    return isDone || this.#queue.length === 0;
  }
}
