// The patch that leads from one rich-text document to another. quill-delta finds the common text; this file
// keeps the patch to whole code points, bounds the work, and compares formats and embeds. It always returns a
// patch: at worst one that replaces the whole document. Pure.

import type { Json } from '../../protocol/messages.ts';
import { equal } from '../json/value.ts';
import { type Attributes, sameAttributes } from './attributes.ts';
import { DeltaBuilder, type Step, type Delta as Steps, stepLength } from './delta.ts';
import { Delta } from './quill-delta.ts';

/** A stretch of text that both documents have, in UTF-16 code units. */
interface Common {
  readonly before: number;
  readonly after: number;
  readonly length: number;
}

/**
 * Pairs of code points or of lines that one difference may compare. Past it, the differing text is replaced
 * as a whole.
 */
const MOST_PAIRS = 4_000_000;
/** Distinct code points or lines of one comparison: each is written as one code unit below the surrogates. */
const MOST_TOKENS = 50_000;

/** `before` and `after` are documents (inserts only) that cut no surrogate pair; neither does the result. */
export function richTextDifference(before: Steps, after: Steps): Steps {
  const old = new Reader(before);
  const fresh = new Reader(after);
  const out = new DeltaBuilder();
  for (const common of commonStretches(plainText(before), plainText(after))) {
    replace(old, common.before, fresh, common.after, out);
    compareFormats(old, fresh, common.length, out);
  }
  replace(old, Number.POSITIVE_INFINITY, fresh, Number.POSITIVE_INFINITY, out);
  return out.chopped();
}

// ---- text

/** Stands for an embed, whose value is compared later. */
export const EMBED = '\u0000';

const plainText = (document: Steps): string =>
  document.map(({ insert }) => (typeof insert === 'string' ? insert : EMBED)).join('');

function commonStretches(before: string, after: string): Common[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  if (start > 0 && isFirstHalf(before.charCodeAt(start - 1))) start--;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  if (isSecondHalf(before.charCodeAt(before.length - end))) end--;
  const middle = compare(before.slice(start, before.length - end), after.slice(start, after.length - end));
  return [
    { before: 0, after: 0, length: start },
    ...middle.map((common) => shifted(common, start, start)),
    { before: before.length - end, after: after.length - end, length: end },
  ];
}

const isFirstHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isSecondHalf = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

const codePoints = (text: string): string[] => Array.from(text);
const lines = (text: string): string[] => text.split(/(?<=\n)/);

/**
 * Compares by code points if the budget allows it; otherwise by lines, and then the differing lines by code
 * points as far as the budget goes.
 */
function compare(before: string, after: string): Common[] {
  const budget = { pairs: MOST_PAIRS };
  const short = compareTokens(before, after, codePoints, budget);
  if (short !== undefined) return short;
  const same = compareTokens(before, after, lines, budget) ?? [];
  const common: Common[] = [];
  let at = { before: 0, after: 0 };
  for (const stretch of [...same, { before: before.length, after: after.length, length: 0 }]) {
    const gone = before.slice(at.before, stretch.before);
    const come = after.slice(at.after, stretch.after);
    for (const part of compareTokens(gone, come, codePoints, budget) ?? []) {
      common.push(shifted(part, at.before, at.after));
    }
    common.push(stretch);
    at = { before: stretch.before + stretch.length, after: stretch.after + stretch.length };
  }
  return common;
}

/**
 * The common text of two texts, token by token: each distinct token becomes one code unit, so that
 * quill-delta finds whole tokens. Undefined if the budget does not allow it.
 */
