// Rich-text documents as plain text, Markdown or HTML. Libraries write Markdown and HTML, so every character of a
// document is escaped where it has to be. The HTML is a fragment, with no element, attribute or scheme of a link that is
// not on the list of its library.
import { defaultSchema, sanitize } from 'hast-util-sanitize';
import { toHtml } from 'hast-util-to-html';
import { toMdast } from 'hast-util-to-mdast';
import { toMarkdown } from 'mdast-util-to-markdown';
import { parseJson } from '../../../../protocol/json-text.ts';
import { textOf, treeOf } from './delta-tree.ts';

export const FORMATS = ['text', 'markdown', 'html'] as const;
export type Format = (typeof FORMATS)[number];

export const MEDIA_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain',
  markdown: 'text/markdown',
  html: 'text/html',
};

/** Markdown has no mark for these. Their text stays. */
const NOT_IN_MARKDOWN: ReadonlySet<string> = new Set(['del', 'input']);
const MARKDOWN_SCHEMA = {
  ...defaultSchema,
  tagNames: (defaultSchema.tagNames ?? []).filter((name) => !NOT_IN_MARKDOWN.has(name)),
};

/** `delta`: the snapshot of a rich-text document. */
export function formatted(delta: unknown, format: Format): string {
  switch (format) {
    case 'text':
      return textOf(delta);
    case 'html':
      return toHtml(sanitize(treeOf(delta)));
    case 'markdown':
      return toMarkdown(toMdast(sanitize(treeOf(delta), MARKDOWN_SCHEMA)));
    default:
      throw new Error(`unknown format ${String(format satisfies never)}`);
  }
}

/** `content`: the JSON text of the snapshot, in pieces. */
export const formattedBytes = (content: readonly Uint8Array[], format: Format): Buffer =>
  Buffer.from(formatted(parseJson(Buffer.concat(content).toString()), format));
