// Legal and costly input: one generator for each way in which a patch, an open or a seq costs a server more
// than it costs its client. Each shape works on a document of its own and goes on until it is told to end. It
// judges nothing.
import * as Y from 'yjs';
import type { Json, Wire } from '../../protocol/messages.ts';
import { below, type Random } from '../clients/random-edits.ts';
import { type CostlyClient, type CostlyPatch, pause } from './costly-client.ts';

export interface Turn {
  readonly client: CostlyClient;
  /** Names of this client alone: `org/name-`, followed by the shape's suffix. */
  readonly prefix: string;
  readonly random: Random;
  readonly isOver: () => boolean;
}

export type Shape = (turn: Turn) => Promise<void>;

type Step = { readonly [key: string]: Json };

const add = (path: string, value: Json): Step => ({ op: 'add', path, value });
const remove = (path: string): Step => ({ op: 'remove', path });
const copy = (from: string, path: string): Step => ({ op: 'copy', from, path });
const move = (from: string, path: string): Step => ({ op: 'move', from, path });
const repeat = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));
const patches = (...ops: Wire[]): CostlyPatch[] => ops.map((op) => ({ op }));

/** A list of 120,000, and thousands of inserts and removals at its start. */
const largeList: Shape = async ({ client, prefix }) => {
  const doc = `${prefix}list`;
  await client.flood(doc, 'json', patches([add('/big', Array<number>(120_000).fill(0))]));
  await client.flood(doc, 'json', patches(...repeat(12, () => repeat(5_000, () => add('/big/0', 0)))));
  await client.flood(doc, 'json', patches(...repeat(12, () => repeat(5_000, () => remove('/big/0')))));
  await client.flood(doc, 'json', patches(repeat(2_000, (at) => move(`/big/${at}`, '/big/100000'))));
};

/** One value of a quarter of a megabyte, copied until the document is full, then moved about and replaced. */
const hugeCopies: Shape = async ({ client, prefix }) => {
  const doc = `${prefix}copies`;
  const value = repeat(20_000, (at) => ({ a: at }));
  await client.flood(doc, 'json', patches([add('/a', value)], [add('/all', {})]));
  await client.flood(doc, 'json', patches(...repeat(30, (at) => [copy('/a', `/all/${at}`)])));
  await client.flood(
    doc,
    'json',
    patches(
      ...repeat(10, () =>
        repeat(100, (at) => move(at % 2 === 0 ? '/all' : '/moved', at % 2 === 0 ? '/moved' : '/all')),
      ),
    ),
  );
  await client.flood(doc, 'json', patches(...repeat(10, () => [copy('/all', '/twice'), remove('/twice')])));
  await client.flood(doc, 'json', patches(...repeat(10, (at) => [{ op: 'test', path: '/a', value: at }])));
  await client.flood(doc, 'json', patches([add('', {})]));
};

/** Values of the greatest allowed depth, wide at the bottom, and moves that need their depth. */
const deepValues: Shape = async ({ client, prefix }) => {
  const doc = `${prefix}deep`;
  let value: Json = repeat(10_000, (at) => at);
  for (let level = 0; level < 90; level++) value = level % 2 === 0 ? [value] : { a: value };
  await client.flood(doc, 'json', patches([add('/deep', value), add('/at', {})]));
  await client.flood(
    doc,
    'json',
    patches(
      ...repeat(20, () =>
        repeat(400, (at) => (at % 2 === 0 ? move('/deep', '/at/x') : move('/at/x', '/deep'))),
      ),
    ),
  );
  await client.flood(doc, 'json', patches(...repeat(10, () => repeat(200, () => copy('/deep', '/again')))));
};

/** Empty lists, empty objects, and objects with a key of their own each: little text, much memory. */
const emptyContainers: Shape = async ({ client, prefix, isOver }) => {
  let keys = 0;
  const values: readonly (() => Json)[] = [() => [], () => ({}), () => ({ [`k${keys++}`]: 0 })];
  for (const [at, make] of values.entries()) {
    const doc = `${prefix}empty${at}`;
    const parts = repeat(70, (part): Wire => [add(`/part${part}`, repeat(18_000, make))]);
    if (!isOver()) await client.flood(doc, 'json', patches(...parts));
  }
};