function compareTokens(
  before: string,
  after: string,
  split: (text: string) => string[],
  budget: { pairs: number },
): Common[] | undefined {
  if (before === '' || after === '') return [];
  const old = split(before);
  const fresh = split(after);
  const pairs = old.length * fresh.length;
  if (pairs > budget.pairs || old.length + fresh.length > MOST_TOKENS) return undefined;
  budget.pairs -= pairs;
  const units = new Map<string, string>();
  const write = (tokens: readonly string[]): Delta => {
    const text = tokens.map((token) => {
      const unit = units.get(token) ?? String.fromCharCode(units.size + 1);
      units.set(token, unit);
      return unit;
    });
    return new Delta().insert(text.join(''));
  };
  const length = (tokens: readonly string[]) => tokens.reduce((sum, token) => sum + token.length, 0);
  const common: Common[] = [];
  let [inOld, inFresh] = [0, 0];
  let at = { before: 0, after: 0 };
  const keep = (count: number) => {
    const kept = length(old.slice(inOld, inOld + count));
    common.push({ ...at, length: kept });
    at = { before: at.before + kept, after: at.after + kept };
    inOld += count;
    inFresh += count;
  };
  for (const { retain, delete: gone = 0, insert = '' } of write(old).diff(write(fresh)).ops) {
    if (typeof retain === 'number') {
      keep(retain);
      continue;
    }
    const come = typeof insert === 'string' ? insert.length : 0;
    at = {
      before: at.before + length(old.slice(inOld, inOld + gone)),
      after: at.after + length(fresh.slice(inFresh, inFresh + come)),
    };
    inOld += gone;
    inFresh += come;
  }
  // A patch does not contain the text that is kept at its end.
  keep(old.length - inOld);
  return common;
}

const shifted = ({ before, after, length }: Common, byBefore: number, byAfter: number): Common => ({
  before: before + byBefore,
  after: after + byAfter,
  length,
});

// ---- the patch

/** Deletes the old document up to one position and inserts the fresh one up to another. */
function replace(old: Reader, toOld: number, fresh: Reader, toFresh: number, out: DeltaBuilder): void {
  while (fresh.at < toFresh && fresh.left > 0) out.push(fresh.take(toFresh - fresh.at));
  while (old.at < toOld && old.left > 0) out.delete(stepLength(old.take(toOld - old.at)));
}

/** Keeps a common stretch, with the formats of the fresh document; embeds that differ are replaced. */
function compareFormats(old: Reader, fresh: Reader, length: number, out: DeltaBuilder): void {
  for (let left = length; left > 0; ) {
    const most = Math.min(left, old.left, fresh.left);
    const gone = old.take(most);
    const come = fresh.take(most);
    if (sameContent(gone, come)) {
      out.retain(most, formatChange(gone.attributes, come.attributes));
    } else {
      out.push(come);
      out.delete(most);
    }
    left -= most;
  }
}

/**
 * Whether two steps of equal text have equal content: an embed and the character that stands for it differ.
 */
const sameContent = ({ insert: a = '' }: Step, { insert: b = '' }: Step): boolean =>
  typeof a === 'string' ? a === b : typeof b !== 'string' && equal(a as Json, b as Json);

function formatChange(from: Attributes | undefined, to: Attributes | undefined): Attributes | undefined {
  if (sameAttributes(from, to)) return undefined;
  const change: Record<string, Json> = {};
  for (const name of Object.keys(from ?? {})) if (to?.[name] === undefined) change[name] = null;
  for (const [name, value] of Object.entries(to ?? {})) {
    if (!equal(from?.[name] ?? null, value)) change[name] = value;
  }
  return Object.keys(change).length === 0 ? undefined : change;
}

/** Reads a document piece by piece. */
class Reader {
  /** The reader's position in code units. */
  at = 0;
  readonly #steps: Steps;
  #index = 0;
  #offset = 0;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  /** Code units left of the current run; 0 at the end of the document. */
  get left(): number {
    const step = this.#steps[this.#index];
    return step === undefined ? 0 : stepLength(step) - this.#offset;
  }

  /** The rest of the run, of at most this length. */
  take(most: number): Step {
    const step = this.#steps[this.#index] ?? { insert: '' };
    const length = Math.min(most, this.left);
    const from = this.#offset;
    this.at += length;
    this.#offset += length;
    if (this.left === 0) {
      this.#index++;
      this.#offset = 0;
    }
    return typeof step.insert === 'string'
      ? { ...step, insert: step.insert.slice(from, from + length) }
      : step;
  }
}
