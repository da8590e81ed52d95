// Decides which of a document's snapshots are removed when a newer one has been written. Pure: both stores
// use it.
//
// A snapshot's place is the number of bytes that the log had received when it was made. The newest snapshot
// and the first of the list always stay. A snapshot between them is removed if its neighbours are no
// further apart than
//
//   max(2 x its own bytes, min(bytes of log from its right neighbour to the newest, FOLD_BYTES))
//
// Two bounds follow, for snapshots of any sizes at any places:
// - Room. A snapshot s that stays between others has neighbours more than 2 s apart, and they only move
//   further apart later. Each byte of the log lies between the neighbours of at most two such snapshots. So
//   all of them together are smaller than the log between the first and the newest, and all snapshots of a
//   document take less than the newest + the first + the kept log. If nothing was folded away, the first is
//   the empty document.
// - Work. A gap is either as it was written, or was made by a removal and then is at most max(2 x the
//   removed snapshot, FOLD_BYTES). So a version is folded from the snapshot below it and no more log than
//   that.
// The term with the log up to the newest makes distances grow with age: near the head they double, with at
// most two snapshots to each doubling, which leaves a small document with few snapshots.

/** Most bytes of log that are read for an old version of a small document. */
export const FOLD_BYTES = 4 * 1024 * 1024;

/**
 * Number of newest snapshots that a write looks at. Earlier writes have judged the older ones with the same
 * outcome.
 */
export const THINNING_WINDOW = 48;

export interface SnapshotPlace {
  readonly version: number;
  /** Bytes of the snapshot's state. */
  readonly bytes: number;
  /** Bytes of all patches up to the snapshot. */
  readonly logged: number;
}

/** The empty document, at which the log begins with version 1. */
export const EMPTY_DOCUMENT: SnapshotPlace = { version: 0, bytes: 0, logged: 0 };

/** Versions of the snapshots to remove. `places` ascend by version; the first and the last stay. */
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
