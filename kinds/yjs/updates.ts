// What a Yjs document is on the server: the updates it received, merged now and then, without a Y.Doc.
// It owns how many pieces there are and when they are merged; it never looks into an update.
//
// The pieces form a stack of immutable nodes, so going back to an earlier document is keeping its top
// node. Every FAN pieces of one level become one piece of the next, up to MERGE_BYTES, which bounds
// both their number (FAN a level, and total / (MERGE_BYTES / FAN) of those that stay) and the longest
// pause; every update is merged once a level.
import * as Y from 'yjs';

const FAN = 32;
const MERGE_BYTES = 16 * 1024;
/** A level that ordinary merging never reaches. */
const WHOLE = 64;

export interface Piece {
  readonly bytes: Uint8Array;
  readonly below: Piece | undefined;
  readonly level: number;
  /** How many pieces of this level lie on top of each other, this one included. */
  readonly run: number;
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
    this.#top = pieceOn(undefined, snapshot, WHOLE);
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
    let top = pieceOn(this.#top, update, 0);
    while (top.run % FAN === 0) {
      let below: Piece | undefined = top;
      for (let i = 0; i < FAN; i++) below = below?.below;
      if (top.total - (below?.total ?? 0) > MERGE_BYTES) break;
      top = pieceOn(below, Y.mergeUpdates(bytesDownTo(top, below)), top.level + 1);
    }
    this.#top = top;
  }

  /** Back to an earlier top. */
  restore(top: Piece): void {
    this.#top = top;
  }

  /** Puts other bytes of the same meaning in the place of `bottom`; false where that is no longer the bottom. */
  replaceBottom(bottom: Piece, bytes: Uint8Array): boolean {
    const above: Piece[] = [];
    let piece: Piece | undefined = this.#top;
    for (; piece !== undefined && piece !== bottom; piece = piece.below) above.push(piece);
    if (piece === undefined || piece.below !== undefined) return false;
    let top = pieceOn(undefined, bytes, WHOLE);
    for (const each of above.reverse()) top = pieceOn(top, each.bytes, each.level);
    this.#top = top;
    return true;
  }

  /** The whole document as one update; kept, so the next call costs nothing. Must not be changed or transferred. */
  merged(): Uint8Array {
    if (this.#top.below !== undefined) {
      this.#top = pieceOn(undefined, mergeAll(bytesDownTo(this.#top, undefined)), WHOLE);
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

function pieceOn(below: Piece | undefined, bytes: Uint8Array, level: number): Piece {
  return {
    bytes,
    below,
    level,
    run: below?.level === level ? below.run + 1 : 1,
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

/** In rounds: merging n updates at once sorts all n of them for every struct. */
function mergeAll(updates: readonly Uint8Array[]): Uint8Array {
  const [oldest = EMPTY_UPDATE, ...rest] = updates;
  let round = rest;
  while (round.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i < round.length; i += FAN) next.push(Y.mergeUpdates(round.slice(i, i + FAN)));
    round = next;
  }
  return Y.mergeUpdates([oldest, ...round]);
}
