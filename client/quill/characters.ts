// Makes edits contain whole characters. An editor that finds changes by comparing text finds single UTF-16
// units, and half an emoji is no text that a document would take. Pure.
import { Delta } from '../ot/delta.ts';

/**
 * The patch with no character cut in two: if it would cut one, the whole changed stretch is written anew,
 * without halves. Returns the same object if nothing had to be done. `before` is the document that the patch
 * is made on.
 */
export function withWholeCharacters(patch: Delta, before: Delta): Delta {
  const { from, to, inserted, whole } = extent(patch, before);
  if (whole) return patch;
  const start = cutsPair(before, from) ? from - 1 : from;
  const end = cutsPair(before, to) ? to + 1 : to;
  const written = before.compose(patch).slice(start, end + inserted);
  const anew = new Delta().retain(start);
  let borrowed = 0;
  written.ops.forEach(({ insert, attributes }, index) => {
    if (typeof insert !== 'string') {
      if (insert !== undefined) anew.insert(insert, attributes);
      return;
    }
    // A character whose halves differ in their formats takes the formats of the first half.
    const next = written.ops[index + 1]?.insert;
    const halves = typeof next === 'string' && PAIR.test(insert.slice(-1) + next.charAt(0));
    const text = insert.slice(borrowed) + (halves ? next.charAt(0) : '');
    borrowed = halves ? 1 : 0;
    anew.insert(text.replace(HALF, ''), attributes);
  });
  return anew.delete(end - start);
}

const PAIR = /^[\ud800-\udbff][\udc00-\udfff]$/;
const HALF = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

interface Extent {
  /** Start of the changed stretch of the document. */
  readonly from: number;
  readonly to: number;
  /** Code units by which the stretch grows; negative if it shrinks. */
  readonly inserted: number;
  /** Whether no operation begins, ends or inserts within a character. */
  readonly whole: boolean;
}

function extent(patch: Delta, before: Delta): Extent {
  let from: number | undefined;
  let to = 0;
  let inserted = 0;
  let whole = true;
  let index = 0;
  for (const { insert, retain, attributes, delete: removed } of patch.ops) {
    const length = removed ?? (typeof retain === 'number' ? retain : retain === undefined ? 0 : 1);
    const changes = insert !== undefined || removed !== undefined || attributes !== undefined;
    if (changes) {
      from ??= index;
      to = index + length;
      whole &&= !cutsPair(before, index) && !cutsPair(before, to);
      if (typeof insert === 'string') whole &&= insert.search(HALF) < 0;
      inserted += insert === undefined ? -(removed ?? 0) : typeof insert === 'string' ? insert.length : 1;
    }
    index += length;
  }
  return { from: from ?? 0, to, inserted, whole };
}

/** Whether a position of the document lies within a character. */
function cutsPair(document: Delta, position: number): boolean {
  if (position === 0) return false;
  const [around] = document.slice(position - 1, position + 1).ops;
  return typeof around?.insert === 'string' && PAIR.test(around.insert);
}
