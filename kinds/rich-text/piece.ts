// A piece of a rich-text document: text of one formatting, or one embed, with its size in JSON. It owns the
// size of pieces and their memory; it never knows the position of a piece.
import { type Attributes, sameAttributes } from './attributes.ts';
import type { Embed } from './delta.ts';

/** Most UTF-16 units in a piece. Typing into a piece copies it. */
export const PIECE_UNITS = 1024;

/** The `text` of an embed is one placeholder unit, so that lengths and neighbours need no special case. */
export interface Piece {
  text: string;
  readonly embed: Embed | undefined;
  attributes: Attributes | undefined;
  /** Bytes in JSON, without the text. */
  overhead: number;
}

const EMBED_PLACEHOLDER = '\uFFFC';

const textPiece = (text: string, attributes: Attributes | undefined): Piece => ({
  text: own(text),
  embed: undefined,
  attributes,
  overhead: overheadOf(undefined, attributes),
});

export const embedPiece = (embed: Embed, attributes: Attributes | undefined): Piece => ({
  text: EMBED_PLACEHOLDER,
  embed,
  attributes,
  overhead: overheadOf(embed, attributes),
});

/** Long text is split into half-full pieces, so that the next edits find room. */
export function textPieces(text: string, attributes: Attributes | undefined): Piece[] {
  if (text.length <= PIECE_UNITS) return [textPiece(text, attributes)];
  const pieces: Piece[] = [];
  const overhead = overheadOf(undefined, attributes);
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + PIECE_UNITS / 2, text.length);
    if (to < text.length && isPairAt(text, to)) to++;
    pieces.push({ text: own(text.slice(from, to)), embed: undefined, attributes, overhead });
    from = to;
  }
  return pieces;
}

export const canHold = (piece: Piece, attributes: Attributes | undefined): boolean =>
  piece.embed === undefined && sameAttributes(piece.attributes, attributes);

export const roomFor = (a: string, b: string): boolean => a.length + b.length <= PIECE_UNITS;

export const isPairAt = (text: string, offset: number): boolean =>
  (text.charCodeAt(offset) & 0xfc00) === 0xdc00 && (text.charCodeAt(offset - 1) & 0xfc00) === 0xd800;

/**
 * Gives a concatenation memory of its own. V8 keeps a concatenation as a tree of its parts until a
 * character is read; the read copies it into one flat string and lets the parts go. In other engines the
 * read is harmless.
 */
export function flat(text: string): string {
  text.charCodeAt(0);
  return text;
}

/** The same for a slice. V8 keeps a slice as a view that holds the whole string from which it was cut. */
export const own = (text: string): string => flat(text.slice(0, 1) + text.slice(1));

export function overheadOf(embed: Embed | undefined, attributes: Attributes | undefined): number {
  let bytes = embed === undefined ? '{"insert":""},'.length : '{"insert":},'.length + jsonBytes(embed);
  // The placeholder of an embed is counted as text.
  if (attributes !== undefined) bytes += ',"attributes":'.length + jsonBytes(attributes);
  return bytes;
}

function jsonBytes(value: Embed | Attributes): number {
  const text = JSON.stringify(value);
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) bytes += code > 0x7ff ? 2 : 1;
  }
  return bytes;
}

/** Bytes of a well-formed text inside a JSON string, UTF-8. */
export function textBytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) bytes += code > 0x7ff ? ((code & 0xf800) === 0xd800 ? 1 : 2) : 1;
    else if (code < 0x20) bytes += code >= 8 && code <= 13 && code !== 11 ? 1 : 5;
    else if (code === 0x22 || code === 0x5c) bytes += 1;
  }
  return bytes;
}
