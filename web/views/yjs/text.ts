// The content of a `yjs` document as text. Its types belong to the program that made it, and a Y.Doc does not
// know them before they are asked for: each is recognised by its content. Pure.
import * as Y from 'yjs';

export interface Part {
  /** The name under which the program finds it in its `Y.Doc`. */
  readonly name: string;
  readonly text: string;
  /** The same text, divided by its authors. */
  readonly pieces: readonly Piece[];
}

export interface Piece {
  readonly text: string;
  readonly by: string | undefined;
}

/** The author of what a client of Yjs has made at a place of its clock. Undefined if it is not known. */
export type AuthorOf = (client: number, clock: number) => string | undefined;

/** Every non-empty type of the document, in the order of their names. */
export function partsOf(doc: Y.Doc, authorOf: AuthorOf = nobody): Part[] {
  return [...doc.share.keys()]
    .sort()
    .map((name) => {
      const pieces = piecesOf(recognised(doc, name), authorOf);
      return { name, text: pieces.map(({ text }) => text).join(''), pieces };
    })
    .filter(({ text }) => text !== '');
}

/** The type under a name. Asking for another type than the program's does no harm: this window only reads. */
function recognised(doc: Y.Doc, name: string): unknown {
  const type = doc.share.get(name);
  if (type === undefined || Object.getPrototypeOf(type) !== Y.AbstractType.prototype) return type;
  if (type._map.size > 0) return doc.getMap(name);
  for (let item = type._start; item !== null; item = item.right) {
    const { content } = item;
    if (content instanceof Y.ContentString || content instanceof Y.ContentFormat) return doc.getText(name);
    if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return doc.getArray(name);
    if (content instanceof Y.ContentType)
      return isXml(content.type) ? doc.getXmlFragment(name) : doc.getArray(name);
  }
  return doc.getText(name);
}

const isXml = (type: unknown): boolean => type instanceof Y.XmlElement || type instanceof Y.XmlText;

function piecesOf(type: unknown, authorOf: AuthorOf): Piece[] {
  // A Y.XmlText is a Y.Text whose own text has its formats as tags.
  if (type instanceof Y.Text) return textPieces(type, authorOf);
  if (type instanceof Y.XmlFragment) return xmlPieces(type, authorOf);
  if (type instanceof Y.Map) return mapPieces(type, authorOf);
  if (type instanceof Y.Array) return arrayPieces(type, authorOf);
  return [];
}

function textPieces(type: Y.Text, authorOf: AuthorOf): Piece[] {
  const pieces: Piece[] = [];
  for (let item = type._start; item !== null; item = item.right) {
    const { content, deleted, id, length } = item;
    if (deleted || !content.isCountable()) continue;
    const text = content instanceof Y.ContentString ? content.str : OBJECT.repeat(length);
    if (authorOf === nobody) {
      pieces.push(plain(text));
      continue;
    }
    // An item may have been joined from the patches of several authors.
    for (let from = 0, end = 0; from < length; from = end) {
      const by = authorOf(id.client, id.clock + from);
      do end++;
      while (end < length && authorOf(id.client, id.clock + end) === by);
      pieces.push({ text: text.slice(from, end), by });
    }
  }
  return pieces;
}

/**
 * The text of a fragment. Elements, which are paragraphs and the like, each get a line of their own; adjacent
 * texts share one.
 */
function xmlPieces(fragment: Y.XmlFragment, authorOf: AuthorOf): Piece[] {
  const pieces: Piece[] = [];
  let onOwnLine = false;
  for (const child of fragment.toArray()) {
    const isElement = child instanceof Y.XmlElement;
    if (pieces.length > 0 && (isElement || onOwnLine)) pieces.push(plain('\n'));
    pieces.push(...piecesOf(child, authorOf));
    onOwnLine = isElement;
  }
  return pieces;
}

/** An entry has the author of its value. */
function mapPieces(type: Y.Map<unknown>, authorOf: AuthorOf): Piece[] {
  const entries = Object.entries(type.toJSON() as Record<string, unknown>).map(([key, value]) => {
    const item = type._map.get(key);
    const by = item && authorOf(item.id.client, item.id.clock);
    return { text: `${JSON.stringify(key)}: ${jsonOf(value)}`, by };
  });
  return entries.length === 0 ? [plain('{}')] : [plain('{'), ...lines(entries), plain('\n}')];
}

function arrayPieces(type: Y.Array<unknown>, authorOf: AuthorOf): Piece[] {
  const authors: (string | undefined)[] = [];
  for (let item = type._start; item !== null; item = item.right) {
    const { content, deleted, id, length } = item;
    if (deleted || !content.isCountable()) continue;
    for (let at = 0; at < length; at++) authors.push(authorOf(id.client, id.clock + at));
  }
  const entries = (type.toJSON() as unknown[]).map((value, at) => ({ text: jsonOf(value), by: authors[at] }));
  return entries.length === 0 ? [plain('[]')] : [plain('['), ...lines(entries), plain('\n]')];
}

const nobody: AuthorOf = () => undefined;

const jsonOf = (value: unknown): string =>
  (JSON.stringify(value, null, 2) ?? 'null').replaceAll('\n', '\n  ');

const lines = (entries: readonly Piece[]): Piece[] =>
  entries.flatMap((entry, at) => [plain(at === 0 ? '\n  ' : ',\n  '), entry]);

const plain = (text: string): Piece => ({ text, by: undefined });

/** Stands for a thing in a text that is no text. */
const OBJECT = '\uFFFC';
