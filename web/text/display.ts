// The border between a document and the editor that shows it. A rich-text document may hold any
// embed, attribute or character; Quill throws on an embed it does not know, and counts "\r\n" as
// one. So what goes in is put in a form of the same length that Quill can show, and embeds come
// back out unchanged. Pure.
import { Delta } from '../../client/delta.ts';

/** The embed that stands for every embed the editor has no blot for; its value is the original's JSON. */
export const FOREIGN = 'foreign';

type Attributes = Record<string, unknown>;

/** A line has this beside its format. */
const INDENT = 'indent';

/** A line is shown in one of these; where a document gives it several, the first. */
const LINE_FORMATS = ['code-block', 'list', 'header', 'blockquote'] as const;

/** A delta as the editor can show it; every position stays where it was. */
export function toEditor(delta: Delta): Delta {
  const shown = new Delta();
  for (const op of delta.ops) {
    if (op.delete !== undefined) shown.delete(op.delete);
    else if (op.insert !== undefined) showInsert(shown, op.insert, op.attributes ?? {});
    // A change within an embed is of no consequence for how its stand-in looks.
    else shown.retain(typeof op.retain === 'number' ? op.retain : 1, shownChange(op.attributes ?? {}));
  }
  return shown;
}

/** What the editor's own content is when it shows this document. */
export function documentInEditor(content: Delta): Delta {
  const shown = new Delta();
  let line = new Delta();
  for (const op of toEditor(content).ops) {
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
export function changesLines(delta: Delta): boolean {
  return delta.ops.some(
    ({ retain, attributes }) => retain !== undefined && Object.keys(attributes ?? {}).some(isLineFormat),
  );
}

/**
 * A delta made in the editor with line formats said in full: a line that becomes a list is told to be
 * no heading. Two people who format one line at once then leave it one format, not a pile of them.
 * `before`: the document that the delta is for.
 */
export function withWholeLines(delta: Delta, before: Delta): Delta {
  if (!changesLines(delta)) return delta;
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
  indent: (value) => typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 8,
  list: (value) => value === 'bullet' || value === 'ordered' || value === 'checked' || value === 'unchecked',
};

/** What a change of formats is to the editor: what it cannot show is, in its place, nothing. */
function shownChange(attributes: Attributes): Attributes {
  const shown: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (Object.hasOwn(SHOWN, name))
      shown[name] = value !== null && SHOWN[name]?.(value) === true ? value : null;
  }
  return shown;
}

function showInsert(shown: Delta, insert: string | Record<string, unknown>, attributes: Attributes): void {
  const known = Object.entries(attributes).filter(
    ([name, value]) => Object.hasOwn(SHOWN, name) && SHOWN[name]?.(value) === true,
  );
  const inText = Object.fromEntries(known.filter(([name]) => !isLineFormat(name)));
  const line = LINE_FORMATS.find((name) => known.some(([other]) => other === name));
  const inLine: Attributes =
    line === undefined ? {} : { [line]: line === 'code-block' ? true : attributes[line] };
  if (line !== 'code-block' && known.some(([name]) => name === INDENT)) inLine[INDENT] = attributes[INDENT];
  if (typeof insert !== 'string') {
    shown.insert({ [FOREIGN]: JSON.stringify(insert) }, inText);
    return;
  }
  for (const part of insert.replaceAll('\r', ' ').split(/(\n)/)) {
    if (part !== '') shown.insert(part, part === '\n' ? inLine : inText);
  }
}

/** The line formats that are to go: all others where one is set, those the line has where one is cleared. */
function otherLineFormats(change: Attributes, base: Attributes): Attributes {
  const changed = LINE_FORMATS.filter((name) => change[name] !== undefined);
  if (changed.length === 0) return {};
  const set = changed.some((name) => change[name] !== null);
  const others = LINE_FORMATS.filter((name) => set || base[name] !== undefined);
  return Object.fromEntries(others.map((name) => [name, null]));
}

function isLineFormat(name: string): boolean {
  return name === INDENT || (LINE_FORMATS as readonly string[]).includes(name);
}

function isTrue(value: unknown): boolean {
  return value === true;
}
