// The large snapshots that owners have sent ahead of the `opened` frames which refer to them. Owners bound
// the bytes that each link keeps here, and say when a snapshot may be forgotten. Frames that wait for their
// readers hold on to the pieces of theirs.
import type { OwnerLink } from '../../../cluster/shards/owner-link.ts';

/** A snapshot that any number of frames share. */
export interface OwnerSnapshot {
  readonly pieces: Buffer[];
  bytes: number;
}

/**
 * A piece is a part of a batch, which stays in memory as a whole while the piece does. Most batches that have pieces of a
 * snapshot have four of them and little else. A piece with a smaller share of its batch is copied.
 */
const MOST_OF_BATCH = 5;

export class OwnerSnapshots {
  readonly #byLink = new Map<OwnerLink, Map<number, OwnerSnapshot>>();

  add(link: OwnerLink, number: number, piece: Uint8Array): void {
    let numbered = this.#byLink.get(link);
    if (numbered === undefined) {
      numbered = new Map();
      this.#byLink.set(link, numbered);
    }
    let snapshot = numbered.get(number);
    if (snapshot === undefined) {
      snapshot = { pieces: [], bytes: 0 };
      numbered.set(number, snapshot);
    }
    snapshot.pieces.push(unpinned(piece));
    snapshot.bytes += piece.length;
  }

  get(link: OwnerLink, number: number): OwnerSnapshot | undefined {
    return this.#byLink.get(link)?.get(number);
  }

  forget(link: OwnerLink, number: number): void {
    this.#byLink.get(link)?.delete(number);
  }

  lost(link: OwnerLink): void {
    this.#byLink.delete(link);
  }
}

const unpinned = (piece: Uint8Array): Buffer =>
  MOST_OF_BATCH * piece.length >= piece.buffer.byteLength
    ? Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    : Buffer.from(piece);
