// The page's pure parts: addresses, names, presence data, states as words, and the content that the editor
// shows.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Delta } from '../../../client/ot/delta.ts';
import { withWholeCharacters } from '../../../client/quill/characters.ts';
import {
  documentInEditor,
  endOfChange,
  fromEditor,
  toEditor,
  withWholeLines,
} from '../../../client/quill/display.ts';
import type { EditorFormats, FormatSort } from '../../../client/quill/formats.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import { lostTextOf } from '../../../web/frame/lost-text.ts';
import {
  COLOURS,
  cleanName,
  everyone,
  initials,
  readPresence,
  writePresence,
} from '../../../web/frame/people.ts';
import { announcementOf, statusOf } from '../../../web/frame/status.ts';
import { firstCharacters } from '../../../web/graphemes.ts';
import { userOf } from '../../../web/login/token-user.ts';
import {
  addressOf,
  documentOf,
  newPersonName,
  newPlace,
  placeOf,
  SHARED_PLACE,
} from '../../../web/place/place.ts';
import { MOST_RECENT, noteRecent, readRecent } from '../../../web/place/recent.ts';
import { addressesIn, markedBefore } from '../../../web/views/text/typing.ts';

const below = (limit: number): number => Math.floor(Math.random() * limit);

test('address: ?doc= and # name the same document, and its ending names the view', () => {
  const place = placeOf('?doc=acme/plan', '');
  assert.deepEqual(place, { text: 'acme/plan', board: 'acme/plan.board', view: 'text' });
  assert.deepEqual(placeOf('', '#acme/plan'), place);
  assert.deepEqual(placeOf('?doc=acme/plan.board', ''), { ...place, view: 'board' });
  assert.equal(placeOf('', ''), undefined);
  assert.equal(placeOf('?new', ''), 'new');
  assert.deepEqual(placeOf('?new&doc=acme/plan', ''), place);
  assert.deepEqual(placeOf(addressOf(SHARED_PLACE).slice(1), ''), SHARED_PLACE);
  for (const bad of [
    '?doc=plan',
    '?doc=Acme/plan',
    '?doc=acme/',
    '?doc=acme/..',
    '?doc=a/b/c',
    '?doc=acme/.board',
  ]) {
    assert.equal(placeOf(bad, ''), 'bad', bad);
  }
  assert.equal(placeOf('', '#%E0%A4%A'), 'bad');
});

test('address: a fresh document has a valid, unlikely repeated name, and its address leads to it', () => {
  const names = new Set<string>();
  for (let i = 0; i < 2_000; i += 1) {
    const place = newPlace(below);
    assert.ok(parseDocumentName(documentOf(place)));
    assert.deepEqual(placeOf(addressOf(place).slice(1), ''), place);
    names.add(place.text);
  }
  assert.equal(names.size, 2_000);
  assert.match(newPersonName(below), /^[A-Z][a-z]+ [A-Z][a-z]+$/);
});

test('presence: data of any shape becomes a person with a name and a readable colour', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (data, name) => {
      for (const value of [data, { name, color: data, card: data }]) {
        const person = readPresence('client-1234', value as Parameters<typeof readPresence>[1]);
        assert.match(person.colour, /^#[0-9a-f]{6}$/);
        assert.ok(person.name.length > 0 && person.name.length <= 400);
        assert.ok(initials(person.name).length > 0);
      }
    }),
  );
  assert.equal(cleanName('  Ada \n\u202e Lovelace '), 'Ada Lovelace');
  assert.equal(initials('Ada Lovelace'), 'AL');
  assert.equal(initials('🦊'), '?');
});

test('names: a name that is too long ends after a whole character, and no half of one is kept', () => {
  const family = '👨‍👩‍👧‍👦';
  assert.equal(cleanName(family.repeat(50)), family.repeat(34));
  assert.equal(cleanName('é'.normalize('NFD').repeat(50)), 'é'.normalize('NFD').repeat(40));
  assert.equal(cleanName(`${'a'.repeat(39)}${family}b`), `${'a'.repeat(39)}${family}`);
  assert.equal(firstCharacters(`ab\ud83d`, 9), 'ab');
  assert.equal(initials('👩‍🚀1 Étoile'), '👩‍🚀É');
});

