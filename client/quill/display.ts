// The border between a document and the editor that shows it. A rich-text document may hold any embed,
// attribute or character; Quill throws on an embed that it does not know, and counts "\r\n" as one character.
// So content is converted to a form of the same length that Quill can show, and embeds come back unchanged.
// Pure.

import { parseJson } from '../../protocol/json-text.ts';
import { Delta } from '../ot/delta.ts';
import { type EditorFormats, isShowable } from './formats.ts';

/** The embed that stands for every embed the editor has no blot for; its value is the original's JSON. */
export const FOREIGN = 'foreign';

type Attributes = Record<string, unknown>;

/**
 * If a document gives a line several block formats, the first of these is shown; other formats come after
 * these.
 */
const FIRST_SHOWN = ['code-block', 'list', 'header', 'blockquote'] as const;

/** A delta as the editor can show it; every position stays where it was. */
export function toEditor(delta: Delta, formats: EditorFormats): Delta {
  const shown = new Delta();
  for (const op of delta.ops) {
    if (op.delete !== undefined) shown.delete(op.delete);
    else if (op.insert !== undefined) showInsert(shown, op.insert, op.attributes ?? {}, formats);
    // A change within an embed does not change the look of its stand-in.
    else
      shown.retain(typeof op.retain === 'number' ? op.retain : 1, shownChange(op.attributes ?? {}, formats));
  }
  return shown;
}

/** The editor's own content when it shows this document. */
export function documentInEditor(content: Delta, formats: EditorFormats): Delta {
  const shown = new Delta();
  let line = new Delta();
  for (const op of toEditor(content, formats).ops) {
    const parts = typeof op.insert === 'string' ? op.insert.split(/(\n)/) : [op.insert ?? ''];
    for (const part of parts) {
      if (part !== '\n') {
        if (part !== '') line.insert(part, op.attributes);
        continue;
      }
      const code = op.attributes?.['code-block'] !== undefined;
      for (const piece of line.ops) shown.insert(piece.insert ?? '', code ? undefined : piece.attributes);
      shown.insert('\n', op.attributes);
      line = new Delta();
    }
  }
  return shown;
}

/** Whether a delta changes how lines are formatted, which is where documents and editors may part. */
export function changesLines(delta: Delta, formats: EditorFormats): boolean {
  return delta.ops.some(
    ({ retain, attributes }) =>
      retain !== undefined && Object.keys(attributes ?? {}).some((name) => isOfLines(name, formats)),
  );
}

/**
 * A delta made in the editor, with complete line formats: a line that becomes a list also loses its heading.
 * So two people who format one line at once leave it one format, not several. `before` is the document that
 * the delta is for.
 */
export function withWholeLines(delta: Delta, before: Delta): Delta {
  if (!delta.ops.some(({ attributes }) => FIRST_SHOWN.some((name) => attributes?.[name] !== undefined))) {
    return delta;
  }
  const whole = new Delta();
  let index = 0;
  for (const op of delta.ops) {
    const { attributes } = op;
    if (op.delete !== undefined) {
      whole.push(op);
      index += op.delete;
    } else if (typeof op.retain === 'number' && attributes !== undefined) {
      for (const base of before.slice(index, index + op.retain).ops) {
        const length = typeof base.insert === 'string' ? base.insert.length : 1;
        whole.retain(length, { ...otherLineFormats(attributes, base.attributes ?? {}), ...attributes });
      }
      index += op.retain;
    } else {
      whole.push(op);
      if (op.retain !== undefined) index += typeof op.retain === 'number' ? op.retain : 1;
    }
  }
  return whole;
}

/** The embed in a chip's JSON. Undefined if it has none, for example in pasted HTML of another program. */
export function embedOf(json: unknown): Record<string, unknown> | undefined {
  if (typeof json !== 'string') return undefined;
  try {
    const embed: unknown = parseJson(json);
    const isObject = typeof embed === 'object' && embed !== null && !Array.isArray(embed);
    return isObject && Object.keys(embed).length === 1 ? { ...embed } : undefined;
  } catch {
    return undefined;
  }
}

/** A delta that the editor made, as the document takes it. */
export function fromEditor(delta: Delta): Delta {
  return new Delta(
    delta.ops.map((op) => {
      const embed = typeof op.insert === 'object' ? embedOf(op.insert[FOREIGN]) : undefined;
      return embed === undefined ? op : { ...op, insert: embed };
    }),
  );
}

/** The end of the last change of a delta, as a position in the document after it. */
export function endOfChange(delta: Delta): number {
  let index = 0;
  let end = 0;
  for (const op of delta.ops) {
    if (typeof op.insert === 'string') index += op.insert.length;
    else if (op.insert !== undefined) index += 1;
    else if (op.retain !== undefined) index += typeof op.retain === 'number' ? op.retain : 1;
    if (op.insert !== undefined || op.delete !== undefined || op.attributes !== undefined) end = index;
  }
  return end;
}

/** The part of a change of formats that the editor can show. */
function shownChange(attributes: Attributes, formats: EditorFormats): Attributes {
  const shown: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    const sort = formats.sort(name);
    if (sort !== undefined && sort !== 'embed') shown[name] = isShowable(name, value) ? value : null;
  }
  return shown;
}

function showInsert(
  shown: Delta,
  insert: string | Record<string, unknown>,
  attributes: Attributes,
  formats: EditorFormats,
): void {
  const names = Object.keys(attributes).filter((name) => isShowable(name, attributes[name]));
  const pick = (wanted: (name: string) => boolean): Attributes =>
    Object.fromEntries(names.filter(wanted).map((name) => [name, attributes[name]]));
  const inText = pick((name) => formats.sort(name) === 'text');
  if (typeof insert !== 'string') {
    const [name = ''] = Object.keys(insert);
    shown.insert(
      name !== FOREIGN && formats.showsEmbed(name, insert[name])
        ? insert
        : { [FOREIGN]: JSON.stringify(insert) },
      inText,
    );
    return;
  }
  const blocks = names.filter((name) => formats.sort(name) === 'block').sort();
  const block = FIRST_SHOWN.find((name) => blocks.includes(name)) ?? blocks[0];
  const inLine: Attributes =
    block === 'code-block'
      ? { 'code-block': attributes[block] }
      : pick((name) => name === block || formats.sort(name) === 'line');
  for (const part of insert.replaceAll('\r', ' ').split(/(\n)/)) {
    if (part !== '') shown.insert(part, part === '\n' ? inLine : inText);
  }
}

/** The line formats to remove: all others if one is set; those that the line has if one is cleared. */
function otherLineFormats(change: Attributes, base: Attributes): Attributes {
  const changed = FIRST_SHOWN.filter((name) => change[name] !== undefined);
  if (changed.length === 0) return {};
  const set = changed.some((name) => change[name] !== null);
  const others = FIRST_SHOWN.filter((name) => set || base[name] !== undefined);
  return Object.fromEntries(others.map((name) => [name, null]));
}

function isOfLines(name: string, formats: EditorFormats): boolean {
  const sort = formats.sort(name);
  return sort === 'block' || sort === 'line';
}
