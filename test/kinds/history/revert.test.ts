// Reverting patches of the past: their effect is gone, and everything else stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { revertOfJson, revertOfText } from '../../../kinds/history/revert.ts';
import { jsonKind } from '../../../kinds/json/json.ts';
import { richTextKind } from '../../../kinds/rich-text/rich-text.ts';
import type { Json, Wire } from '../../../protocol/messages.ts';
import { canonical, EDITS, randomDocument, randomOf, randomStep } from '../json/json-random.ts';
import { patchFor, runs, type Script, script, snapshotOf, textOf } from '../rich-text/rich-text-edits.ts';

const LIMITS = { documentBytes: Number.POSITIVE_INFINITY, depth: 100, workMs: 1_000 };

interface Made {
  readonly user: string;
  readonly op: Wire;
}

/** Commits patches one after the other, reverts those that are chosen, and returns the document. */
function revertedText(before: Wire, patches: readonly Made[], isChosen: (patch: Made) => boolean): Wire {
  const state = richTextKind.load(before);
  const revert = revertOfText();
  for (const patch of patches) {
    const op = richTextKind.recall(patch.op, undefined);
    if (isChosen(patch)) revert.takeBack(state, op);
    else revert.keep(state, op);
  }
  const committed = richTextKind.commit(state, revert.patchOn(state), [], LIMITS);
  assert.ok(committed.ok, JSON.stringify(committed));
  return richTextKind.snapshot(state);
}

function revertedJson(before: Json, patches: readonly Made[], isChosen: (patch: Made) => boolean): Json {
  const state = jsonKind.load(before);
  const log = jsonKind.load(before);
  const revert = revertOfJson();
  for (const patch of patches) {
    const parsed = jsonKind.parse(patch.op, LIMITS);
    assert.ok(parsed.ok);
    const committed = jsonKind.commit(log, parsed.value, [], LIMITS);
    assert.ok(committed.ok, JSON.stringify([patch, committed]));
    if (isChosen(patch)) revert.takeBack(state, committed.value.op);
    else revert.keep(state, committed.value.op);
  }
  const sent = jsonKind.parse(jsonKind.wire(revert.patchOn(state)), LIMITS);
  assert.ok(sent.ok);
  const committed = jsonKind.commit(state, sent.value, [], LIMITS);
  assert.ok(committed.ok, JSON.stringify(committed));
  return jsonKind.snapshot(state) as Json;
}

const by =
  (user: string) =>
  (patch: Made): boolean =>
    patch.user === user;

const TEXT_CASES: [string, Wire, Made[], Wire][] = [
  [
    'text that one user typed goes, and text typed into it by another stays',
    [{ insert: '\n' }],
    [
      { user: 'ada', op: [{ insert: 'Hello' }] },
      { user: 'bob', op: [{ retain: 2 }, { insert: 'XY' }] },
    ],
    [{ insert: 'XY\n' }],
  ],
  [
    'deleted text comes back at its place',
    [{ insert: 'one two three\n' }],
    [
      { user: 'ada', op: [{ retain: 4 }, { delete: 4 }] },
      { user: 'bob', op: [{ insert: '> ' }] },
    ],
    [{ insert: '> one two three\n' }],
  ],
  [
    'a format goes, except where another user has changed it since',
    [{ insert: 'abc\n' }],
    [
      { user: 'ada', op: [{ retain: 3, attributes: { color: 'red' } }] },
      { user: 'bob', op: [{ retain: 1 }, { retain: 1, attributes: { color: 'blue' } }] },
    ],
    [{ insert: 'a' }, { insert: 'b', attributes: { color: 'blue' } }, { insert: 'c\n' }],
  ],
  [
    'what a user typed and deleted again is nothing',
    [{ insert: 'x\n' }],
    [
      { user: 'ada', op: [{ insert: 'typo' }] },
      { user: 'bob', op: [{ retain: 5 }, { insert: '!' }] },
      { user: 'ada', op: [{ delete: 4 }] },
    ],
    [{ insert: 'x!\n' }],
  ],
];
for (const [title, before, patches, after] of TEXT_CASES)
  test(`HIST-6: rich-text: ${title}`, () =>
    assert.deepEqual(revertedText(before, patches, by('ada')), after));

