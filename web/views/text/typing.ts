// Formats text while it is typed: `# `, `> ` and fences begin lines, `**bold**` and similar marks become
// formats, addresses become links. Each is an undo step of its own, so that one undo gives back the typed
// characters. The pure rules for text come first, then their connection to Quill.
import { Delta } from '../../../client/ot/delta.ts';
import type { Quill } from './quill.ts';

/** A stretch of the text before the caret that becomes formatted, without its markers. */
export interface Marked {
  readonly format: 'bold' | 'italic' | 'strike' | 'code';
  /** Offset from the beginning of the text before the caret. */
  readonly start: number;
  /** Code units of the marker on each side. */
  readonly marker: number;
  readonly length: number;
}

export interface Address {
  readonly start: number;
  readonly length: number;
  readonly url: string;
}

const MARKERS = [
  { format: 'bold', pattern: /(\*\*)([^\s*](?:[^*]*[^\s*])?)\*\*$/ },
  { format: 'strike', pattern: /(~~)([^\s~](?:[^~]*[^\s~])?)~~$/ },
  { format: 'italic', pattern: /(?<![*\w])(\*)([^\s*](?:[^*]*[^\s*])?)\*$/ },
  { format: 'italic', pattern: /(?<![_\w])(_)([^\s_](?:[^_]*[^\s_])?)_$/ },
  { format: 'code', pattern: /(`)([^`]+)`$/ },
] as const;

const ADDRESS = /(?<![\w@/])(?:https?:\/\/|www\.)[^\s<>"'`]+/gi;
/**
 * Punctuation that ends a sentence rather than an address. A closing bracket belongs to the address if it
 * opens there.
 */
