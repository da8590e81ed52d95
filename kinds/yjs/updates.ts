// What a Yjs document is on the server: the updates it received, merged now and then, without a Y.Doc.
// It owns how many pieces there are and when they are merged; it never looks into an update.
//
// The pieces form a stack of immutable nodes, so going back to an earlier document is keeping its top
// node. Every RAW_PIECES updates are merged into one piece, once, which halves their bytes and bounds
// the number of pieces by the document's size; the whole is merged only when somebody asks for it.
import * as Y from 'yjs';

/** Updates that are merged into one piece: some 2 us each, 0.2 ms at once. */
const RAW_PIECES = 64;
/** Updates that together have more are left alone: merging would pause longer and save little. */
const MERGE_BYTES = 16 * 1024;
/** Pieces merged at once: merging sorts all of them again for every struct. */
const MERGE_WAYS = 16;

export interface Piece {
  readonly bytes: Uint8Array;
  readonly below: Piece | undefined;
  /** How many updates as they came lie on top of each other, this one included; 0 for a merged piece. */
  readonly raw: number;
  /** Bytes of this piece and all below. */
  readonly total: number;
}

/** The update that holds nothing. */
export const EMPTY_UPDATE = Uint8Array.of(0, 0);

export class Updates {
  #top: Piece;
  // Follows from the merged document, by which it is keyed.
  #stateVector: { readonly of: Uint8Array; readonly bytes: Uint8Array } | undefined;

  constructor(snapshot: Uint8Array) {
    this.#top = pieceOn(undefined, snapshot, false);
  }

  /** Bytes of all pieces: no less than the merged document has. */
  get bytes(): number {
    return this.#top.total;
  }

  get top(): Piece {
    return this.#top;
  }

  /** The piece under all others: the document as it was last merged. O(pieces). */
  get bottom(): Piece {
    let piece = this.#top;
    while (piece.below !== undefined) piece = piece.below;
    return piece;
  }

  /** Pieces there are, for tests and measurements. O(pieces). */
  get count(): number {
    return bytesDownTo(this.#top, undefined).length;
  }

  push(update: Uint8Array): void {
    this.#top = pieceOn(this.#top, update, true);
    if (this.#top.raw % RAW_PIECES !== 0) return;
    let below: Piece | undefined = this.#top;
    for (let i = 0; i < RAW_PIECES; i++) below = below?.below;
    if (this.#top.total - (below?.total ?? 0) > MERGE_BYTES) return;
    this.#top = pieceOn(below, Y.mergeUpdates(bytesDownTo(this.#top, below)), false);
  }

  /** Back to an earlier top. */
  restore(top: Piece): void {
    this.#top = top;
  }

  /** Puts other bytes of the same meaning in the place of `last` and all below it; false where that is no longer here. */
  replace(last: Piece, bytes: Uint8Array): boolean {
    const above: Piece[] = [];
    let piece: Piece | undefined = this.#top;
    for (; piece !== undefined && piece !== last; piece = piece.below) above.push(piece);
    if (piece === undefined) return false;
    let top = pieceOn(undefined, bytes, false);
    for (const each of above.reverse()) top = pieceOn(top, each.bytes, each.raw > 0);
    this.#top = top;
    return true;
  }

  /** All pieces, oldest first. */
  get pieces(): readonly Uint8Array[] {
    return bytesDownTo(this.#top, undefined);
  }

  /** The whole document as one update; kept, so the next call costs nothing. Must not be changed or transferred. */
  merged(): Uint8Array {
    if (this.#top.below !== undefined) {
      this.#top = pieceOn(undefined, mergeAll(bytesDownTo(this.#top, undefined)), false);
    }
    return this.#top.bytes;
  }

  /** What the document holds, as Yjs's state vector; kept while the document stays as it is. */
  stateVector(): Uint8Array {
    const of = this.merged();
    if (this.#stateVector?.of !== of) {
      this.#stateVector = { of, bytes: Y.encodeStateVectorFromUpdate(of) };
    }
    return this.#stateVector.bytes;
  }
}

function pieceOn(below: Piece | undefined, bytes: Uint8Array, raw: boolean): Piece {
  return {
    bytes,
    below,
    raw: raw ? (below?.raw ?? 0) + 1 : 0,
    total: (below?.total ?? 0) + bytes.length,
  };
}

/** Oldest first. */
function bytesDownTo(top: Piece, end: Piece | undefined): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let piece: Piece | undefined = top; piece !== undefined && piece !== end; piece = piece.below) {
    list.push(piece.bytes);
  }
  return list.reverse();
}

/** One update of many, oldest first. It is done in rounds, the oldest, which may be nearly all, last. */
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