const JSON_CASES: [string, Json, Made[], Json][] = [
  [
    'a member gets its earlier value back, except where another user has written since',
    { a: 1, b: 1 },
    [
      { user: 'ada', op: [{ op: 'replace', path: '/a', value: 2 }] },
      { user: 'ada', op: [{ op: 'replace', path: '/b', value: 2 }] },
      { user: 'bob', op: [{ op: 'replace', path: '/b', value: 3 }] },
    ],
    { a: 1, b: 3 },
  ],
  [
    'a removed element comes back between its neighbours',
    { list: ['a', 'b', 'c'] },
    [
      { user: 'ada', op: [{ op: 'remove', path: '/list/1' }] },
      { user: 'bob', op: [{ op: 'add', path: '/list/0', value: 'z' }] },
    ],
    { list: ['z', 'a', 'b', 'c'] },
  ],
  [
    'a moved element goes back, with what another user has changed in it',
    { todo: [{ text: 'x' }], done: [] },
    [
      { user: 'ada', op: [{ op: 'move', from: '/todo/0', path: '/done/0' }] },
      { user: 'bob', op: [{ op: 'replace', path: '/done/0/text', value: 'y' }] },
    ],
    { todo: [{ text: 'y' }], done: [] },
  ],
  [
    'a member that was removed and written again stays as another user has left it since',
    { a: 0, b: 0 },
    [
      { user: 'ada', op: [{ op: 'remove', path: '/a' }] },
      { user: 'ada', op: [{ op: 'add', path: '/a', value: 1 }] },
      { user: 'bob', op: [{ op: 'remove', path: '/a' }] },
      { user: 'ada', op: [{ op: 'add', path: '/c', value: 1 }] },
      { user: 'ada', op: [{ op: 'remove', path: '/c' }] },
      { user: 'bob', op: [{ op: 'add', path: '/c', value: 2 }] },
    ],
    { b: 0, c: 2 },
  ],
  [
    'a value whose old place has gone with a later patch stays where it is',
    { from: [{ x: 1 }], to: [] },
    [
      { user: 'ada', op: [{ op: 'move', from: '/from/0/x', path: '/to/0' }] },
      { user: 'ada', op: [{ op: 'move', from: '/from', path: '/to/1' }] },
      { user: 'bob', op: [{ op: 'remove', path: '/to/1' }] },
    ],
    { to: [1] },
  ],
];
for (const [title, before, patches, after] of JSON_CASES)
  test(`HIST-6: json: ${title}`, () => assert.deepEqual(revertedJson(before, patches, by('ada')), after));

/** Patches that fit the document after each other. */
function madeOf(scripts: readonly { user: string; edits: Script }[], before: Wire): Made[] {
  const state = richTextKind.load(before);
  return scripts.map(({ user, edits }) => {
    const committed = richTextKind.commit(state, patchFor(edits, textOf(snapshotOf(state))), [], LIMITS);
    assert.ok(committed.ok);
    return { user, op: richTextKind.wire(committed.value.op) };
  });
}

const users = fc.constantFrom('ada', 'bob');

test('HIST-6: rich-text: reverting every patch since a version brings that version back', () => {
  fc.assert(
    fc.property(
      fc.array(script(), { maxLength: 4 }),
      fc.array(fc.record({ user: users, edits: script() }), { maxLength: 8 }),
      (first, scripts) => {
        const state = richTextKind.load([{ insert: '\n' }]);
        for (const edits of first)
          richTextKind.commit(state, patchFor(edits, textOf(snapshotOf(state))), [], LIMITS);
        const before = richTextKind.snapshot(state);
        assert.deepEqual(
          revertedText(before, madeOf(scripts, before), () => true),
          before,
        );
      },
    ),
    { numRuns: runs(300) },
  );
});