test('people: up to ten have ten colours, whatever each chose, and every window agrees on them', () => {
  const person = fc.record({ colour: fc.constantFrom(...COLOURS.map(({ hex }) => hex)), joined: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(person, { minLength: 2, maxLength: 10 }), (chosen) => {
      const people = chosen.map(({ colour, joined }, index) => ({
        client: `client-${index}`,
        person: { name: `P${index}`, colour },
        joined,
      }));
      const seen = people.map((me) => {
        const others = people.filter((other) => other !== me);
        return everyone(me, new Map(others.map((other) => [other.client, writePresence(other)])));
      });
      const colours = (room: ReturnType<typeof everyone>): [string, string][] =>
        [...room].map(([client, { colour }]) => [client, colour]);
      for (const room of seen) assert.deepEqual(colours(room), colours(seen[0] ?? new Map()));
      assert.equal(new Set(colours(seen[0] ?? new Map()).map(([, colour]) => colour)).size, people.length);
      const first = people.toSorted((a, b) => a.joined - b.joined || (a.client < b.client ? -1 : 1))[0];
      assert.equal(seen[0]?.get(first?.client ?? '')?.colour, first?.person.colour);
    }),
  );
});

test('recent documents: newest first, each once, bounded, and never taken from what is no list', () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    clear: () => kept.clear(),
    key: () => null,
    length: 0,
  };
  for (let index = 0; index < 30; index += 1) noteRecent(storage, { doc: `a/d${index}`, title: '' });
  noteRecent(storage, { doc: 'a/d15', title: '👨‍👩‍👧‍👦'.repeat(200) });
  const recent = readRecent(storage);
  assert.equal(recent.length, MOST_RECENT);
  assert.equal(recent[0]?.doc, 'a/d15');
  assert.match(recent[0]?.title ?? '', /👦$/);
  assert.equal(new Set(recent.map(({ doc }) => doc)).size, MOST_RECENT);
  for (const other of ['{', '{}', '[1,null,{"doc":"<b>"},{"doc":3}]', '"x"']) {
    kept.set('troupe.recent', other);
    assert.deepEqual(readRecent(storage), []);
  }
  assert.deepEqual(readRecent(undefined), []);
});

test('state: "Saved" is said in the state saved and in no other', () => {
  for (const state of ['connecting', 'live', 'saving', 'offline', 'closed', 'saved'] as const) {
    for (const pending of [true, false]) {
      const { label } = statusOf({ state, pending, connecting: pending });
      assert.equal(label === 'Saved', state === 'saved');
    }
  }
  assert.equal(announcementOf('saving', 'saved'), undefined);
  assert.match(announcementOf('saved', 'offline') ?? '', /Offline/);
  assert.match(announcementOf('offline', 'saving') ?? '', /Connected/);
});

const embed = fc.oneof(
  fc.constant({ image: 'https://example.org/x.png' }),
  fc.constant({ video: { a: [1, null] } }),
  fc.constant({ foreign: 'x' }),
);
const attributes = fc.dictionary(
  fc.constantFrom('bold', 'header', 'list', 'link', 'color', 'constructor'),
  fc.oneof(fc.constant(true), fc.constant(null), fc.nat(9), fc.string(), fc.constant({ deep: 1 })),
);
const op = fc.oneof(
  fc.record({ insert: fc.oneof(fc.string({ minLength: 1 }), fc.constant('a\r\nb'), embed), attributes }),
  fc.record({ retain: fc.integer({ min: 1, max: 9 }), attributes }),
  fc.record({ delete: fc.integer({ min: 1, max: 9 }) }),
);

/** The operation at each position: i for inserted, r for kept, d for deleted. */
const shape = (delta: Delta): string =>
  delta.ops
    .map((one) => {
      if (typeof one.insert === 'string') return 'i'.repeat(one.insert.length);
      if (one.insert !== undefined) return 'i';
      return one.delete === undefined ? 'r'.repeat(Number(one.retain)) : 'd'.repeat(one.delete);
    })
    .join('');

