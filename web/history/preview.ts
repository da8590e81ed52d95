// Shows one version of a document, to read: text as the page shows it, any other content as lines. Parts that were written
// in the chosen period have the colour of their author. Content only ever becomes text, never markup.
import * as Y from 'yjs';
import { TroupeError } from '../../client/index.ts';
import type { Json, KindName, Wire } from '../../protocol/messages.ts';
import { el } from '../dom.ts';
import { isBoard } from '../views/board/model.ts';
import { createReader } from '../views/text/quill.ts';
import { partsOf } from '../views/yjs/text.ts';
import { boardPreview } from './board-preview.ts';
import { type MarkedJson, markedJson, markedText } from './marks.ts';
import type { Past, PastPatch } from './past.ts';
import { bytesOf, markedItems } from './yjs-marks.ts';

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
  const paint: Paint = (element, author) => {
    element.style.backgroundColor = `${colourOf(author)}${BEHIND_TEXT}`;
  };
  if (first === undefined || last === undefined) return el('p', { text: 'There is nothing to show.' });
  switch (kind) {
    case 'rich-text':
      return textPreview(await past.contentAt(last.version), patches, colourOf);
    case 'json': {
      const before =
        first.version === 1 ? {} : await past.contentAt(first.version - 1).catch(goneIsUndefined);
      const marked =
        before === undefined
          ? { content: (await past.contentAt(last.version)) as Json, by: new Map() }
          : markedJson(before, patches);
      return isBoard(marked.content) ? boardPreview(marked, paint) : jsonPreview(marked, paint);
    }
    case 'yjs':
      return yjsPreview(await past.contentAt(last.version), patches, paint);
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

/** The version before the first patch that is kept is gone: the authors of the patches after it are not known then. */
function goneIsUndefined(error: unknown): undefined {
  if (error instanceof TroupeError && error.code === 'version-too-old') return undefined;
  throw error;
}

type Paint = (element: HTMLElement, author: string) => void;

function jsonPreview({ content, by }: MarkedJson, paint: Paint): HTMLElement {
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
    if (author !== undefined) paint(line, author);
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

function yjsPreview(content: Wire, patches: readonly PastPatch[], paint: Paint): HTMLElement {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, bytesOf(content));
  const parts = partsOf(doc, markedItems(patches)).map(({ pieces }) => {
    const shown = pieces.map(({ text, by }) => {
      const element = el('span', { text });
      if (by !== undefined) paint(element, by);
      return element;
    });
    return el('pre', { class: 'history-text' }, ...shown);
  });
  return el('div', { class: 'history-lines' }, ...parts);
}