/** An object with a hundred thousand members, which come and go one by one. */
const manyMembers: Shape = async ({ client, prefix }) => {
  const doc = `${prefix}members`;
  for (let part = 0; part < 10; part++) {
    const members = Object.fromEntries(repeat(10_000, (at) => [`k${part}-${at}`, at]));
    await client.flood(doc, 'json', patches([add(`/part${part}`, members)]));
  }
  for (let part = 0; part < 10; part++) {
    await client.flood(
      doc,
      'json',
      patches(
        ...repeat(4, (at) => repeat(2_500, (key) => remove(`/part${part}/k${part}-${2_500 * at + key}`))),
      ),
    );
  }
};

/** Many patches, then patches of many steps on old bases. */
const oldJsonBases: Shape = async ({ client, prefix, random, isOver }) => {
  const doc = `${prefix}old`;
  await client.flood(
    doc,
    'json',
    patches([
      add(
        '/list',
        repeat(1_000, (at) => at),
      ),
    ]),
  );
  for (let round = 0; round < 5 && !isOver(); round++) {
    await client.flood(
      doc,
      'json',
      patches(...repeat(200, (at) => [add(`/list/${at}`, 'x'), add(`/m${at % 50}`, 'y'.repeat(2_000))])),
    );
    await client.flood(
      doc,
      'json',
      repeat(30, () => ({
        op: repeat(3_000, (at) => add(`/list/${below(random, 900)}`, at)),
        behind: 10_000,
      })),
    );
    await client.flood(
      doc,
      'json',
      repeat(50, () => ({ op: [add('/late', 1)], behind: below(random, 1_000) })),
    );
  }
};

/** A document that is replaced by a hundred kilobytes again and again, then a patch on the first version. */
const largeHistory: Shape = async ({ client, prefix, isOver }) => {
  const doc = `${prefix}history`;
  const value = 'x'.repeat(100_000);
  for (let round = 0; round < 10 && !isOver(); round++) {
    await client.flood(
      doc,
      'json',
      patches(
        ...repeat(40, () => [
          { op: 'replace', path: round === 0 ? '' : '/a', value: round === 0 ? { a: value } : value },
        ]),
      ),
    );
    await client.flood(doc, 'json', [{ op: [add('/b', 1)], behind: 1_000_000 }]);
  }
};

const oldRichTextBases: Shape = async ({ client, prefix, random, isOver }) => {
  const doc = `${prefix}text-old`;
  await client.flood(doc, 'rich-text', patches([{ insert: 'word '.repeat(2_000) }]));
  for (let round = 0; round < 5 && !isOver(); round++) {
    await client.flood(
      doc,
      'rich-text',
      patches(...repeat(300, () => [{ retain: 1 + below(random, 5_000) }, { insert: 'x' }])),
    );
    const scattered = repeat(4_000, () => [{ retain: 1 }, { insert: 'y' }]).flat();
    await client.flood(
      doc,
      'rich-text',
      repeat(20, () => ({ op: scattered, behind: 10_000 })),
    );
  }
};

/** Runs with a hundred attributes each, set and taken away over the whole text. */
const manyAttributes: Shape = async ({ client, prefix, isOver }) => {
  const doc = `${prefix}attributes`;
  const attributes = (salt: number): Step =>
    Object.fromEntries(repeat(100, (at) => [`attribute-${at}`, salt + at]));
  await client.flood(
    doc,
    'rich-text',
    patches(
      ...repeat(20, (at) =>
        repeat(100, (run) => ({ insert: `run ${run} `, attributes: attributes(100 * at + run) })),
      ),
    ),
  );
  for (let round = 0; round < 10 && !isOver(); round++) {
    await client.flood(
      doc,
      'rich-text',
      patches(...repeat(8, (at) => [{ retain: 10_000, attributes: attributes(at) }])),
    );
    await client.flood(
      doc,
      'rich-text',
      patches(repeat(1_500, (at) => ({ retain: 1 + (at % 5), attributes: { [`odd-${at % 7}`]: at } }))),
    );
  }
};

