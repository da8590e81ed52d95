// The author of each part of a rich-text document: patch after patch is folded into the lengths of the text of
// each author. Owns no text; `authoredText` joins the authors with the content. Pure.
//
// The author of text is the user who inserted it. A format changes no author.
import type { Delta, Step } from '../rich-text/delta.ts';
import { stepLength } from '../rich-text/delta.ts';
import type { AuthorOrNone } from './author.ts';
import { RunList } from './run-list.ts';

export type RichTextAuthors = RunList<AuthorOrNone>;

/** The authors of a document of this length of which nothing is known. A new document has length 1. */
export function unknownText(length: number): RichTextAuthors {
  const authors: RichTextAuthors = new RunList();
  authors.insert(0, length, undefined);
  return authors;
}

/** Folds the next committed patch. Throws if it does not fit. */
export function foldTextAuthor(authors: RichTextAuthors, op: Delta, author: AuthorOrNone): void {
  let index = 0;
  for (const step of op) {
    const length = stepLength(step);
    if (step.insert !== undefined) authors.insert(index, length, author);
    else if (step.delete !== undefined) authors.remove(index, length);
    if (step.delete === undefined) index += length;
  }
}

/** An insert of a document with its author. */
export interface AuthoredInsert extends Step {
  readonly author?: { readonly user: string; readonly at: string; readonly version: number };
}

/** Above this number of inserts, neighbours of one user are joined. */
export const MOST_INSERTS = 10_000;

/**
 * The document with the author of each insert. With more than `most` inserts, neighbours that one user wrote in
 * several patches are joined, and carry the latest of them.
 */
export function authoredText(
  content: Delta,
  authors: RichTextAuthors,
  most = MOST_INSERTS,
): AuthoredInsert[] {
  const exact = joined([...authors.runs()], (a, b) => a === b);
  const pieces = exact.length <= most ? exact : joined(exact, (a, b) => a?.user === b?.user);
  return piecesOf(content, pieces);
}

type Piece = readonly [length: number, author: AuthorOrNone];

function joined(pieces: readonly Piece[], same: (a: AuthorOrNone, b: AuthorOrNone) => boolean): Piece[] {
  const out: Piece[] = [];
  for (const [length, author] of pieces) {
    const last = out.at(-1);
    if (last === undefined || !same(last[1], author)) out.push([length, author]);
    else out[out.length - 1] = [last[0] + length, later(last[1], author)];
  }
  return out;
}

const later = (a: AuthorOrNone, b: AuthorOrNone): AuthorOrNone =>
  (a?.version ?? 0) > (b?.version ?? 0) ? a : b;

function piecesOf(content: Delta, pieces: readonly Piece[]): AuthoredInsert[] {
  const out: AuthoredInsert[] = [];
  let piece = 0;
  let used = 0;
  for (const step of content) {
    const length = stepLength(step);
    for (let from = 0; from < length; ) {
      const [pieceLength, author] = pieces[piece] ?? [Number.POSITIVE_INFINITY, undefined];
      let taken = Math.min(length - from, pieceLength - used);
      const { insert } = step;
      // Two patches never meet inside a surrogate pair; a pair stays whole all the same.
      if (
        typeof insert === 'string' &&
        isFirstHalf(insert.charCodeAt(from + taken - 1)) &&
        from + taken < length
      )
        taken++;
      out.push({
        ...step,
        ...(typeof insert === 'string' ? { insert: insert.slice(from, from + taken) } : {}),
        ...(author === undefined ? {} : { author: shown(author) }),
      });
      from += taken;
      used += taken;
      while (used > 0 && used >= (pieces[piece]?.[0] ?? Number.POSITIVE_INFINITY)) {
        used -= pieces[piece]?.[0] ?? 0;
        piece++;
      }
    }
  }
  return out;
}

const isFirstHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

/** The author as it stands in answers. */
export const shown = ({ user, at, version }: NonNullable<AuthorOrNone>) => ({
  user,
  at: new Date(at).toISOString(),
  version,
});
