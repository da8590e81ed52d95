// Converts pasted content for which the editor has no format. A table becomes lines with tabs between the
// cells, a picture becomes a link to it or its description; a message says so. Quill handles all other
// content.
import { Delta } from '../../../client/ot/delta.ts';
import type { Quill } from './quill.ts';

interface Lost {
  tables: number;
  linked: number;
  pictures: number;
}

/** `tell` is called once for each paste that could not be kept as it was. */
export function keepPasted(quill: Quill, tell: (message: string) => void): void {
  let lost: Lost | undefined;
  const losing = (): Lost => {
    if (lost !== undefined) return lost;
    const now: Lost = { tables: 0, linked: 0, pictures: 0 };
    lost = now;
    // Quill converts all of a paste in one turn.
    queueMicrotask(() => {
      lost = undefined;
      tell(describeLost(now));
    });
    return now;
  };
  // White space between the parts of a table is not part of its text.
  quill.clipboard.addMatcher(Node.TEXT_NODE, (node, delta) => {
    const between = node.parentElement?.matches('table, thead, tbody, tfoot, tr') === true;
    return between && node.textContent?.trim() === '' ? new Delta() : delta;
  });
  quill.clipboard.addMatcher('td, th', (node, cell) => {
    const { parentElement } = node;
    const last = parentElement === null || node === parentElement.lastElementChild;
    return oneLine(cell).insert(last ? '\n' : '\t');
  });
  quill.clipboard.addMatcher('table', (_node, delta) => {
    losing().tables += 1;
    return delta;
  });
  quill.clipboard.addMatcher('img', (node) => {
    if (!(node instanceof HTMLImageElement)) return new Delta();
    const words = (node.getAttribute('alt') ?? '').trim();
    const source = node.getAttribute('src') ?? '';
    if (/^https?:\/\//i.test(source)) {
      losing().linked += 1;
      return new Delta().insert(words || source, { link: source });
    }
    losing().pictures += 1;
    return new Delta().insert(words);
  });
}

/** A cell as part of a line: its lines are joined, line formats are dropped, text formats stay. */
function oneLine(cell: Delta): Delta {
  const line = new Delta();
  const length = cell.length();
  let index = 0;
  for (const op of cell.ops) {
    if (typeof op.insert !== 'string') {
      line.push(op);
      index += 1;
      continue;
    }
    for (const part of op.insert.split(/([\n\t])/)) {
      index += part.length;
      if (part !== '\n' && part !== '\t') line.insert(part, op.attributes);
      else if (index < length) line.insert(' ');
    }
  }
  return line;
}

/** The message about a paste that could not be kept as it was. */
function describeLost({ tables, linked, pictures }: Lost): string {
  const parts: string[] = [];
  if (tables > 0)
    parts.push('A document holds no tables: the cells of a row are one line, with tabs between.');
  if (linked > 0) parts.push('A document holds no pictures: they are links to where they come from.');
  if (pictures > 0)
    parts.push(
      pictures === 1 ? 'A pasted picture was left out.' : `${pictures} pasted pictures were left out.`,
    );
  return parts.join(' ');
}