const SORTS: Record<string, FormatSort> = {
  bold: 'text',
  link: 'text',
  header: 'block',
  list: 'block',
  blockquote: 'block',
  'code-block': 'block',
  indent: 'line',
};
const FORMATS: EditorFormats = {
  sort: (name) => (Object.hasOwn(SORTS, name) ? SORTS[name] : undefined),
  showsEmbed: () => false,
};

test('editor: its content has every position of the document, and only formats that it knows', () => {
  fc.assert(
    fc.property(fc.array(op), (ops) => {
      const delta = (ops as Delta['ops']).reduce((all, one) => all.push(one), new Delta());
      const shown = toEditor(delta, FORMATS);
      assert.equal(shape(shown), shape(delta));
      for (const one of shown.ops) {
        assert.ok(!(typeof one.insert === 'string' && one.insert.includes('\r')));
        assert.ok(!('color' in (one.attributes ?? {})));
      }
    }),
  );
});

const lineFormat = fc.constantFrom(
  { list: 'bullet' },
  { list: 'ordered' },
  { header: 1 },
  { blockquote: true },
  { 'code-block': true },
);

test('editor: two people who format one line at once leave it one format, in either order', () => {
  fc.assert(
    fc.property(fc.option(lineFormat), lineFormat, lineFormat, (before, one, other) => {
      const base = new Delta().insert('line').insert('\n', before ?? {});
      const first = withWholeLines(new Delta().retain(4).retain(1, one), base);
      const second = withWholeLines(new Delta().retain(4).retain(1, other), base);
      const both = base.compose(first).compose(first.transform(second, true));
      assert.deepEqual(both.ops.at(-1), { insert: '\n', attributes: one });
    }),
  );
});

test('editor: a line that others gave several formats is shown in one, and clearing it clears all', () => {
  const content = new Delta()
    .insert('a', { bold: true })
    .insert('\n', { blockquote: true, header: 2, list: 'bullet' });
  assert.deepEqual(documentInEditor(content, FORMATS).ops[1], {
    insert: '\n',
    attributes: { list: 'bullet' },
  });
  const clear = withWholeLines(new Delta().retain(1).retain(1, { list: null }), content);
  assert.deepEqual(content.compose(clear).ops, [
    { insert: 'a', attributes: { bold: true } },
    { insert: '\n' },
  ]);
});

test('editor: text in a code block is shown without its formats, as the editor itself has it', () => {
  const content = new Delta().insert('a', { bold: true }).insert('b\n', { 'code-block': true }).insert('c\n');
  assert.deepEqual(documentInEditor(content, FORMATS).ops, [
    { insert: 'ab' },
    { insert: '\n', attributes: { 'code-block': true } },
    { insert: 'c\n' },
  ]);
});

test('editor: an edit that would cut a character in two takes all of it, and keeps all else', () => {
  const units = fc.array(fc.constantFrom('a', '\ud83d', '\ude00', '\ude01', 'é'), { maxLength: 6 });
  const change = fc.record({ keep: fc.nat(3), remove: fc.nat(2), insert: units, bold: fc.boolean() });
  const text = fc.array(fc.constantFrom('a', '😀', '😁', 'b'), { minLength: 4, maxLength: 12 });
  const half = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  const plain = (delta: Delta): string => delta.ops.map(({ insert }) => insert).join('');
  fc.assert(
    fc.property(text, fc.array(change, { maxLength: 3 }), (characters, changes) => {
      const before = new Delta().insert(`${characters.join('')}\n`);
      const patch = new Delta();
      let left = before.length() - 1;
      for (const { keep, remove, insert, bold } of changes) {
        const kept = Math.min(left, keep);
        const removed = Math.min(left - kept, remove);
        patch
          .retain(kept, bold ? { bold: true } : {})
          .insert(insert.join(''))
          .delete(removed);
        left -= kept + removed;
      }
      const fitted = withWholeCharacters(patch.chop(), before);
      const after = before.compose(fitted);
      for (const delta of [fitted, after]) {
        for (const { insert } of delta.ops) assert.ok(typeof insert !== 'string' || insert.search(half) < 0);
      }
      assert.equal(plain(after).replaceAll(half, ''), plain(after));
      let index = 0;
      for (const one of fitted.ops) {
        index += Number(one.retain ?? one.delete ?? 0);
        assert.doesNotMatch(
          plain(before).slice(Math.max(0, index - 1), index + 1),
          /^[\ud800-\udbff][\udc00-\udfff]$/,
        );
      }
      if (plain(before.compose(patch)).search(half) < 0)
        assert.equal(plain(after), plain(before.compose(patch)));
    }),
    { numRuns: 300 * Number(process.env.FUZZ_RUNS ?? 1) },
  );
});

