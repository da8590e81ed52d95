// Documents that come back as a snapshot: the difference to the local document is a patch of whole code
// points. Pending edits, undo and their reports outlive it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RichTextDocument } from '../../../client/index.ts';
import { jsonAlgebra } from '../../../client/ot/json-algebra.ts';
import { jsonKind } from '../../../kinds/json/json.ts';
import { equal } from '../../../kinds/json/value.ts';
import { richTextDifference } from '../../../kinds/rich-text/difference.ts';
import { richTextKind } from '../../../kinds/rich-text/rich-text.ts';
import type { Json, Wire } from '../../../protocol/messages.ts';
import {
  patchFor,
  runs,
  type Script,
  script,
  snapshotOf,
  textOf,
} from '../../kinds/rich-text/rich-text-edits.ts';
import { Harness, heard } from '../harness.ts';

const NAME = 'acme/plan';
const LIMITS = { documentBytes: Number.POSITIVE_INFINITY, depth: 100, workMs: 50 };

/** The document after the edits of these scripts. */
function documentOf(scripts: readonly Script[], from: Wire = [{ insert: '\n' }]) {
  const state = richTextKind.load(from);
  for (const edits of scripts) {
    const committed = richTextKind.commit(state, patchFor(edits, textOf(snapshotOf(state))), [], LIMITS);
    assert.ok(committed.ok);
  }
  return snapshotOf(state);
}

function assertLeads(before: Wire, after: Wire): void {
  const patch = richTextDifference(before as never, after as never);
  for (const { insert } of patch)
    assert.doesNotMatch(typeof insert === 'string' ? insert : '', /\p{Surrogate}/u);
  const state = richTextKind.load(before);
  const applied = richTextKind.apply(state, patch);
  assert.ok(applied.ok, JSON.stringify([before, after, applied]));
  assert.deepEqual(snapshotOf(state), snapshotOf(richTextKind.load(after)));
}

test('VALUE-5: the difference of two documents cuts no surrogate pair', () => {
  assert.deepEqual(richTextDifference([{ insert: '😀😀\n' }], [{ insert: '😀😁😀\n' }]), [
    { retain: 2 },
    { insert: '😁' },
  ]);
  const characters = fc.constantFrom(
    '😀',
    '😁',
    '😂',
    '𝒳',
    '🇩🇪',
    '👨‍👩‍👧',
    'e\u0301',
    '\u0301',
    'é',
    'a',
    '\n',
    '\u0000',
  );
  const text = fc.array(characters, { maxLength: 12 }).map((parts) => `${parts.join('')}\n`);
  fc.assert(
    fc.property(text, text, (before, after) => assertLeads([{ insert: before }], [{ insert: after }])),
    { numRuns: runs(1_000) },
  );
});

test('the difference of two documents with formats and embeds leads from one to the other', () => {
  const scripts = fc.array(script(), { maxLength: 6 });
  fc.assert(
    fc.property(scripts, scripts, scripts, (common, one, other) => {
      const from = documentOf(common) as Wire;
      assertLeads(documentOf(one, from) as Wire, documentOf(other, from) as Wire);
    }),
    { numRuns: runs(500) },
  );
});

test('the difference of long documents keeps the lines that both have, and replaces what would take too long', () => {
  const lines = (count: number, from: number, length: number) =>
    Array.from({ length: count }, (_, i) => `${String(from + i).padStart(length, '.')}😀\n`).join('');
  const long = lines(3_000, 0, 40);
  const edited = long.replace('2😀', '2😁').replace('1500😀', '1500 and more😀');
  assertLeads([{ insert: long }], [{ insert: edited }]);
  const kept = richTextDifference([{ insert: long }], [{ insert: edited }]);
  assert.ok(JSON.stringify(kept).length < 500, JSON.stringify(kept));
  const others = lines(3_000, 10_000, 41);
  assertLeads([{ insert: long }], [{ insert: others }]);
  const oneLine = (unit: string) => `${unit.repeat(60_000)}\n`;
  assertLeads([{ insert: oneLine('ab😀') }], [{ insert: oneLine('cd😁') }]);
});

test('the difference of two JSON values leads from one to the other, whatever their keys', () => {
  const key = fc.oneof(
    fc.constantFrom('a', 'b', '', '0', '01', '-', '~', '/', 'constructor', 'prototype', '__proto__', '😀'),
    fc.string({ maxLength: 2, unit: 'grapheme' }),
  );
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.oneof(
        fc.constantFrom(null, true, 0, 1.5, '😀', '😁', ''),
        fc.string({ maxLength: 3, unit: 'grapheme' }),
      ),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<Json>,
    ),
  }));
  fc.assert(
    fc.property(value, value, (before, after) => {
      const state = jsonKind.load(before);
      const applied = jsonKind.apply(state, jsonAlgebra.difference(before, after));
      assert.ok(applied.ok, JSON.stringify(applied));
      assert.ok(equal(jsonKind.snapshot(state) as Json, after), JSON.stringify([before, after]));
    }),
    { numRuns: runs(1_000) },
  );
});

// ---- the document

function opened() {
  const h = new Harness();
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  h.settle();
  return { h, client, doc };
}

