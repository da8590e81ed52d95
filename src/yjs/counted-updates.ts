// Which updates a client of Hocuspocus counts as unsaved. Its provider counts its updates and step 2s, and each sync status
// takes one off. When it sends a step 1, it sets the count to one, for the step 2 that will follow. The updates that it has
// made before are not counted from then on, though some of them come later: a provider keeps those of a lost connection, and
// sends them behind the step 1. A sync status for such an update would say that everything is saved while the step 2, which
// has the rest, is still under way. The state vector of the step 1 tells them apart: it has their clocks.
//
// An update that only deletes has no clock, and counts.
import * as Y from 'yjs';

export class CountedUpdates {
  /** The state vector of the latest step 1, until its step 2 has come. */
  #announced: ReadonlyMap<number, number> | undefined;
  /** The seqs of updates without an answer that the client does not count. */
  readonly #uncounted = new Set<number>();

  /** The client has sent a step 1. `unanswered`: the seqs of its earlier updates. */
  begin(stateVector: Uint8Array, unanswered: Iterable<number>): void {
    for (const seq of unanswered) this.#uncounted.add(seq);
    try {
      this.#announced = Y.decodeStateVector(stateVector);
    } catch {
      // The owner of the document refuses it.
      this.#announced = undefined;
    }
  }

  /** The step 2 has come. Later messages were made later. */
  end(): void {
    this.#announced = undefined;
  }

  add(seq: number, update: Uint8Array): void {
    if (this.#announced !== undefined && isWithin(update, this.#announced)) this.#uncounted.add(seq);
  }

  /** True if the client waits for the sync status of this update. To be asked once. */
  answers(seq: number): boolean {
    return !this.#uncounted.delete(seq);
  }
}

/** True if the update has structs, and the state vector has them all. */
function isWithin(update: Uint8Array, vector: ReadonlyMap<number, number>): boolean {
  try {
    const { to } = Y.parseUpdateMeta(update);
    return to.size > 0 && [...to].every(([client, clock]) => clock <= (vector.get(client) ?? 0));
  } catch {
    // The owner of the document refuses it.
    return false;
  }
}
