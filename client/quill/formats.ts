// The formats and embeds that an editor can show, according to its registry. Formats that it cannot show stay
// in the document and are left out of the editor; embeds are shown as chips.
import type Quill from 'quill';

/**
 * `block`: a line is shown in one of these. `line`: a line has it beside its block format. `text`: a format
 * of characters. `embed`: stands in a line with length 1. Undefined: the editor has no such format.
 */
export type FormatSort = 'block' | 'line' | 'text' | 'embed' | undefined;

export interface EditorFormats {
  sort(name: string): FormatSort;
  /** Whether an embed of this name is shown as it is. */
  showsEmbed(name: string, value: unknown): boolean;
}

export type EmbedFilter = (name: string, value: unknown) => boolean;

/** The formats of an editor. Embeds that take a line of their own (video) are not shown as they are. */
export function formatsOf(quill: Quill, filter: EmbedFilter = () => true): EditorFormats {
  const parchment = (quill.constructor as typeof Quill).import('parchment');
  const { Scope, EmbedBlot } = parchment;
  const known = new Map<string, FormatSort>();
  const find = (name: string): FormatSort => {
    const isEmbed = (blot: object | null): boolean =>
      blot !== null && 'prototype' in blot && blot.prototype instanceof EmbedBlot;
    const { scroll } = quill;
    if (scroll.query(name, Scope.BLOCK_BLOT) !== null)
      return isEmbed(scroll.query(name, Scope.BLOCK_BLOT)) ? undefined : 'block';
    if (scroll.query(name, Scope.BLOCK_ATTRIBUTE) !== null) return 'line';
    const inline = scroll.query(name, Scope.INLINE);
    return inline === null ? undefined : isEmbed(inline) ? 'embed' : 'text';
  };
  const sort = (name: string): FormatSort => {
    if (!known.has(name)) known.set(name, find(name));
    return known.get(name);
  };
  return { sort, showsEmbed: (name, value) => sort(name) === 'embed' && filter(name, value) };
}

/**
 * Tests for the values that Quill's own formats take. Any other string, number or true is left to the format.
 */
const VALUES: Record<string, (value: unknown) => boolean> = {
  bold: isTrue,
  italic: isTrue,
  underline: isTrue,
  strike: isTrue,
  code: isTrue,
  blockquote: isTrue,
  'code-block': (value) => isTrue(value) || typeof value === 'string',
  link: (value) => typeof value === 'string',
  header: isLevel(1, 6),
  indent: isLevel(1, 8),
  list: (value) => value === 'bullet' || value === 'ordered' || value === 'checked' || value === 'unchecked',
};

/** Whether an editor that has the format shows it with this value. */
export function isShowable(name: string, value: unknown): boolean {
  if (Object.hasOwn(VALUES, name)) return VALUES[name]?.(value) === true;
  return isTrue(value) || typeof value === 'string' || typeof value === 'number';
}

function isTrue(value: unknown): boolean {
  return value === true;
}

function isLevel(lowest: number, highest: number): (value: unknown) => boolean {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest;
}
