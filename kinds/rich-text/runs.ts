// The content of one rich-text document, held so that the cost of an edit depends on the edit's size:
// pieces of text of at most a kilobyte, or embeds, in chunks of at most 64. It owns the places of pieces
// and the document's size. It never checks a patch: rich-text.ts makes sure that a patch fits.
//
// Invariants: no piece is empty, no chunk is empty, no piece begins or ends inside a surrogate pair,
// `length` and `bytes` are the sums over all pieces.
import { type Attributes, composeAttributes, invertAttributes, sameAttributes } from './attributes.ts';
import type { Delta, DeltaBuilder, Embed } from './delta.ts';
import {
  canHold,
  embedPiece,
  flat,
  isPairAt,
  overheadOf,
  own,
  PIECE_UNITS,
  type Piece,
  roomFor,
  textBytes,
  textPieces,
} from './piece.ts';

/** Most pieces in a chunk. A search walks through the pieces of one chunk. */
const CHUNK_PIECES = 64;

interface Chunk {
  pieces: Piece[];
  length: number;
}

export class Runs {
  #chunks: Chunk[] = [];
  #length = 0;
  #bytes = '[]'.length;
  // The place that `#seek` found: piece `#at` of chunk `#chunk`, `#offset` units into it, or the end of the
  // last chunk. `#start` is the index at which that chunk begins; the next search starts there.
  #chunk = 0;
  #start = 0;
  #at = 0;
  #offset = 0;
  // The index of the last search, while nothing has changed since. Checking a place and editing it then
  // search once.
  #found = -1;

  /** UTF-16 units in the document. An embed counts 1. */
  get length(): number {
    return this.#length;
  }

  /**
   * Bytes of the snapshot in JSON. The number is about 30 too high for each piece that the snapshot joins
   * to its neighbour.
   */
  get bytes(): number {
    return this.#bytes;
  }

  endsWithNewline(): boolean {
    const last = this.#chunks[this.#chunks.length - 1]?.pieces;
    return last?.[last.length - 1]?.text.endsWith('\n') ?? false;
  }

