// The parts of the page's version history that need no browser: periods of editing, and the authors of a version.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { Delta } from '../../../client/ot/delta.ts';
import type { Json } from '../../../protocol/messages.ts';
import { markedJson, markedText } from '../../../web/history/marks.ts';
import type { PastPatch } from '../../../web/history/past.ts';
import { authorOf, periodsOf } from '../../../web/history/periods.ts';
import { markedItems } from '../../../web/history/yjs-marks.ts';
import { partsOf } from '../../../web/views/yjs/text.ts';

const MINUTE = 60_000;

const patch = (version: number, at: number, user: string, op: Json = []): PastPatch => ({
  version,
  client: `client-of-${user}`,
  user,
  at,
  op,
});

test('a pause or a name ends a period; the newest comes first, with each author once', () => {
  const patches = [
    patch(1, 0, 'ada'),
    patch(2, MINUTE, 'grace'),
    patch(3, 2 * MINUTE, 'ada'),
    patch(4, 20 * MINUTE, 'grace'),
    patch(5, 21 * MINUTE, 'grace'),
  ];
  const shown = periodsOf(patches, [
    { name: 'draft', version: 4 },
    { name: 'gone', version: 99 },
  ]).map(({ from, to, authors, names }) => [
    from,
    to,
    authors.map(({ label }) => label),
    names.map(({ name }) => name),
  ]);
  assert.deepEqual(shown, [
    [5, 5, ['grace'], []],
    [4, 4, ['grace'], ['draft']],
    [1, 3, ['ada', 'grace'], []],
  ]);
  assert.deepEqual(periodsOf([], []), []);
});

test('any history is cut into periods without a gap, and none is too long for a preview', () => {
  const history = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 10 * MINUTE }), fc.constantFrom('ada', 'grace')),
    {
      maxLength: 1500,
    },
  );
  fc.assert(
    fc.property(history, fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 5 }), (steps, named) => {
      let at = 0;
      const patches = steps.map(([pause, user], index) => {
        at += pause;
        return patch(index + 1, at, user);
      });
      const periods = periodsOf(
        patches,
        named.map((version) => ({ name: `v${version}`, version })),
      ).toReversed();
      let next = 1;
      for (const { from, to } of periods) {
        assert.equal(from, next);
        assert.ok(to >= from && to - from < 500);
        next = to + 1;
      }
      assert.equal(next, patches.length + 1);
      for (const version of named.filter((each) => each <= patches.length))
        assert.ok(periods.some(({ to }) => to === version));
    }),
    { numRuns: 50 },
  );
});

test('users without names are told apart by their clients, and cannot be named to the node', () => {
  const [a, b] = ['client-aaaa', 'client-bbbb'].map((client) => authorOf({ user: 'anonymous', client }));
  assert.notEqual(a?.key, b?.key);
  assert.equal(a?.user, undefined);
  assert.deepEqual(authorOf({ user: 'ada', client: 'x' }), { key: 'ada', label: 'ada', user: 'ada' });
});

test('text of a period has its authors, older text has none, and the whole is the content', () => {
  let content = new Delta([{ insert: 'older text\n' }]);
  const edits: [user: string, op: Delta][] = [
    ['ada', new Delta().retain(5).insert(' and newer')],
    ['grace', new Delta().retain(6).delete(4).insert('&', { bold: true })],
    ['ada', new Delta().retain(2, { italic: true })],
  ];
  const patches = edits.map(([user, op], index) => {
    content = content.compose(op);
    return patch(index + 7, 0, user, op.ops as Json);
  });
  const marked = markedText(content.ops as Json, patches);
  assert.deepEqual(
    marked.map(({ insert, by }) => [insert, by]),
    [
      ['ol', undefined],
      ['der', undefined],
      [' ', 'ada'],
      ['&', 'grace'],
      ['newer', 'ada'],
      [' text\n', undefined],
    ],
  );
});

test('values of a period have their authors, older values have none', () => {
  const patches = [
    patch(3, 0, 'ada', [{ op: 'add', path: '/list/0', value: { title: 'new' } }]),
    patch(4, 0, 'grace', [{ op: 'replace', path: '/list/0/title', value: 'newer' }]),
    patch(5, 0, 'grace', [{ op: 'remove', path: '/gone' }]),
  ];
  const { content, by } = markedJson({ list: ['old'], gone: 1, kept: true }, patches);
  assert.deepEqual(content, { list: [{ title: 'newer' }, 'old'], kept: true });
  assert.deepEqual(
    [by.get(''), by.get('/list/0'), by.get('/list/0/title'), by.get('/list/1'), by.get('/kept')],
    [undefined, 'ada', 'grace', undefined, undefined],
  );
});

test('the parts of a yjs document that were written in a period have their authors, and others have none', () => {
  const doc = new Y.Doc();
  const patches: PastPatch[] = [];
  let user = 'ada';
  doc.on('update', (update: Uint8Array) => {
    const op = Buffer.from(update).toString('base64');
    patches.push(patch(patches.length + 1, 0, user, op));
  });
  const text = doc.getText('text');
  const map = doc.getMap('tasks');
  const list = doc.getArray('list');
  const paragraph = new Y.XmlElement('p');
  text.insert(0, 'before ');
  map.set('first', 1);
  doc.getXmlFragment('xml').insert(0, [paragraph]);
  const beforePeriod = patches.length;
  text.insert(7, 'ada writes');
  text.insertEmbed(17, { image: 'a.png' });
  list.push(['a', { b: 1 }]);
  user = 'grace';
  text.insert(10, '😀');
  text.delete(0, 1);
  map.set('second', { deep: [2] });
  paragraph.insert(0, [new Y.XmlText('grace')]);
  const shown = partsOf(doc, markedItems(patches.slice(beforePeriod))).map(({ name, pieces }) => [
    name,
    pieces.map(({ text: each, by }) => [each, by]),
  ]);
  const [ada, grace] = ['ada', 'grace'].map((name) => authorOf(patch(1, 0, name)).key);
  assert.deepEqual(shown, [
    [
      'list',
      [
        ['[', undefined],
        ['\n  ', undefined],
        ['"a"', ada],
        [',\n  ', undefined],
        ['{\n    "b": 1\n  }', ada],
        ['\n]', undefined],
      ],
    ],
    [
      'tasks',
      [
        ['{', undefined],
        ['\n  ', undefined],
        ['"first": 1', undefined],
        [',\n  ', undefined],
        ['"second": {\n    "deep": [\n      2\n    ]\n  }', grace],
        ['\n}', undefined],
      ],
    ],
    [
      'text',
      [
        ['efore ', undefined],
        ['ada', ada],
        ['😀', grace],
        [' writes', ada],
        ['\uFFFC', ada],
      ],
    ],
    ['xml', [['grace', grace]]],
  ]);
  assert.equal(partsOf(doc)[1]?.text, JSON.stringify(map.toJSON(), null, 2));
});