test('editor: an embed it does not know comes out of it as it went in', () => {
  fc.assert(
    fc.property(embed, (value) => {
      const delta = new Delta().insert(value as Record<string, unknown>);
      assert.deepEqual(fromEditor(toEditor(delta, FORMATS)).ops, delta.ops);
    }),
  );
});

test('typing: addresses are found without the punctuation after them, and nothing else is one', () => {
  const found = (text: string): string[] => addressesIn(text).map(({ url }) => url);
  assert.deepEqual(found('see https://a.example/x?y=1#z. And www.b.example!'), [
    'https://a.example/x?y=1#z',
    'https://www.b.example',
  ]);
  assert.deepEqual(found('(https://a.example/b_(c)) <http://d.example>'), [
    'https://a.example/b_(c)',
    'http://d.example',
  ]);
  for (const none of [
    'http://',
    'www.',
    'mailwww.a.example',
    'a@www.b.example',
    'https://.',
    'javascript:alert(1)',
  ])
    assert.deepEqual(found(none), [], none);
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const { start, length } of addressesIn(text))
        assert.match(text.slice(start, start + length), /^(http|www)/i);
    }),
  );
});

test('typing: a closing marker formats what stands between it and the opening one, and no sums or names', () => {
  assert.deepEqual(markedBefore('a **b c**'), { format: 'bold', start: 2, marker: 2, length: 3 });
  assert.deepEqual(markedBefore('~~x~~'), { format: 'strike', start: 0, marker: 2, length: 1 });
  assert.deepEqual(markedBefore('(*x*'), { format: 'italic', start: 1, marker: 1, length: 1 });
  assert.deepEqual(markedBefore('`a*b`'), { format: 'code', start: 0, marker: 1, length: 3 });
  for (const none of ['2*3*', '**a*', '** a**', 'snake_case_', '* x *', '``', '****']) {
    assert.equal(markedBefore(none), undefined, none);
  }
});

test('editor: the caret after undo stands at the end of what it changed', () => {
  assert.equal(endOfChange(new Delta().retain(3).insert('ab')), 5);
  assert.equal(endOfChange(new Delta().retain(3).delete(2)), 3);
  assert.equal(endOfChange(new Delta().insert('x').retain(4).retain(2, { bold: true })), 7);
});

test('sign-in: the user of a token is read, and nothing of what is no token', () => {
  const token = (claims: unknown): string =>
    ['{"alg":"HS256"}', JSON.stringify(claims), 'signature']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
  assert.equal(userOf(token({ sub: 'ada' })), 'ada');
  assert.equal(userOf(token({ sub: 'Zoë>?' })), 'Zoë>?');
  for (const wrong of [
    '',
    'x',
    'a.b',
    'a.b.c',
    `${token({ sub: 'ada' })}.d`,
    token({}),
    token({ sub: 1 }),
    token(null),
  ])
    assert.equal(userOf(wrong), undefined, wrong);
});

test('edits that were not taken: their text is found in patches of each kind', () => {
  assert.equal(
    lostTextOf({ ops: [{ retain: 3 }, { insert: 'two ' }, { delete: 1 }, { insert: 'words' }] }),
    'two words',
  );
  assert.equal(
    lostTextOf([
      { op: 'remove', path: '/a' },
      { op: 'add', path: '/b', value: { title: 'A card', order: 1, notes: ['first', 'second'] } },
    ]),
    'A card\nfirst\nsecond\n',
  );
  for (const none of [
    undefined,
    null,
    7,
    'text',
    new Uint8Array(2),
    { ops: 3 },
    [null, 1, { insert: { image: 'x' } }],
  ])
    assert.equal(lostTextOf(none), '');
});
