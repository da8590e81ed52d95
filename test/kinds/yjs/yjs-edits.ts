// Random concurrent editing with real Y.Docs, for the tests of kind yjs: every sort of content, and the
// updates of the edits.
import fc from 'fast-check';
import * as Y from 'yjs';

/** FUZZ_RUNS multiplies the runs of every property: FUZZ_RUNS=100 makes a long run. */
export const runs = (count: number): number => Math.ceil(count * Number(process.env.FUZZ_RUNS ?? '1'));

export interface Edit {
  readonly who: number;
  readonly what: string;
  readonly at: number;
  readonly length: number;
}

export const editsOf = (clients: number, maxLength: number): fc.Arbitrary<Edit[]> =>
  fc.array(
    fc.record({
      who: fc.nat(clients - 1),
      what: fc.constantFrom(...Object.keys(EDITS), 'insert', 'insert', 'insert', 'delete', 'sync', 'sync'),
      at: fc.nat(100),
      length: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength },
  );

/**
 * An index into a text that wraps around and lies between whole characters, because Yjs replaces halves of a
 * character.
 */
function place(text: Y.Text, at: number): number {
  const index = at % (text.length + 1);
  const low = charAt(text, index);
  return low >= '\uDC00' && low <= '\uDFFF' ? index + 1 : index;
}

function charAt(text: Y.Text, index: number): string {
  let left = index;
  for (const { insert } of text.toDelta() as { insert: unknown }[]) {
    const part = typeof insert === 'string' ? insert : '\uFFFC';
    if (left < part.length) return part.charAt(left);
    left -= part.length;
  }
  return '';
}

const EDITS: Record<string, (doc: Y.Doc, at: number, length: number) => void> = {
  insert: (doc, at, length) => {
    const text = doc.getText('text');
    text.insert(place(text, at), [...'a😀é中xyz😀z'].slice(0, length).join(''));
  },
  delete: (doc, at, length) => {
    const text = doc.getText('text');
    const from = place(text, at);
    text.delete(from, place(text, Math.min(from + length, text.length)) - from);
  },
  format: (doc, at, length) => {
    const text = doc.getText('text');
    const from = place(text, at);
    const to = place(text, Math.min(from + length, text.length));
    text.format(from, to - from, { bold: length % 2 === 0 ? true : null });
  },
  embed: (doc, at) => {
    const text = doc.getText('text');
    text.insertEmbed(place(text, at), { image: 'x', nested: { list: [1, '"\\', null] } });
  },
  set: (doc, at, length) => {
    const values = [
      1,
      -5.5,
      'text',
      null,
      true,
      new Uint8Array([1, 2]),
      { a: [1, { b: 2 }] },
      2 ** 40,
      undefined,
    ];
    doc.getMap('map').set(`key${at % 5}`, values[length % values.length]);
  },
  unset: (doc, at) => doc.getMap('map').delete(`key${at % 5}`),
  push: (doc, at, length) => {
    const list = doc.getArray('list');
    list.insert(at % (list.length + 1), [length, [length, 'x'], { deep: { deeper: [at] } }]);
  },
  pull: (doc, at) => {
    const list = doc.getArray('list');
    if (list.length > 0) list.delete(at % list.length, 1);
  },
  nest: (doc, at) => {
    const element = new Y.XmlElement('p');
    const list = doc.getArray('list');
    list.insert(at % (list.length + 1), [[new Y.Map(), new Y.Array(), element, new Y.XmlText('t')][at % 4]]);
  },
};

/**
 * Makes the edits in turn. `sync` gives an editor all edits of the others. `more` makes further edits, whose updates are
 * not among `updates`.
 */
export function edit(
  clients: number,
  edits: readonly Edit[],
): { docs: Y.Doc[]; updates: readonly Uint8Array[]; more: (edits: readonly Edit[]) => void } {
  const updates: Uint8Array[] = [];
  const docs = Array.from({ length: clients }, (_, i) => {
    const doc = new Y.Doc();
    doc.clientID = 1000 + i * 77_777_777;
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'sync') updates.push(update);
    });
    return doc;
  });
  const make = (list: readonly Edit[]): void => {
    for (const { who, what, at, length } of list) {
      const doc = docs[who];
      if (doc === undefined) continue;
      if (what === 'sync') {
        for (const other of docs) if (other !== doc) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other), 'sync');
      } else {
        EDITS[what]?.(doc, at, length);
      }
    }
  };
  make(edits);
  return { docs, updates: [...updates], more: make };
}
