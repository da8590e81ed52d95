// Which updates a client of Hocuspocus counts as unsaved. Its provider counts its updates and step 2s, and each sync status
// takes one off. When it sends a step 1, it sets the count to one, for the step 2 that will follow. The updates that it has
// made before are not counted from then on, though some of them come later: a provider keeps those of a lost connection, and
// sends them behind the step 1. A sync status for such an update would say that everything is saved while the step 2, which
// has the rest, is still under way. The state vector of the step 1 tells them apart: it has their clocks.
//
// An update that only deletes has no clock of its own, and one that is so large that reading it would hold up other clients is
// not read. They may be of a lost connection if they come behind the first message to the socket, which is what makes a
// provider send what it has kept, and before the step 2. They may as well be edits of that very moment. Nobody but the
// provider knows, so its count cannot be right again before its next step 1 on a new socket. Until then it gets no sync status
// for its step 2, so that it never calls anything saved too early.
import * as Y from 'yjs';

/** Larger ones are not read: 64 KiB of a state vector, and 256 KiB of an update in structs of one letter, take 1 to 5 ms. */
const VECTOR_BYTES = 64 * 1024;
const UPDATE_BYTES = 256 * 1024;
/** The same for an update that only deletes, because all of it is read. */
const DELETES_BYTES = 64 * 1024;

export class CountedUpdates {
  /** The step 2 of the latest step 1 is awaited. */
  #awaitsStep2 = false;
  /** The state vector of that step 1. Undefined if it is not read. */
  #announced: Uint8Array | undefined;
  /** The same, once an update has come. */
  #clocks: ReadonlyMap<number, number> | undefined;
  /** Updates that came before anything was written to the socket, and have not been added yet. */
  #early = 0;
  /** From now on no update can be one that the provider has kept. */
  #hasKept: boolean;
  /** The seqs of updates without an answer that the client does not count. */
  readonly #uncounted = new Set<number>();
  /** The seqs of updates that the client counts or not. */
  readonly #unsure = new Set<number>();
  /** How many of these have been committed. */
  #owed = 0;

  /** `isAnswered`: something has been written to the socket, so the provider has sent what it had kept. */
  constructor(isAnswered: boolean) {
    this.#hasKept = isAnswered;
  }

  /** It is not known what the client counts. */
  get isUnsure(): boolean {
    return this.#unsure.size + this.#owed > 0;
  }

  /** The client has sent a step 1. `unanswered`: the seqs of its earlier updates. */
  begin(stateVector: Uint8Array, unanswered: Iterable<number>): void {
    for (const seq of unanswered) this.#uncounted.add(seq);
    this.#unsure.clear();
    this.#owed = 0;
    this.#awaitsStep2 = true;
    this.#announced = stateVector.length > VECTOR_BYTES ? undefined : stateVector;
    this.#clocks = undefined;
  }

  /** The step 2 has come. Later messages were made later. */
  end(): void {
    this.#awaitsStep2 = false;
    this.#announced = undefined;
    this.#clocks = undefined;
    this.#hasKept = true;
  }

  /** An update has come. It is added when its turn comes. */
  arrives(isAnswered: boolean): void {
    if (!isAnswered) this.#early++;
  }

  /** The updates are added in the order in which they came. */
  add(seq: number, update: Uint8Array): void {
    const isEarly = this.#early > 0;
    if (isEarly) this.#early--;
    if (!this.#awaitsStep2) return;
    if (this.#announced !== undefined) this.#clocks ??= clocksIn(this.#announced);
    const isKept = isWithin(update, this.#clocks);
    if (isKept === true) this.#uncounted.add(seq);
    else if (isKept === undefined && !isEarly && !this.#hasKept) this.#unsure.add(seq);
  }

  /** The update has been committed. True if the client waits for its sync status. To be asked once. */
  answers(seq: number): boolean {
    if (!this.#unsure.delete(seq)) return !this.#uncounted.delete(seq);
    this.#owed++;
    return false;
  }

  /**
   * The client sends no step 2, so it is none of the providers, and counts everything. Returns how many sync statuses it waits
   * for.
   */
  countAll(): number {
    const owed = this.#owed;
    this.#owed = 0;
    this.#unsure.clear();
    this.#hasKept = true;
    return owed;
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

/** True if the update was made before the state vector. Undefined if that is not known. */
function isWithin(update: Uint8Array, vector: ReadonlyMap<number, number> | undefined): boolean | undefined {
  if (vector === undefined || update.length > UPDATE_BYTES) return undefined;
  const isThere = (client: number, end: number): boolean => end <= (vector.get(client) ?? 0);
  try {
    const { to } = Y.parseUpdateMeta(update);
    if (to.size > 0) return [...to].every(([client, end]) => isThere(client, end));
    if (update.length > DELETES_BYTES) return undefined;
    const { ds } = Y.decodeUpdate(update);
    const isOfOld = [...ds.clients].every(([client, items]) =>
      items.every(({ clock, len }) => isThere(client, clock + len)),
    );
    // Text that was made behind the step 1 cannot have been deleted before it.
    return isOfOld ? undefined : false;
  } catch {
    // The owner of the document refuses it.
    return false;
  }
}
