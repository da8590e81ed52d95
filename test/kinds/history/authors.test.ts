// The authors of a document: the fold of authors against a model that keeps one author for each character, or for
// each value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Author, AuthorOrNone } from '../../../kinds/history/author.ts';
import { authoredValues, foldJsonAuthor, unknownValue } from '../../../kinds/history/json-authors.ts';
import { authoredText, foldTextAuthor, unknownText } from '../../../kinds/history/rich-text-authors.ts';
import { jsonKind } from '../../../kinds/json/json.ts';
import { placesOf } from '../../../kinds/json/places.ts';
import type { JsonOp, Pointer } from '../../../kinds/json/step.ts';
import { escapeToken } from '../../../kinds/json/step.ts';
import { stepLength } from '../../../kinds/rich-text/delta.ts';
import { richTextKind } from '../../../kinds/rich-text/rich-text.ts';
import type { Json } from '../../../protocol/messages.ts';
import { EDITS, randomDocument, randomOf, randomStep } from '../json/json-random.ts';
import { patchFor, runs, script, snapshotOf, textOf } from '../rich-text/rich-text-edits.ts';

const LIMITS = { documentBytes: Number.POSITIVE_INFINITY, depth: 100, workMs: 1_000 };
const AT = Date.parse('2026-11-29T20:00:00Z');
const authorOf = (version: number): Author => ({
  user: version % 2 ? 'ada' : 'bob',
  at: AT + version,
  version,
});

test('HIST-4: rich-text: each insert has the user, the time and the version that wrote it', () => {
  const authors = unknownText(1);
  foldTextAuthor(authors, [{ insert: 'Hello' }], authorOf(1));
  foldTextAuthor(authors, [{ retain: 2 }, { insert: 'XY' }, { delete: 1 }], authorOf(2));
  assert.deepEqual(
    authoredText([{ insert: 'HeXYlo', attributes: { bold: true } }, { insert: '\n' }], authors),
    [
      {
        insert: 'He',
        attributes: { bold: true },
        author: { user: 'ada', at: '2026-11-29T20:00:00.001Z', version: 1 },
      },
      {
        insert: 'XY',
        attributes: { bold: true },
        author: { user: 'bob', at: '2026-11-29T20:00:00.002Z', version: 2 },
      },
      {
        insert: 'lo',
        attributes: { bold: true },
        author: { user: 'ada', at: '2026-11-29T20:00:00.001Z', version: 1 },
      },
      { insert: '\n' },
    ],
  );
});

test('HIST-4: rich-text: the authors are those of a model with an author for each character', () => {
  fc.assert(
    fc.property(fc.array(script(), { maxLength: 12 }), (scripts) => {
      const state = richTextKind.create();
      const authors = unknownText(1);
      let model: AuthorOrNone[] = [undefined];
      for (const [i, edits] of scripts.entries()) {
        const patch = patchFor(edits, textOf(snapshotOf(state)));
        const committed = richTextKind.commit(state, patch, [], LIMITS);
        assert.ok(committed.ok);
        const { op } = committed.value;
        const author = authorOf(i + 1);
        foldTextAuthor(authors, op, author);
        const after: AuthorOrNone[] = [];
        let index = 0;
        for (const step of op) {
          const length = stepLength(step);
          if (step.insert !== undefined) after.push(...Array.from({ length }, () => author));
          else if (step.retain !== undefined) after.push(...model.slice(index, index + length));
          if (step.insert === undefined) index += length;
        }
        model = [...after, ...model.slice(index)];
      }
      const inserts = authoredText(snapshotOf(state), authors);
      const found = inserts.flatMap((step) =>
        Array.from({ length: stepLength(step) }, () => step.author?.version),
      );
      assert.deepEqual(
        found,
        model.map((author) => author?.version),
      );
      const content = inserts.map(({ author: _, ...step }) => step);
      assert.deepEqual(snapshotOf(richTextKind.load(content as never)), snapshotOf(state));
    }),
    { numRuns: runs(200) },
  );
});

test('HIST-4: rich-text: above the number of inserts, neighbours of one user are joined and carry the latest version', () => {
  const authors = unknownText(0);
  for (const [i, user] of ['ada', 'ada', 'bob', 'ada'].entries())
    foldTextAuthor(authors, [{ insert: 'x' }], { user, at: AT + i, version: i + 1 });
  const inserts = authoredText([{ insert: 'abcd' }], authors, 3);
  assert.deepEqual(
    inserts.map(({ insert, author }) => [insert, author?.user, author?.version]),
    [
      ['a', 'ada', 4],
      ['b', 'bob', 3],
      ['cd', 'ada', 2],
    ],
  );
});

