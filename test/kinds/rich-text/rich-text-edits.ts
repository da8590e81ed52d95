// Random edits for the tests of kind rich-text: scripts that fast-check can shrink, turned into
// patches that fit a given document and never cut a surrogate pair.
import fc from 'fast-check';
import type { Attributes } from '../../../kinds/rich-text/attributes.ts';
import type { Delta, Step } from '../../../kinds/rich-text/delta.ts';
import { parseDelta } from '../../../kinds/rich-text/parse.ts';
import { type Runs, richTextKind } from '../../../kinds/rich-text/rich-text.ts';

/** FUZZ_RUNS multiplies the runs of every property: FUZZ_RUNS=100 makes a long run. */
export const runs = (count: number): number => Math.ceil(count * Number(process.env.FUZZ_RUNS ?? '1'));

/** The document as a client that loads its snapshot has it. */
export function snapshotOf(state: Runs): Delta {
  const parsed = parseDelta(richTextKind.snapshot(state), Number.POSITIVE_INFINITY);
  if (!parsed.ok) throw new Error(`not a rich-text snapshot: ${parsed.message}`);
  return parsed.value;
}

const TEXTS = ['a', 'b\n', 'xyz', '😀', 'é', '👨‍👩‍👧', '\n', '"\\\t', '中文', 'hello world ', '\u0001'];
const FORMATS: Attributes[] = [
  { bold: true },
  { bold: null },
  { bold: null, link: 'https://example.org' },
  { color: 'red' },
  { color: 'blue', bold: true },
  { color: null },
  { table: { row: 1, cell: { id: 'ä', empty: null } } },
  { table: { row: 2 } },
  { table: null },
];
const EMBEDS = [{ image: 'a.png' }, { formula: { tex: 'e=mc^2' } }, { divider: null }];

export interface ScriptStep {
  readonly skip: number;
  readonly action: 'insert' | 'embed' | 'delete' | 'format' | 'long';
  readonly length: number;
  readonly pick: number;
}
export type Script = readonly ScriptStep[];

export const script = (maxLength = 4): fc.Arbitrary<Script> =>
  fc.array(
    fc.record({
      skip: fc.nat(30),
      action: fc.constantFrom('insert', 'insert', 'insert', 'delete', 'delete', 'format', 'embed'),
      length: fc.integer({ min: 1, max: 12 }),
      pick: fc.nat(1000),
    }),
    { maxLength, minLength: 1 },
  ) as fc.Arbitrary<Script>;

/** The text of a document, with a placeholder for each embed. */
export const textOf = (document: Delta): string =>
  document.map((step) => (typeof step.insert === 'string' ? step.insert : '\uFFFC')).join('');

/** The patch of a script on a document with this text. Positions wrap around. */
export function patchFor(edits: Script, text: string): Delta {
  const out: Step[] = [];
  let index = 0;
  const align = (to: number): number => (insidePair(text, to) ? to + 1 : to);
  for (const { skip, action, length, pick } of edits) {
    const left = text.length - index;
    // A large skip spreads edits over long documents too.
    const to = align(index + (left === 0 ? 0 : (skip * (pick + 1)) % (left + 1)));
    if (to > index) out.push({ retain: to - index });
    index = to;
    const end = align(Math.min(text.length, index + length));
    if (action === 'delete' || action === 'format') {
      if (end === index) continue;
      out.push(
        action === 'delete'
          ? { delete: end - index }
          : { retain: end - index, attributes: choose(FORMATS, pick) },
      );
      index = end;
    } else if (action === 'embed') {
      out.push({ insert: choose(EMBEDS, pick) });
    } else {
      const insert = action === 'long' ? choose(TEXTS, pick).repeat(length) : choose(TEXTS, pick);
      const attributes = choose(FORMATS, pick + length);
      const plain = pick % 3 !== 0 || Object.values(attributes).includes(null);
      out.push(plain ? { insert } : { insert, attributes });
    }
  }
  return out;
}

export const insidePair = (text: string, index: number): boolean =>
  /^[\uDC00-\uDFFF]$/.test(text.charAt(index)) && /^[\uD800-\uDBFF]$/.test(text.charAt(index - 1));

function choose<T>(from: readonly T[], pick: number): T {
  const value = from[pick % from.length];
  if (value === undefined) throw new Error('nothing to choose from');
  return value;
}