/** An application's copy of the document, kept by `change` events alone. */
function mirror(doc: RichTextDocument): () => void {
  let copy = doc.content;
  doc.on('change', ({ delta }) => {
    copy = copy.compose(delta);
  });
  return () => assert.deepEqual(copy.ops, doc.content.ops);
}

test('OPEN-5: a snapshot that differs by half a pair keeps the document, pending edits and undo', () => {
  for (const pending of [false, true]) {
    const { h, client, doc } = opened();
    const other = h.client().open(NAME, 'rich-text');
    h.settle();
    doc.edit([{ insert: '😀😀' }]);
    h.settle();
    const sameAsView = mirror(doc);
    const rejected = heard(doc, 'rejected');
    h.server.faults.snapshot = 1;
    client.goOffline();
    if (pending) doc.edit([{ retain: 4 }, { insert: '!' }]);
    other.edit([{ retain: 2 }, { insert: '😁' }]);
    h.settle();
    client.goOnline();
    h.settle();
    assert.equal(doc.state, 'saved');
    assert.deepEqual(doc.content.ops, [{ insert: `😀😁😀${pending ? '!' : ''}\n` }]);
    sameAsView();
    assert.equal(rejected.length, 0);
    assert.equal(doc.undo(), true);
    h.settle();
    assert.deepEqual(other.content, doc.content);
    assert.deepEqual(doc.content.ops, [{ insert: pending ? '😀😁😀\n' : '😁\n' }]);
  }
});

test('VALUE-5: an edit that cuts pairs is taken where the text that it leads to is whole, and refused elsewhere', () => {
  const { h, doc } = opened();
  const other = h.client().open(NAME, 'rich-text');
  doc.edit([{ insert: 'a😀😀b' }]);
  const sameAsView = mirror(doc);
  // An editor reports in this way that 😁 has taken the place of 😀: the first half of both is the same.
  doc.edit([{ retain: 2 }, { insert: '\ude01' }, { delete: 1 }]);
  doc.edit([{ retain: 2 }, { insert: '\ude03\ud83d' }]);
  h.settle();
  assert.equal(doc.state, 'saved');
  assert.deepEqual(other.content, doc.content);
  sameAsView();
  const before = doc.content;
  for (const wrong of [
    [{ retain: 2 }, { insert: '\ude01' }],
    [{ insert: '\ud83d' }],
    [{ retain: 2 }, { delete: 1 }],
    [{ retain: 50 }, { insert: '\ude01' }, { delete: 1 }],
    [{ insert: '' }],
    [{ retain: 2 }, { insert: '\ude03\ud83d', attributes: { bold: true } }],
  ]) {
    assert.throws(() => doc.edit(wrong), { code: 'bad-op' });
    assert.equal(doc.content, before);
  }
});

test('OPEN-7: where a snapshot does not load, the patch that lastSeq proves is not sent under another seq', () => {
  const { h, client, doc } = opened();
  const rejected = heard(doc, 'rejected');
  h.server.faults.latencyMs = [10, 10];
  doc.edit([{ insert: 'once' }]);
  h.settle(15);
  assert.equal(h.log(NAME).length, 1);
  h.server.dropAll();
  while (h.sent('open').length < 2) h.settle(1);
  const history = h.server.documents.get(NAME)?.history;
  const base = { type: 'opened', doc: NAME, kind: 'rich-text', version: 1, role: 'owner' } as const;
  h.socketOf(client).raw(
    JSON.stringify({
      ...base,
      history,
      lastSeq: 1,
      presence: {},
      snapshot: 'nonsense',
      id: h.sent('open').at(-1)?.id,
    }),
  );
  h.settle(10_000);
  assert.equal(doc.state, 'saved');
  assert.equal(h.log(NAME).length, 1);
  assert.deepEqual(doc.content.ops, [{ insert: 'once\n' }]);
  assert.equal(rejected.length, 0);
});

test('OPEN-7: an edit that lastSeq proves committed is not reported lost when the document ends', () => {
  const { h, client, doc } = opened();
  const rejected = heard(doc, 'rejected');
  h.server.faults.latencyMs = [10, 10];
  doc.edit([{ insert: 'in' }]);
  doc.edit([{ retain: 2 }, { insert: ' out' }]);
  h.settle(15);
  h.server.dropAll();
  while (h.sent('open').length < 2) h.settle(1);
  const id = h.sent('open').at(-1)?.id;
  const socket = h.socketOf(client);
  const opening = {
    type: 'opened',
    doc: NAME,
    kind: 'rich-text',
    history: 'x',
    version: 1,
    role: 'owner',
    id,
  };
  socket.raw(JSON.stringify({ ...opening, lastSeq: 1, presence: {}, snapshot: 'nonsense' }));
  socket.raw(JSON.stringify({ type: 'closed', doc: NAME, code: 'deleted', message: 'over' }));
  h.settle(10);
  h.server.documents.delete(NAME);
  while (doc.state !== 'closed' && h.sent('open').length < 3) h.settle(1);
  h.socketOf(client).deliver({ type: 'closed', doc: NAME, code: 'deleted', message: 'over' });
  while (doc.state !== 'closed') h.settle(1);
  assert.deepEqual(
    rejected.map(({ patch, outcome }) => [patch.ops, outcome]),
    [[[{ retain: 2 }, { insert: ' out' }], 'not-committed']],
  );
});