  /** True if `index` lies between the two halves of a surrogate pair. */
  splitsPair(index: number): boolean {
    if (index >= this.#length) return false;
    const piece = this.#seek(index);
    return piece !== undefined && this.#offset > 0 && isPairAt(piece.text, this.#offset);
  }

  insert(index: number, value: string | Embed, attributes: Attributes | undefined): void {
    if (typeof value === 'string') this.#insertText(index, value, attributes);
    else {
      this.#seek(index);
      this.#split();
      this.#splice(this.#chunk, this.#at, 0, [embedPiece(value, attributes)]);
    }
  }

  remove(index: number, length: number): void {
    let left = length;
    this.#seek(index);
    while (left > 0) {
      const chunk = this.#chunkAt(this.#chunk);
      const piece = pieceAt(chunk, this.#at);
      const offset = this.#offset;
      const taken = Math.min(left, piece.text.length - offset);
      if (taken < piece.text.length) {
        const gone = textBytes(piece.text.slice(offset, offset + taken));
        const head = piece.text.slice(0, offset);
        const tail = piece.text.slice(offset + taken);
        this.#setText(chunk, piece, tail === '' ? own(head) : head === '' ? own(tail) : head + tail, -gone);
      } else {
        let end = this.#at + 1;
        let whole = taken;
        for (let next = chunk.pieces[end]; next !== undefined; next = chunk.pieces[end]) {
          if (next.text.length > left - whole) break;
          whole += next.text.length;
          end++;
        }
        left -= whole - taken;
        this.#splice(this.#chunk, this.#at, end - this.#at, []);
      }
      left -= taken;
      if (left > 0) this.#seek(index);
    }
    this.#seek(index);
    if (this.#offset === 0) this.#mergeLeft();
  }

  format(index: number, length: number, change: Attributes): void {
    let at = index;
    const end = index + length;
    while (at < end) {
      this.#seek(at);
      this.#split();
      const piece = pieceAt(this.#chunkAt(this.#chunk), this.#at);
      if (at + piece.text.length > end) {
        this.#offset = end - at;
        this.#split();
        this.#seek(at);
      }
      const formatted = pieceAt(this.#chunkAt(this.#chunk), this.#at);
      at += formatted.text.length;
      formatted.attributes = composeAttributes(formatted.attributes, change, false);
      this.#setOverhead(formatted, overheadOf(formatted.embed, formatted.attributes));
      this.#mergeLeft();
    }
    if (end < this.#length) {
      this.#seek(end);
      if (this.#offset === 0) this.#mergeLeft();
    }
  }

  /** Calls `visit` for each piece in the next `length` units. Stops and returns false if `visit` does. */
  everyPiece(index: number, length: number, visit: (piece: Piece) => boolean): boolean {
    return this.#walk(index, length, (_, piece) => visit(piece));
  }

  /** Adds to `out` the inserts that restore the next `length` units after their deletion. */
  addInserts(index: number, length: number, out: DeltaBuilder): void {
    this.#walk(index, length, (text, piece) => {
      out.insert(piece.embed ?? text, piece.attributes);
      return true;
    });
  }

  /**
   * Adds to `out` the formats that take `change` back from the next `length` units after it has been
   * applied.
   */
  addInverseFormat(index: number, length: number, change: Attributes, out: DeltaBuilder): void {
    this.#walk(index, length, (text, piece) => {
      out.retain(text.length, invertAttributes(change, piece.attributes));
      return true;
    });
  }

  /** The document in quill-delta's normal form. O(document). */
  toDelta(): Delta {
    const out: { insert: string | Embed; attributes?: Attributes }[] = [];
    let texts: string[] = [];
    let attributes: Attributes | undefined;
    const flush = () => {
      if (texts.length === 0) return;
      out.push(
        attributes === undefined ? { insert: texts.join('') } : { insert: texts.join(''), attributes },
      );
      texts = [];
    };
    for (const chunk of this.#chunks) {
      for (const piece of chunk.pieces) {
        if (piece.embed !== undefined) {
          flush();
          const insert = piece.embed;
          out.push(piece.attributes === undefined ? { insert } : { insert, attributes: piece.attributes });
          continue;
        }
        if (!sameAttributes(attributes, piece.attributes)) flush();
        attributes = piece.attributes;
        texts.push(piece.text);
      }
    }
    flush();
    return out;
  }

  #insertText(index: number, text: string, attributes: Attributes | undefined): void {
    const piece = this.#seek(index);
    const chunk = this.#chunks[this.#chunk];
    const offset = this.#offset;
    if (chunk !== undefined && offset > 0 && piece !== undefined) {
      if (canHold(piece, attributes)) {
        const joined = piece.text.slice(0, offset) + text + piece.text.slice(offset);
        if (joined.length <= PIECE_UNITS) this.#setText(chunk, piece, joined, textBytes(text));
        else this.#splice(this.#chunk, this.#at, 1, textPieces(joined, piece.attributes));
        return;
      }
      this.#split();
    } else if (chunk !== undefined) {
      const before = chunk.pieces[this.#at - 1];
      if (before !== undefined && canHold(before, attributes) && roomFor(before.text, text)) {
        this.#setText(chunk, before, before.text + text, textBytes(text));
        return;
      }
      if (piece !== undefined && canHold(piece, attributes) && roomFor(piece.text, text)) {
        this.#setText(chunk, piece, text + piece.text, textBytes(text));
        return;
      }
    }
    this.#splice(this.#chunk, this.#at, 0, textPieces(text, attributes));
  }

  /** Finds a place and returns the piece after or around it. Undefined at the end of the document. */
  #seek(index: number): Piece | undefined {
    const chunks = this.#chunks;
    if (index === this.#found) return chunks[this.#chunk]?.pieces[this.#at];
    this.#found = index;
    let c = this.#chunk;
    let start = this.#start;
    if (index < start - index) {
      c = 0;
      start = 0;
    }
    while (index < start) {
      c--;
      start -= this.#chunkAt(c).length;
    }
    let chunk = chunks[c];
    while (chunk !== undefined && index >= start + chunk.length && c < chunks.length - 1) {
      start += chunk.length;
      chunk = chunks[++c];
    }
    this.#chunk = c;
    this.#start = start;
    let at = 0;
    let offset = index - start;
    if (chunk !== undefined) {
      const pieces = chunk.pieces;
      for (let piece = pieces[0]; piece !== undefined; piece = pieces[++at]) {
        if (offset < piece.text.length) {
          this.#at = at;
          this.#offset = offset;
          return piece;
        }
        offset -= piece.text.length;
      }
    }
    this.#at = at;
    this.#offset = offset;
    return undefined;
  }

  /** Splits the piece around the found place, so that a piece begins there. */
  #split(): void {
    const offset = this.#offset;
    if (offset === 0) return;
    this.#found = -1;
    const chunk = this.#chunkAt(this.#chunk);
    const left = pieceAt(chunk, this.#at);
    const right: Piece = { ...left, text: own(left.text.slice(offset)) };
    left.text = own(left.text.slice(0, offset));
    this.#bytes += right.overhead;
    this.#at++;
    this.#offset = 0;
    chunk.pieces.splice(this.#at, 0, right);
    if (chunk.pieces.length <= CHUNK_PIECES) return;
    const index = this.#start + chunk.length - lengthFrom(chunk.pieces, this.#at);
    this.#rebalance(this.#chunk, chunk);
    this.#seek(index);
  }

  #walk(index: number, length: number, visit: (text: string, piece: Piece) => boolean): boolean {
    this.#seek(index);
    let c = this.#chunk;
    let at = this.#at;
    let offset = this.#offset;
    let left = length;
    while (left > 0) {
      const chunk = this.#chunkAt(c);
      const piece = chunk.pieces[at];
      if (piece === undefined) {
        c++;
        at = 0;
        continue;
      }
      const taken = Math.min(left, piece.text.length - offset);
      const text = taken === piece.text.length ? piece.text : piece.text.slice(offset, offset + taken);
      if (!visit(text, piece)) return false;
      left -= taken;
      offset = 0;
      at++;
    }
    return true;
  }

  /** Joins the found piece to the one before it in its chunk if both are text of one formatting. */
  #mergeLeft(): void {
    const chunk = this.#chunks[this.#chunk];
    const piece = chunk?.pieces[this.#at];
    const before = chunk?.pieces[this.#at - 1];
    if (chunk === undefined || piece === undefined || before === undefined || piece.embed !== undefined)
      return;
    if (!canHold(before, piece.attributes)) return;
    if (!roomFor(before.text, piece.text)) return;
    this.#found = -1;
    before.text = flat(before.text + piece.text);
    this.#bytes -= piece.overhead;
    chunk.pieces.splice(this.#at, 1);
  }

  #splice(c: number, at: number, removed: number, added: Piece[]): void {
    this.#found = -1;
    let chunk = this.#chunks[c];
    if (chunk === undefined) {
      chunk = { pieces: [], length: 0 };
      this.#chunks.push(chunk);
    }
    let change = 0;
    for (const piece of added) {
      change += piece.text.length;
      this.#bytes += piece.overhead + textBytes(piece.text);
    }
    for (let i = at; i < at + removed; i++) {
      const piece = pieceAt(chunk, i);
      change -= piece.text.length;
      this.#bytes -= piece.overhead + textBytes(piece.text);
    }
    if (added.length > CHUNK_PIECES) {
      chunk.pieces = [...chunk.pieces.slice(0, at), ...added, ...chunk.pieces.slice(at + removed)];
    } else {
      chunk.pieces.splice(at, removed, ...added);
    }
    chunk.length += change;
    this.#length += change;
    this.#rebalance(c, chunk);
  }

  /**
   * Keeps each chunk neither empty nor too full. The index at which a chunk begins never moves, so the last
   * search stays valid.
   */
  #rebalance(c: number, chunk: Chunk): void {
    const pieces = chunk.pieces;
    if (pieces.length > CHUNK_PIECES) {
      const parts: Chunk[] = [];
      for (let i = 0; i < pieces.length; i += CHUNK_PIECES / 2) {
        const part = pieces.slice(i, i + CHUNK_PIECES / 2);
        parts.push({ pieces: part, length: part.reduce((sum, piece) => sum + piece.text.length, 0) });
      }
      if (parts.length <= CHUNK_PIECES) this.#chunks.splice(c, 1, ...parts);
      else this.#chunks = [...this.#chunks.slice(0, c), ...parts, ...this.#chunks.slice(c + 1)];
      return;
    }
    if (pieces.length > CHUNK_PIECES / 4) return;
    const next = this.#chunks[c + 1];
    if (next !== undefined && pieces.length + next.pieces.length <= CHUNK_PIECES / 2) {
      chunk.pieces.push(...next.pieces);
      chunk.length += next.length;
      this.#chunks.splice(c + 1, 1);
    }
    if (chunk.pieces.length > 0) return;
    this.#chunks.splice(c, 1);
    this.#chunk = 0;
    this.#start = 0;
  }

  #setText(chunk: Chunk, piece: Piece, text: string, bytes: number): void {
    this.#found = -1;
    const change = text.length - piece.text.length;
    chunk.length += change;
    this.#length += change;
    this.#bytes += bytes;
    piece.text = flat(text);
  }

  #setOverhead(piece: Piece, overhead: number): void {
    this.#bytes += overhead - piece.overhead;
    piece.overhead = overhead;
  }

  #chunkAt(c: number): Chunk {
    const chunk = this.#chunks[c];
    if (chunk === undefined) throw new RangeError('place outside of the document');
    return chunk;
  }
}

function pieceAt(chunk: Chunk, at: number): Piece {
  const piece = chunk.pieces[at];
  if (piece === undefined) throw new RangeError('place outside of the document');
  return piece;
}

function lengthFrom(pieces: readonly Piece[], at: number): number {
  let length = 0;
  for (let i = at; i < pieces.length; i++) length += pieces[i]?.text.length ?? 0;
  return length;
}
