// The border between a document and the editor that shows it. A rich-text document may hold any
// embed, attribute or character; Quill throws on an embed it does not know, and counts "\r\n" as
// one. So what goes in is put in a form of the same length that Quill can show, and embeds come
// back out unchanged. Pure.
import { Delta } from '../../client/delta.ts';

/** The embed that stands for every embed the editor has no blot for; its value is the original's JSON. */
export const FOREIGN = 'foreign';

type Ops = Delta['ops'];
type Attributes = Record<string, unknown>;

/** The delta as the editor can show it; every position stays where it was. */
export function toEditor(delta: Delta): Delta {
  return new Delta(
    delta.ops.map((op): Ops[number] => {
      const shown =
        op.attributes === undefined ? undefined : shownAttributes(op.attributes, op.insert !== undefined);
      const attributes = shown === undefined ? {} : { attributes: shown };
      if (typeof op.insert === 'string') return { insert: op.insert.replaceAll('\r', ' '), ...attributes };
      if (op.insert !== undefined) return { insert: { [FOREIGN]: JSON.stringify(op.insert) }, ...attributes };
      // A change within an embed is of no consequence for how a stand-in looks.
      if (typeof op.retain === 'object') return { retain: 1, ...attributes };
      return op.retain === undefined ? op : { retain: op.retain, ...attributes };
    }),
  );
}

/** A delta that the editor made, as the document takes it. */
export function fromEditor(delta: Delta): Delta {
  return new Delta(
    delta.ops.map((op) => {
      if (typeof op.insert !== 'object' || typeof op.insert[FOREIGN] !== 'string') return op;
      return { ...op, insert: JSON.parse(op.insert[FOREIGN]) };
    }),
  );
}

/** Where the last thing that a delta changes ends, in the document after it. */
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

const SHOWN: Record<string, (value: unknown) => boolean> = {
  bold: isTrue,
  italic: isTrue,
  underline: isTrue,
  strike: isTrue,
  code: isTrue,
  blockquote: isTrue,
  'code-block': (value) => isTrue(value) || typeof value === 'string',
  link: (value) => typeof value === 'string',
  header: (value) => value === 1 || value === 2 || value === 3,
  list: (value) => value === 'bullet' || value === 'ordered' || value === 'checked' || value === 'unchecked',
};

/** What the editor can show; what it cannot is, on a retain, shown as nothing in its place. */
function shownAttributes(attributes: Attributes, inserted: boolean): Attributes | undefined {
  const shown: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (!Object.hasOwn(SHOWN, name)) continue;
    if (value !== null && SHOWN[name]?.(value) === true) shown[name] = value;
    else if (!inserted) shown[name] = null;
  }
  return Object.keys(shown).length === 0 ? undefined : shown;
}

function isTrue(value: unknown): boolean {
  return value === true;
}
