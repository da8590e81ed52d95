// The author of each part of a rich-text document: patch after patch is folded into the lengths of the text of
// each author. Owns no text; `authoredText` joins the authors with the content. Pure.
//
// The author of text is the user who inserted it. A format changes no author.
import type { Delta, Step } from '../rich-text/delta.ts';
import { stepLength } from '../rich-text/delta.ts';
import { DELETE, INSERT } from '../rich-text/step-lengths.ts';
import type { Author, AuthorOrNone } from './author.ts';
import { AuthorTable, NOBODY } from './author-table.ts';
import { RunList } from './run-list.ts';

export interface RichTextAuthors {
  /** The lengths of text, each with the version that inserted it, or NOBODY. */
  readonly runs: RunList<number>;
  /** The authors of these versions. */
  readonly table: AuthorTable;
}

/** The authors of a document of this length of which nothing is known. A new document has length 1. */
export function unknownText(length: number): RichTextAuthors {
  const runs = new RunList<number>();
  runs.insert(0, length, NOBODY);
  return { runs, table: new AuthorTable() };
}

/** Folds the next committed patch. Throws if it does not fit. */
export function foldTextAuthor({ runs, table }: RichTextAuthors, op: Delta, author: Author): void {
  table.add(author);
  let index = 0;
  for (const step of op) {
    const length = stepLength(step);
    if (step.insert !== undefined) runs.insert(index, length, author.version);
    else if (step.delete !== undefined) runs.remove(index, length);
    if (step.delete === undefined) index += length;
  }
}

/** Folds a patch by its `steps`: what each does and its length, in turn, as readStepLengths writes them. */
export function foldTextLengths(
  { runs, table }: RichTextAuthors,
  steps: readonly number[],
  count: number,
  author: Author,
): void {
  table.add(author);
  let index = 0;
  for (let i = 0; i < count; i += 2) {
    const length = steps[i + 1] ?? 0;
    if (steps[i] === INSERT) runs.insert(index, length, author.version);
    else if (steps[i] === DELETE) runs.remove(index, length);
    if (steps[i] !== DELETE) index += length;
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
  { runs, table }: RichTextAuthors,
  most = MOST_INSERTS,
): AuthoredInsert[] {
  const exact = joined(runs.runs(), (version) => version);
  const pieces = exact.length <= most ? exact : joined(exact, (version) => table.userOf(version));
  return piecesOf(content, pieces, table);
}

type Piece = readonly [length: number, version: number];

/** Joins neighbours for which `of` has the same answer. */
function joined(pieces: Iterable<Piece>, of: (version: number) => unknown): Piece[] {
  const out: [length: number, version: number][] = [];
  let last: [length: number, version: number] | undefined;
  let before: unknown;
  for (const [length, version] of pieces) {
    const mark = of(version);
    if (last === undefined || mark !== before) {
      last = [length, version];
      out.push(last);
    } else {
      last[0] += length;
      last[1] = Math.max(last[1], version);
    }
    before = mark;
  }
  return out;
}

function piecesOf(content: Delta, pieces: readonly Piece[], table: AuthorTable): AuthoredInsert[] {
  const out: AuthoredInsert[] = [];
  let piece = 0;
  let used = 0;
  for (const step of content) {
    const length = stepLength(step);
    for (let from = 0; from < length; ) {
      const [pieceLength, version] = pieces[piece] ?? [Number.POSITIVE_INFINITY, NOBODY];
      const author = table.of(version);
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