test('HIST-6: rich-text: exactly the characters stay that the other user typed, and that none but the reverted user deleted', () => {
  const edit = fc.record({ user: users, at: fc.nat(200), gone: fc.nat(4), come: fc.nat(4) });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 20 }), (edits) => {
      let next = 0x4e00;
      const kept = new Set<string>();
      let text = '\n';
      const patches = edits.map(({ user, at, gone, come }): Made => {
        const from = at % text.length;
        const deleted = text.slice(from, Math.min(from + gone, text.length - 1));
        const typed = Array.from({ length: come }, () => String.fromCharCode(next++)).join('');
        text = text.slice(0, from) + typed + text.slice(from + deleted.length);
        if (user === 'bob') {
          for (const character of deleted) kept.delete(character);
          for (const character of typed) kept.add(character);
        }
        const op: { [name: string]: Json }[] = [];
        if (from > 0) op.push({ retain: from });
        if (typed !== '') op.push({ insert: typed });
        if (deleted !== '') op.push({ delete: deleted.length });
        return { user, op };
      });
      const after = revertedText([{ insert: '\n' }], patches, by('ada')) as { insert: string }[];
      const characters = [...after.map(({ insert }) => insert).join('')].filter((c) => c !== '\n');
      assert.deepEqual(characters.toSorted(), [...kept].toSorted());
    }),
    { numRuns: runs(300) },
  );
});

/** Random patches that apply after each other. Those that do not apply are left out. */
function madeOfJson(seed: number, before: Json): Made[] {
  const random = randomOf(seed);
  const state = jsonKind.load(before);
  const made: Made[] = [];
  for (let i = 1 + random(8); i > 0; i--) {
    const user = random(2) === 0 ? 'ada' : 'bob';
    const ops = [...EDITS, 'move', 'move', 'copy', 'root'];
    const op = [randomStep(random, jsonKind.snapshot(state) as Json, { ops, wrongOneIn: 0 })];
    const parsed = jsonKind.parse(op, LIMITS);
    assert.ok(parsed.ok);
    if (jsonKind.commit(state, parsed.value, [], LIMITS).ok) made.push({ user, op });
  }
  return made;
}

test('HIST-6: json: reverting every patch since a version brings that version back', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const before = randomDocument(randomOf(seed ^ 0x5eed));
      const after = revertedJson(before, madeOfJson(seed, before), () => true);
      assert.equal(canonical(after), canonical(before));
    }),
    { numRuns: runs(300) },
  );
});

test('HIST-6: json: members are as if the reverted user had written nothing', () => {
  const write = fc.record({ user: users, key: fc.constantFrom('a', 'b', 'c'), value: fc.option(fc.nat(99)) });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 16 }), (writes) => {
      const all: Record<string, number> = { a: 0 };
      const others: Record<string, number> = { a: 0 };
      const patches: Made[] = [];
      for (const { user, key, value } of writes) {
        if (value === null && !(key in all)) continue;
        for (const document of user === 'bob' ? [all, others] : [all]) {
          if (value === null) delete document[key];
          else document[key] = value;
        }
        patches.push({
          user,
          op: [value === null ? { op: 'remove', path: `/${key}` } : { op: 'add', path: `/${key}`, value }],
        });
      }
      assert.deepEqual(revertedJson({ a: 0 }, patches, by('ada')), others);
    }),
    { numRuns: runs(300) },
  );
});

test('HIST-6: json: what one user did anywhere is taken back by a patch that always commits', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const before = randomDocument(randomOf(seed ^ 0x5eed));
      revertedJson(before, madeOfJson(seed, before), by('ada'));
    }),
    { numRuns: runs(500) },
  );
});