/** A megabyte of text, and patches with an insert at each fifth character. */
const scatteredText: Shape = async ({ client, prefix, isOver }) => {
  const doc = `${prefix}text`;
  await client.flood(doc, 'rich-text', patches(...repeat(5, () => [{ insert: 'abcde '.repeat(35_000) }])));
  for (let round = 0; round < 10 && !isOver(); round++) {
    await client.flood(
      doc,
      'rich-text',
      patches(...repeat(4, () => repeat(6_000, () => [{ retain: 150 }, { insert: 'z' }]).flat())),
    );
    await client.flood(
      doc,
      'rich-text',
      patches(...repeat(4, () => repeat(6_000, () => [{ retain: 150 }, { delete: 1 }]).flat())),
    );
  }
};

/** Updates of thousands of structs of one character, by many clients. */
const smallStructs: Shape = async ({ client, prefix, random, isOver }) => {
  const doc = `${prefix}structs`;
  for (let round = 0; round < 10 && !isOver(); round++) {
    const updates: Wire[] = [];
    for (let author = 0; author < 3; author++) {
      const ydoc = new Y.Doc();
      const text = ydoc.getText('text');
      ydoc.transact(() => {
        for (let at = 0; at < 5_000; at++) text.insert(below(random, at + 1), 'x');
        for (let at = 0; at < 1_000; at++) text.delete(below(random, text.length), 1);
      });
      updates.push(Y.encodeStateAsUpdate(ydoc));
    }
    await client.flood(doc, 'yjs', patches(...updates));
    for (let reader = 0; reader < 3; reader++) {
      client.close(doc);
      await client.open(doc, 'yjs');
    }
  }
};

/** A document of ten megabytes, opened again and again while it is edited. */
const largeOpens: Shape = async ({ client, prefix, isOver }) => {
  const doc = `${prefix}large`;
  await client.flood(
    doc,
    'json',
    patches(
      ...repeat(40, (at) => [
        add(
          `/part${at}`,
          repeat(30_000, (item) => item),
        ),
      ]),
    ),
  );
  for (let round = 0; round < 20 && !isOver(); round++) {
    client.close(doc);
    await client.open(doc, 'json');
    await client.flood(doc, 'json', patches([add('/touched', round)]));
  }
};

/** Old seqs, which only the log knows. */
const oldSeqs: Shape = async ({ client, prefix, isOver }) => {
  const doc = `${prefix}seqs`;
  await client.flood(doc, 'json', patches(...repeat(300, (at) => [add('/x', `${at}`.repeat(1_000))])));
  for (let round = 0; round < 200 && !isOver(); round++)
    await client.again(doc, 'json', 1 + (round % 100), [add('/x', 1)]);
};

/** Presence of the largest size and rate, in a document that many clients have open. */
const presenceFlood: Shape = async ({ client, prefix, random, isOver }) => {
  const doc = `${prefix.slice(0, prefix.indexOf('/'))}/presence`;
  await client.open(doc, 'json');
  for (let round = 0; round < 300 && !isOver(); round++) {
    client.presence(doc, { text: `${random()}`.repeat(200).slice(0, 3_900) });
    await pause(20);
  }
  client.close(doc);
};

export const SHAPES: Readonly<Record<string, Shape>> = {
  largeList,
  hugeCopies,
  deepValues,
  manyMembers,
  emptyContainers,
  oldJsonBases,
  largeHistory,
  oldRichTextBases,
  manyAttributes,
  scatteredText,
  smallStructs,
  largeOpens,
  oldSeqs,
  presenceFlood,
};
