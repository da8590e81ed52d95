// A Yjs document on the server: the updates it received, merged from time to time, without a Y.Doc. It owns
// the number of pieces and the times of merging; it never looks into an update.
//
// The pieces form a stack of immutable nodes, so a caller returns to an earlier document by keeping its top
// node. Every RAW_PIECES updates are merged once into one piece, which halves their bytes and bounds the
// number of pieces by the document's size. The whole document is merged only on demand.
import * as Y from 'yjs';
import { EMPTY_UPDATE, Known } from './known.ts';

/** Number of updates that are merged into one piece. */
const RAW_PIECES = 64;
/** Updates that have more bytes together are not merged: the merge would pause longer and save little. */
const MERGE_BYTES = 16 * 1024;
/** Pieces merged at once. A merge sorts all of its pieces again for every struct. */
const MERGE_WAYS = 16;

export interface Piece {
  readonly bytes: Uint8Array;
  readonly below: Piece | undefined;
  /** Number of unmerged updates on top of each other, this one included. 0 for a merged piece. */
  readonly raw: number;
  /** Bytes of this piece and of all pieces below. */
  readonly total: number;
}

export class Updates {
  #top: Piece;
  /** The ids in all pieces. Undefined after a return to an earlier document, until they are asked for. */
  #known: Known | undefined;

  /** `known` has the ids in the snapshot. It belongs to this object from now on. */
  constructor(snapshot: Uint8Array, known = knownOf([snapshot])) {
    this.#top = pieceOn(undefined, snapshot, false);
    this.#known = known;
  }

  /** Bytes of all pieces. The merged document has no more. */
  get bytes(): number {
    return this.#top.total;
  }

  get top(): Piece {
    return this.#top;
  }

  /** The piece under all others: the document at its last merge, or as it was read. O(pieces). */
  get bottom(): Piece {
    let piece = this.#top;
    while (piece.below !== undefined) piece = piece.below;
    return piece;
  }

  /** Number of pieces, for tests and measurements. O(pieces). */
  get count(): number {
    return bytesDownTo(this.#top, undefined).length;
  }

  /** The ids in the document. O(document) after `restore`, else O(1). */
  get known(): Known {
    this.#known ??= knownOf(this.pieces);
    return this.#known;
  }

  push(update: Uint8Array): void {
    this.#top = pieceOn(this.#top, update, true);
    this.#known?.add(update);
    if (this.#top.raw % RAW_PIECES !== 0) return;
    let below: Piece | undefined = this.#top;
    for (let i = 0; i < RAW_PIECES; i++) below = below?.below;
    if (this.#top.total - (below?.total ?? 0) > MERGE_BYTES) return;
    this.#top = pieceOn(below, Y.mergeUpdates(bytesDownTo(this.#top, below)), false);
  }

  /** Returns to an earlier top. */
  restore(top: Piece): void {
    this.#top = top;
    this.#known = undefined;
  }

  /** The top, which stays a piece of its own until the whole document is merged. */
  mark(): Piece {
    this.#top = { ...this.#top, raw: 0 };
    return this.#top;
  }

  /**
   * Replaces `last` and all pieces below it by other updates of the same meaning, oldest first. False if `last` is no
   * longer in the stack.
   */
  replace(last: Piece, updates: readonly Uint8Array[]): boolean {
    const above: Piece[] = [];
    let piece: Piece | undefined = this.#top;
    for (; piece !== undefined && piece !== last; piece = piece.below) above.push(piece);
    if (piece === undefined) return false;
    const [oldest = EMPTY_UPDATE, ...rest] = updates;
    let top = pieceOn(undefined, oldest, false);
    for (const update of rest) top = pieceOn(top, update, true);
    for (const each of above.reverse()) top = pieceOn(top, each.bytes, each.raw > 0);
    this.#top = top;
    return true;
  }

  /** All pieces, oldest first. */
  get pieces(): readonly Uint8Array[] {
    return bytesDownTo(this.#top, undefined);
  }

  /**
   * The whole document as one update. The result is kept, so the next call costs nothing. It must not be
   * changed or transferred.
   */
  merged(): Uint8Array {
    if (this.#top.below !== undefined) {
      this.#top = pieceOn(undefined, mergeAll(bytesDownTo(this.#top, undefined)), false);
    }
    return this.#top.bytes;
  }
}

function knownOf(updates: readonly Uint8Array[]): Known {
  const known = new Known();
  for (const update of updates) known.add(update);
  return known;
}

function pieceOn(below: Piece | undefined, bytes: Uint8Array, raw: boolean): Piece {
  return {
    bytes,
    below,
    raw: raw ? (below?.raw ?? 0) + 1 : 0,
    total: (below?.total ?? 0) + bytes.length,
  };
}

/** The bytes of the pieces, oldest first. */
function bytesDownTo(top: Piece, end: Piece | undefined): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let piece: Piece | undefined = top; piece !== undefined && piece !== end; piece = piece.below) {
    list.push(piece.bytes);
  }
  return list.reverse();
}

/**
 * Merges many updates, oldest first, into one. The merge works in rounds. The oldest update may be nearly
 * the whole document, so it is merged last.
 */
export function mergeAll(updates: readonly Uint8Array[]): Uint8Array {
  const [oldest = EMPTY_UPDATE, ...rest] = updates;
  let round = rest;
  while (round.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < round.length; i += MERGE_WAYS)
      next.push(Y.mergeUpdates(round.slice(i, i + MERGE_WAYS)));
    round = next;
  }
  return Y.mergeUpdates([oldest, ...round]);
}