test('HIST-4: json: values that one patch put there share one entry, and moved values keep their authors', () => {
  let root = unknownValue();
  const state = jsonKind.create();
  const patches = [
    [{ op: 'add', path: '/todo', value: [{ text: 'a', done: false }] }],
    [{ op: 'replace', path: '/todo/0/done', value: true }],
    [{ op: 'add', path: '/todo/0', value: { text: 'b' } }],
    [{ op: 'move', from: '/todo/1', path: '/done' }],
  ];
  for (const [i, patch] of patches.entries()) {
    const parsed = jsonKind.parse(patch, LIMITS);
    assert.ok(parsed.ok);
    const committed = jsonKind.commit(state, parsed.value, [], LIMITS);
    assert.ok(committed.ok);
    root = foldJsonAuthor(root, committed.value.op, authorOf(i + 1));
  }
  const versions = Object.entries(authoredValues(root)).map(([pointer, author]) => [
    pointer,
    author?.version,
  ]);
  assert.deepEqual(Object.fromEntries(versions), {
    '': undefined,
    '/todo': 1,
    '/todo/0': 3,
    '/done': 1,
    '/done/done': 2,
  });
});

/** A value with an author for each value in it. */
type Model = { author: AuthorOrNone; items?: Model[]; members?: Map<string, Model> };

function modelOf(value: Json, author: AuthorOrNone): Model {
  if (Array.isArray(value)) return { author, items: value.map((item) => modelOf(item, author)) };
  if (typeof value !== 'object' || value === null) return { author };
  return {
    author,
    members: new Map(Object.entries(value).map(([key, member]) => [key, modelOf(member, author)])),
  };
}

function modelAt(model: Model, path: Pointer): Model {
  let at = model;
  for (const token of path) {
    const child = at.items?.[Number(token)] ?? at.members?.get(String(token));
    assert.ok(child);
    at = child;
  }
  return at;
}

function foldModel(root: Model, op: JsonOp, author: Author): Model {
  let model = root;
  for (const step of op.steps) {
    assert.ok(step.op !== 'test' && step.op !== 'copy');
    const place = (path: Pointer) => ({ in: modelAt(model, path.slice(0, -1)), token: path.at(-1) ?? '' });
    const take = (path: Pointer): Model => {
      const taken = modelAt(model, path);
      const { in: container, token } = place(path);
      if (container.items) container.items.splice(Number(token), 1);
      else container.members?.delete(String(token));
      return taken;
    };
    const value =
      step.op === 'add' || step.op === 'replace'
        ? modelOf(step.value, author)
        : take(step.op === 'move' ? step.from : step.path);
    if (step.op === 'remove') continue;
    if (step.path.length === 0) {
      model = value;
      continue;
    }
    const { in: container, token } = place(step.path);
    if (container.items) container.items.splice(Number(token), step.op === 'replace' ? 1 : 0, value);
    else container.members?.set(String(token), value);
  }
  return model;
}

test('HIST-4: json: the authors are those of a model with an author for each value', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = randomOf(seed);
      const state = jsonKind.load(randomDocument(random));
      let root = unknownValue();
      let model = modelOf(jsonKind.snapshot(state) as Json, undefined);
      for (let version = 1; version <= 10; version++) {
        const mix = { ops: [...EDITS, 'move', 'move', 'copy', 'root'], wrongOneIn: 0 };
        const parsed = jsonKind.parse([randomStep(random, jsonKind.snapshot(state) as Json, mix)], LIMITS);
        assert.ok(parsed.ok);
        const committed = jsonKind.commit(state, parsed.value, [], LIMITS);
        if (!committed.ok) continue;
        // The log's form: the copy is an add, and the note tells the indices.
        const wire = jsonKind.wire(committed.value.op);
        const note = jsonKind.note(committed.value.op) ?? '';
        const op = jsonKind.recall(wire, note);
        const steps = placesOf(wire, note);
        assert.deepEqual(
          steps,
          op.steps.map(({ op: name, path, ...step }) =>
            name === 'move' && 'from' in step ? { op: name, from: step.from, path } : { op: name, path },
          ),
        );
        root = foldJsonAuthor(root, { steps }, authorOf(version));
        model = foldModel(model, op, authorOf(version));
      }
      const listed = authoredValues(root);
      const visit = (at: Model, pointer: string, around: number | undefined): void => {
        const entry = listed[pointer];
        const version = entry === undefined ? around : entry?.version;
        assert.equal(version, at.author?.version, `${seed}: ${pointer}`);
        for (const [i, item] of (at.items ?? []).entries()) visit(item, `${pointer}/${i}`, version);
        for (const [key, member] of at.members ?? [])
          visit(member, `${pointer}/${escapeToken(key)}`, version);
      };
      visit(model, '', undefined);
    }),
    { numRuns: runs(300) },
  );
});
