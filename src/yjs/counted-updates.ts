// Which updates a client of Hocuspocus counts as unsaved. Its provider counts its updates and step 2s, and each sync status
// takes one off. When it sends a step 1, it sets the count to one, for the step 2 that will follow. The updates that it has
// made before are not counted from then on, though some of them come later: a provider keeps those of a lost connection, and
// sends them behind the step 1. A sync status for such an update would say that everything is saved while the step 2, which
// has the rest, is still under way. The state vector of the step 1 tells them apart: it has their clocks.
//
// An update that only deletes has no clock, and counts. So does every update if the state vector or the update is so large
// that reading it would hold up other clients.
import * as Y from 'yjs';

/** Larger ones are not read: 64 KiB of a state vector, and 256 KiB of an update in structs of one letter, take 1 to 5 ms. */
const VECTOR_BYTES = 64 * 1024;
const UPDATE_BYTES = 256 * 1024;

export class CountedUpdates {
  /** The state vector of the latest step 1, until its step 2 has come. */
  #announced: Uint8Array | undefined;
  /** The same, once an update has come. */
  #clocks: ReadonlyMap<number, number> | undefined;
  /** The seqs of updates without an answer that the client does not count. */
  readonly #uncounted = new Set<number>();

  /** The client has sent a step 1. `unanswered`: the seqs of its earlier updates. */
  begin(stateVector: Uint8Array, unanswered: Iterable<number>): void {
    for (const seq of unanswered) this.#uncounted.add(seq);
    this.#announced = stateVector.length > VECTOR_BYTES ? undefined : stateVector;
    this.#clocks = undefined;
  }

  /** The step 2 has come. Later messages were made later. */
  end(): void {
    this.#announced = undefined;
    this.#clocks = undefined;
  }

  add(seq: number, update: Uint8Array): void {
    if (this.#announced === undefined || update.length > UPDATE_BYTES) return;
    this.#clocks ??= clocksIn(this.#announced);
    if (isWithin(update, this.#clocks)) this.#uncounted.add(seq);
  }

  /** True if the client waits for the sync status of this update. To be asked once. */
  answers(seq: number): boolean {
    return !this.#uncounted.delete(seq);
  }
}

/** The clocks of a state vector. None if it is malformed: the owner of the document refuses it. */
function clocksIn(stateVector: Uint8Array): ReadonlyMap<number, number> {
  try {
    return Y.decodeStateVector(stateVector);
  } catch {
    return new Map();
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
