// Cuts what a Yjs peer lacks out of a snapshot of the document. A small snapshot is cut at once, a large one on another
// thread: one job at a time for a document, with the vectors of all peers that have come meanwhile. Peers with equal
// vectors share one update.
import { diffOf } from '../../../kinds/yjs/diff.ts';
import type { DocumentEffects } from '../effects.ts';
import { EncodedSnapshot } from '../snapshots/encoded-snapshot.ts';

/** From this size on, cutting takes milliseconds. */
const LARGE_BYTES = 64 * 1024;
/** Most vectors of one job. The job is bounded in time, and its results in memory. */
const MOST_VECTORS = 32;

type Then = (part: EncodedSnapshot | undefined) => void;

/** The peers with one vector that wait for a part of one snapshot. */
interface Wanted {
  readonly snapshot: EncodedSnapshot;
  readonly vector: Uint8Array;
  readonly calls: Then[];
}

export class Differences {
  readonly #effects: Pick<DocumentEffects, 'diff' | 'later'>;
  /** In the order in which they came. The peers whose job is under way are not in here. */
  #waiting: Wanted[] = [];
  #isWorking = false;

  constructor(effects: Pick<DocumentEffects, 'diff' | 'later'>) {
    this.#effects = effects;
  }

  /** `then` gets the part of a snapshot that a peer with this vector lacks, undefined if it could not be made. */
  whenCut(snapshot: EncodedSnapshot, vector: Uint8Array, then: Then): void {
    const { value } = snapshot;
    if (typeof value === 'string') throw new Error('only yjs documents have state vectors');
    if (value.length < LARGE_BYTES) {
      then(new EncodedSnapshot(diffOf(value, vector)));
      return;
    }
    const same = this.#waiting.find(
      (wanted) => wanted.snapshot === snapshot && Buffer.compare(wanted.vector, vector) === 0,
    );
    if (same !== undefined) same.calls.push(then);
    else this.#waiting.push({ snapshot, vector, calls: [then] });
    if (!this.#isWorking) this.#cutNext();
  }

  #cutNext(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { snapshot } = first;
    const job = this.#waiting.filter((wanted) => wanted.snapshot === snapshot).slice(0, MOST_VECTORS);
    this.#waiting = this.#waiting.filter((wanted) => !job.includes(wanted));
    this.#isWorking = true;
    const { value } = snapshot;
    const vectors = job.map(({ vector }) => vector);
    this.#effects.diff(value as Uint8Array, vectors, (parts) => {
      this.#isWorking = false;
      this.#cutNext();
      for (const [at, { calls }] of job.entries()) {
        const bytes = parts?.[at];
        const part = bytes && new EncodedSnapshot(bytes);
        for (const then of calls) this.#effects.later(() => then(part));
      }
    });
  }
}
