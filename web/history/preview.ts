// Shows one version of a document, to read: text as the page shows it, any other content as lines. Parts that were written
// in the chosen period have the colour of their author. Content only ever becomes text, never markup.
import * as Y from 'yjs';
import type { KindName, Wire } from '../../protocol/messages.ts';
import { el } from '../dom.ts';
import { createReader } from '../views/text/quill.ts';
import { partsOf } from '../views/yjs/text.ts';
import { markedJson, markedText } from './marks.ts';
import type { Past, PastPatch } from './past.ts';

export type ColourOf = (author: string) => string;

/** Lines of a version that are shown. */
const MOST_LINES = 5_000;
/** The colour of an author behind text stays readable. */
const BEHIND_TEXT = '40';

/** The version after the last of the patches. */
export async function previewOf(
  kind: KindName,
  past: Past,
  patches: readonly PastPatch[],
  colourOf: ColourOf,
): Promise<HTMLElement> {
  const [first, last] = [patches[0], patches.at(-1)];
  if (first === undefined || last === undefined) return el('p', { text: 'There is nothing to show.' });
  switch (kind) {
    case 'rich-text':
      return textPreview(await past.contentAt(last.version), patches, colourOf);
    case 'json':
      return jsonPreview(
        first.version === 1 ? {} : await past.contentAt(first.version - 1),
        patches,
        colourOf,
      );
    case 'yjs':
      return yjsPreview(await past.contentAt(last.version));
    default:
      throw new TypeError(`no such kind: ${String(kind satisfies never)}`);
  }
}

function textPreview(content: Wire, patches: readonly PastPatch[], colourOf: ColourOf): HTMLElement {
  const sheet = el('div', { class: 'editor' });
  const reader = createReader(sheet);
  const ops = markedText(content, patches).map(({ insert, attributes, by }) => ({
    insert: insert ?? '',
    attributes: {
      ...attributes,
      ...(by === undefined ? {} : { background: `${colourOf(by)}${BEHIND_TEXT}` }),
    },
  }));
  reader.setContents(ops, 'api');
  return sheet;
}

function jsonPreview(before: Wire, patches: readonly PastPatch[], colourOf: ColourOf): HTMLElement {
  const { content, by } = markedJson(before, patches);
  const lines: HTMLElement[] = [];
  const add = (
    value: unknown,
    pointer: string,
    depth: number,
    name: string,
    around: string | undefined,
  ): void => {
    if (lines.length >= MOST_LINES) return;
    const author = by.has(pointer) ? by.get(pointer) : around;
    const isContainer = typeof value === 'object' && value !== null;
    const text = isContainer
      ? `${name}${Array.isArray(value) ? '[]' : '{}'}`
      : `${name}${JSON.stringify(value)}`;
    const line = el('div', { class: 'history-line', text });
    line.style.paddingInlineStart = `${depth * 18 + 8}px`;
    if (author !== undefined) line.style.backgroundColor = `${colourOf(author)}${BEHIND_TEXT}`;
    lines.push(line);
    if (!isContainer) return;
    for (const [key, each] of Object.entries(value))
      add(
        each,
        `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        depth + 1,
        `${key}: `,
        author,
      );
  };
  add(content, '', 0, '', undefined);
  return el('div', { class: 'history-lines' }, ...lines);
}

function yjsPreview(content: Wire): HTMLElement {
  const doc = new Y.Doc();
  if (typeof content === 'string')
    Y.applyUpdate(
      doc,
      Uint8Array.from(atob(content), (character) => character.charCodeAt(0)),
    );
  return el('div', {}, ...partsOf(doc).map(({ text }) => el('pre', { text })));
}
