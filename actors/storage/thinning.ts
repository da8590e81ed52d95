// Decides which of a document's snapshots go when a newer one has been written. Pure: both stores ask it.
//
// A snapshot's place is the number of bytes that the log had received when it was made. The newest snapshot and
// the first of the list always stay. One between them goes where its neighbours are no further apart than
//
//   max(2 x its own bytes, min(bytes of log from its right neighbour to the newest, FOLD_BYTES))
//
// Two bounds follow, for snapshots of any sizes at any places:
// - Room. A snapshot s that stays between others has neighbours more than 2 s apart, and they only move further
//   apart later. Each byte of the log lies between the neighbours of at most two such snapshots. So all of them
//   together are smaller than the log between the first and the newest, and all snapshots of a document take less
//   than the newest + the first + the kept log. Where nothing was folded away the first is the empty document.
// - Work. A gap is either as it was written, or was made by a removal and then is at most
//   max(2 x the removed snapshot, FOLD_BYTES). So a version is folded from the snapshot below it and no more
//   log than that.
// The middle term makes distances grow with age: near the head they double, at most two to each doubling, which
// leaves a small document with few snapshots.

/** Log that is read for an old version of a small document at most. */
export const FOLD_BYTES = 4 * 1024 * 1024;

/** The newest snapshots that a write looks at: what is older was judged with the same outcome by earlier writes. */
export const THINNING_WINDOW = 48;

export interface SnapshotPlace {
  readonly version: number;
  /** Of its state. */
  readonly bytes: number;
  /** Bytes of all patches up to it. */
  readonly logged: number;
}

/** The empty document, where the log begins with version 1. */
export const EMPTY_DOCUMENT: SnapshotPlace = { version: 0, bytes: 0, logged: 0 };

/** Versions of the snapshots that go. `places` ascend by version; the first and the last stay. */
export function superfluous(places: readonly SnapshotPlace[]): number[] {
  const gone: number[] = [];
  const newest = places.at(-1);
  let left = places[0];
  for (const [i, place] of places.entries()) {
    const right = places[i + 1];
    if (i === 0 || left === undefined || right === undefined || newest === undefined) continue;
    const behind = newest.logged - right.logged;
    const allowed = Math.max(2 * place.bytes, Math.min(behind, FOLD_BYTES));
    if (right.logged - left.logged <= allowed) gone.push(place.version);
    else left = place;
  }
  return gone;
}
