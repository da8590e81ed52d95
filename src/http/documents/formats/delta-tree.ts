// A rich-text document as a tree of HTML elements, from which HTML and Markdown are written. Texts stay texts in the tree,
// so no content of a document is ever read as markup. Embeds other than images are left out.
import { z } from 'zod';

const INSERT = z.object({
  insert: z.union([z.string(), z.record(z.string(), z.unknown())]),
  attributes: z.record(z.string(), z.unknown()).optional(),
});
const DELTA = z.array(INSERT);

/** Nodes of a tree of HTML (hast), as its libraries take them. */
export interface TextNode {
  type: 'text';
  value: string;
}
export interface ElementNode {
  type: 'element';
  tagName: string;
  properties: Record<string, string | boolean>;
  children: (ElementNode | TextNode)[];
}
export interface Tree {
  type: 'root';
  children: ElementNode[];
}

type Content = ElementNode | TextNode;
type Attributes = Readonly<Record<string, unknown>>;

/** A line: what stands in it, and the attributes of the newline that ends it. */
interface Line {
  readonly children: Content[];
  readonly attributes: Attributes;
}

/** `delta`: the snapshot of a rich-text document. */
export function treeOf(delta: unknown): Tree {
  const root: Tree = { type: 'root', children: [] };
  const lists: ElementNode[] = [];
  let code: ElementNode | undefined;
  for (const line of linesOf(delta)) {
    const { list, indent, 'code-block': isCode } = line.attributes;
    if (typeof list !== 'string') lists.length = 0;
    if (isCode === undefined || isCode === false) code = undefined;
    else {
      code = code ?? addCode(root);
      code.children.push(...line.children, { type: 'text', value: '\n' });
      continue;
    }
    if (typeof list === 'string') addItem(root, lists, line, list, typeof indent === 'number' ? indent : 0);
    else root.children.push(blockOf(line));
  }
  return root;
}

/** The text alone, without its attributes and embeds. */
export const textOf = (delta: unknown): string =>
  DELTA.parse(delta)
    .map(({ insert }) => (typeof insert === 'string' ? insert : ''))
    .join('');

function linesOf(delta: unknown): Line[] {
  const lines: Line[] = [];
  let children: Content[] = [];
  for (const { insert, attributes = {} } of DELTA.parse(delta)) {
    if (typeof insert !== 'string') {
      const { image } = insert;
      if (typeof image === 'string')
        children.push(
          element('img', [], {
            src: urlOf(image),
            ...(typeof attributes.alt === 'string' ? { alt: attributes.alt } : {}),
          }),
        );
      continue;
    }
    const [first = '', ...rest] = insert.split('\n');
    if (first !== '') children.push(inline(first, attributes));
    for (const text of rest) {
      lines.push({ children, attributes });
      children = text === '' ? [] : [inline(text, attributes)];
    }
  }
  if (children.length > 0) lines.push({ children, attributes: {} });
  return lines;
}

/** Characters that no URL has, and that could end one in HTML or in Markdown. */
const urlOf = (text: string): string => text.trim().replace(/[\s"<>\\`]/g, encodeURIComponent);

/** The innermost element comes first. */
const INLINE: readonly (readonly [attribute: string, is: (value: unknown) => boolean, tag: string])[] = [
  ['code', (value) => value === true, 'code'],
  ['script', (value) => value === 'sub', 'sub'],
  ['script', (value) => value === 'super', 'sup'],
  ['strike', (value) => value === true, 'del'],
  ['underline', (value) => value === true, 'ins'],
  ['italic', (value) => value === true, 'em'],
  ['bold', (value) => value === true, 'strong'],
];

function inline(value: string, attributes: Attributes): Content {
  let node: Content = { type: 'text', value };
  for (const [attribute, is, tag] of INLINE) if (is(attributes[attribute])) node = element(tag, [node]);
  const { link } = attributes;
  return typeof link === 'string' ? element('a', [node], { href: urlOf(link) }) : node;
}

function blockOf({ children, attributes: { header, blockquote } }: Line): ElementNode {
  const content = children.length === 0 ? [element('br', [])] : children;
  if (typeof header === 'number' && header >= 1 && header <= 6)
    return element(`h${Math.trunc(header)}`, content);
  if (blockquote === true) return element('blockquote', [element('p', content)]);
  return element('p', content);
}

function addCode(root: Tree): ElementNode {
  const code = element('code', []);
  root.children.push(element('pre', [code]));
  return code;
}

/** `lists`: the lists that are open, the outermost first. */
function addItem(root: Tree, lists: ElementNode[], { children }: Line, kind: string, indent: number): void {
  const tag = kind === 'ordered' ? 'ol' : 'ul';
  const depth = Math.min(indent, lists.length, MOST_DEPTH);
  lists.length = Math.min(lists.length, depth + 1);
  let list = lists[depth];
  if (list === undefined || list.tagName !== tag) {
    list = element(tag, []);
    lists.length = depth;
    const above = lists[depth - 1]?.children.at(-1);
    if (above?.type === 'element') above.children.push(list);
    else root.children.push(list);
    lists.push(list);
  }
  const box =
    kind === 'checked' || kind === 'unchecked'
      ? [element('input', [], { type: 'checkbox', disabled: true, checked: kind === 'checked' })]
      : [];
  list.children.push(element('li', [...box, ...children]));
}

const MOST_DEPTH = 8;

const element = (
  tagName: string,
  children: Content[],
  properties: ElementNode['properties'] = {},
): ElementNode => ({
  type: 'element',
  tagName,
  properties,
  children,
});