const AFTER_ADDRESS = /[.,;:!?…'"*_~]+$/;
/** Longer text is not searched for addresses. */
const SEARCHED_UNITS = 100_000;

/** The stretch that the last typed character completes, if any. */
export function markedBefore(text: string): Marked | undefined {
  for (const { format, pattern } of MARKERS) {
    const match = pattern.exec(text);
    const [, marker = '', words = ''] = match ?? [];
    if (match !== null) return { format, start: match.index, marker: marker.length, length: words.length };
  }
  return undefined;
}

/** The addresses in a text, without the punctuation after them. */
export function addressesIn(text: string): Address[] {
  return [...text.matchAll(ADDRESS)].flatMap((match) => {
    let address = match[0].replace(AFTER_ADDRESS, '');
    while (address.endsWith(')') && address.split(')').length > address.split('(').length)
      address = address.slice(0, -1).replace(AFTER_ADDRESS, '');
    if (!/^(?:https?:\/\/|www\.)[^./]/i.test(address)) return [];
    const url = /^www\./i.test(address) ? `https://${address}` : address;
    return [{ start: match.index, length: address.length, url }];
  });
}

/** Lines that begin with these characters and a space take the format instead. */
const LINE_STARTS = {
  'header autofill': { prefix: /^#{1,3}$/, format: 'header', value: (typed: string) => typed.length },
  'quote autofill': { prefix: /^>$/, format: 'blockquote', value: () => true },
  'code autofill': { prefix: /^```$/, format: 'code-block', value: () => true },
} as const;

/** Bindings for Quill's keyboard module. */
export const LINE_START_BINDINGS = Object.fromEntries(
  Object.entries(LINE_STARTS).map(([name, { prefix, format, value }]) => [
    name,
    {
      key: ' ',
      shiftKey: null,
      collapsed: true,
      prefix,
      handler(this: { quill: Quill }, range: { index: number }, context: { prefix: string; offset: number }) {
        const { quill } = this;
        const inside = quill.getFormat(range.index);
        if (context.offset !== context.prefix.length || inside['code-block'] !== undefined) return true;
        quill.insertText(range.index, ' ', 'user');
        quill.history.cutoff();
        const typed = context.prefix.length;
        const rest = quill.getLine(range.index)[0]?.length() ?? typed + 2;
        const delta = new Delta()
          .retain(range.index - typed)
          .delete(typed + 1)
          .retain(rest - typed - 2)
          .retain(1, { header: null, list: null, blockquote: null, [format]: value(context.prefix) });
        quill.updateContents(delta, 'user');
        quill.history.cutoff();
        quill.setSelection(range.index - typed, 0, 'silent');
        return false;
      },
    },
  ]),
);

/** Watches typing and pasting. */
export function formatWhileTyping(quill: Quill): void {
  quill.on('text-change', (delta, _before, source) => {
    if (source !== 'user' || delta.length() > SEARCHED_UNITS) return;
    // Runs after the document has the text, so that the formats are an edit of their own.
    queueMicrotask(() => {
      if (quill.composition.isComposing || !quill.isEnabled()) return;
      linkAddresses(quill, delta);
      markWords(quill, delta);
    });
  });
}

function markWords(quill: Quill, delta: Delta): void {
  const typed = delta.ops.at(-1)?.insert;
  const caret = quill.getSelection();
  if (typed === undefined || typeof typed !== 'string' || !'*_~`'.includes(typed)) return;
  if (caret === null || caret.length > 0 || caret.index !== endOfInsert(delta)) return;
  const [line, offset] = quill.getLine(caret.index);
  if (line === null || isCode(quill, caret.index)) return;
  const lineStart = caret.index - offset;
  const marked = markedBefore(textOf(quill, lineStart, offset));
  if (marked === undefined) return;
  const { format, start, marker, length } = marked;
  quill.history.cutoff();
  quill.updateContents(
    new Delta()
      .retain(lineStart + start)
      .delete(marker)
      .retain(length, { [format]: true })
      .delete(marker),
    'user',
  );
  quill.history.cutoff();
  quill.setSelection(lineStart + start + length, 0, 'silent');
  quill.format(format, false, 'silent');
}

function linkAddresses(quill: Quill, delta: Delta): void {
  let index = 0;
  const found: Address[] = [];
  for (const { insert, retain, attributes } of delta.ops) {
    if (typeof insert === 'string' && attributes?.link === undefined && attributes?.code === undefined) {
      found.push(...(/^\s$/.test(insert) ? addressBefore(quill, index) : addressesPasted(insert, index)));
    }
    index += typeof insert === 'string' ? insert.length : typeof retain === 'number' ? retain : 1;
  }
  if (found.length === 0) return;
  quill.history.cutoff();
  for (const { start, length, url } of found) {
    const { link } = quill.getFormat(start, length);
    if (link === undefined && !isCode(quill, start)) quill.formatText(start, length, 'link', url, 'user');
  }
  quill.history.cutoff();
}

/**
 * The addresses in several characters that came at once. A single character is typed, and ends an address
 * before it.
 */
function addressesPasted(text: string, index: number): Address[] {
  if (text.length < 2) return [];
  return addressesIn(text).map((address) => ({ ...address, start: address.start + index }));
}

/** The address that ends at the white space at `index`. */
function addressBefore(quill: Quill, index: number): Address[] {
  const [, offset] = quill.getLine(index);
  const start = index - offset;
  const text = textOf(quill, start, offset);
  const last = addressesIn(text).at(-1);
  if (last === undefined || /\s/.test(text.slice(last.start))) return [];
  return [{ ...last, start: last.start + start }];
}

/** The text of a range in which an embed stands as one character, so that positions are right. */
function textOf(quill: Quill, index: number, length: number): string {
  const contents: Delta = quill.getContents(index, length);
  return contents.ops.map(({ insert }) => (typeof insert === 'string' ? insert : '\ufffc')).join('');
}

function isCode(quill: Quill, index: number): boolean {
  const format = quill.getFormat(index);
  return format['code-block'] !== undefined || format.code !== undefined;
}

function endOfInsert(delta: Delta): number {
  return delta.ops.reduce(
    (end, { insert, retain }) =>
      end + (typeof insert === 'string' ? insert.length : typeof retain === 'number' ? retain : 0),
    0,
  );
}
