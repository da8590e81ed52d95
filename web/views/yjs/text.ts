// The content of a `yjs` document as text. Its types belong to the program that made it, and a Y.Doc does not
// know them before they are asked for: each is recognised by its content. Pure.
import * as Y from 'yjs';

export interface Part {
  /** The name under which the program finds it in its `Y.Doc`. */
  readonly name: string;
  readonly text: string;
}

/** Every non-empty type of the document, in the order of their names. */
export function partsOf(doc: Y.Doc): Part[] {
  return [...doc.share.keys()]
    .sort()
    .map((name) => ({ name, text: textOf(recognised(doc, name)) }))
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

function textOf(type: unknown): string {
  // A Y.XmlText is a Y.Text whose own text has its formats as tags.
  if (type instanceof Y.Text)
    return type
      .toDelta()
      .map(({ insert }: { insert: unknown }) => (typeof insert === 'string' ? insert : '￼'))
      .join('');
  if (type instanceof Y.XmlFragment) return xmlText(type);
  if (type instanceof Y.Map || type instanceof Y.Array)
    return type.toJSON() === undefined ? '' : JSON.stringify(type.toJSON(), null, 2);
  return '';
}

/**
 * The text of a fragment. Elements, which are paragraphs and the like, each get a line of their own; adjacent
 * texts share one.
 */
function xmlText(fragment: Y.XmlFragment): string {
  let text = '';
  let onOwnLine = false;
  for (const child of fragment.toArray()) {
    const isElement = child instanceof Y.XmlElement;
    if (text !== '' && (isElement || onOwnLine)) text += '\n';
    text += textOf(child);
    onOwnLine = isElement;
  }
  return text;
}
