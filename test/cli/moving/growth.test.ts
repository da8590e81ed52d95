// The difference of two states of a Yjs document: random documents that grew apart, with deletions and with parts
// that are missing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { parseUpdate } from '../../../kinds/yjs/parse.ts';
import { growth } from '../../../src/cli/moving/growth.ts';
import { partsOf } from '../../../src/cli/moving/parts.ts';
import { updateOf } from './stores.ts';

/** An edit at a place in the text: letters, or the number of letters to delete. */
const edit = fc.tuple(
  fc.nat(),
  fc.oneof(fc.string({ minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 4 })),
);
const edits = fc.array(edit, { maxLength: 8 });
type Edit = readonly [at: number, what: string | number];

function apply(doc: Y.Doc, list: readonly Edit[]): Uint8Array[] {
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  const text = doc.getText('t');
  for (const [at, what] of list)
    if (typeof what === 'string') text.insert(at % (text.length + 1), what);
    else if (text.length > 0) text.delete(at % text.length, Math.min(what, text.length - (at % text.length)));
  return updates;
}

const contentOf = (...updates: readonly Uint8Array[]): string => {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc.getText('t').toString();
};

test('the difference leads to both documents, and adding it again adds nothing', () => {
  fc.assert(
    fc.property(edits, edits, edits, (common, left, right) => {
      const [one, other] = [new Y.Doc(), new Y.Doc()];
      apply(one, common);
      Y.applyUpdate(other, Y.encodeStateAsUpdate(one));
      apply(one, left);
      apply(other, right);
      const [there, update] = [Y.encodeStateAsUpdate(one), Y.encodeStateAsUpdate(other)];
      const grown = growth(there, update);
      assert.ok(grown !== 'bad');
      const whole = grown?.whole ?? there;
      assert.equal(contentOf(whole), contentOf(there, update));
      assert.equal(contentOf(there, grown?.added ?? Uint8Array.of(0, 0)), contentOf(there, update));
      assert.equal(growth(whole, update), undefined);
      assert.equal(growth(whole, there), undefined);
    }),
  );
});

test('an update whose predecessors are missing is kept, and adds nothing the second time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 6 }),
      (words) => {
        const doc = new Y.Doc();
        const [first, ...later] = apply(
          doc,
          words.map((word) => [doc.getText('t').length, word] as const),
        );
        assert.ok(first !== undefined);
        const update = Y.mergeUpdates(later);
        const there = updateOf('x');
        const grown = growth(there, update);
        assert.ok(grown !== undefined && grown !== 'bad');
        assert.equal(growth(grown.whole, update), undefined);
        assert.equal(contentOf(grown.whole, first).length, contentOf(there, update, first).length);
        assert.equal(contentOf(grown.whole, first), contentOf(there, update, first));
      },
    ),
  );
});

test('bytes that are no update are bad, whatever is there', () => {
  for (const bytes of [
    new Uint8Array(),
    Uint8Array.of(1),
    Buffer.from('{"type":"doc"}'),
    Uint8Array.of(255, 255, 255),
  ]) {
    assert.equal(growth(undefined, bytes), 'bad');
    assert.equal(growth(updateOf('x'), bytes), 'bad');
  }
  assert.deepEqual(growth(undefined, Uint8Array.of(0, 0)), {
    whole: Uint8Array.of(0, 0),
    added: Uint8Array.of(0, 0),
  });
});

test('an update in parts is the same document, and its parts keep their bound', () => {
  const bytes = 60;
  fc.assert(
    fc.property(edits, edits, edits, (common, left, right) => {
      const [one, other] = [new Y.Doc(), new Y.Doc()];
      apply(one, common);
      Y.applyUpdate(other, Y.encodeStateAsUpdate(one));
      apply(other, right);
      apply(one, left);
      one.getMap('m').set('list', ['x'.repeat(3), 1, null, { y: true }]);
      one.getArray('a').push(Array.from({ length: 40 }, (_, at) => at));
      one.getText('t').insert(0, 'a😀é👨‍👩‍👧'.repeat(12));
      Y.applyUpdate(one, Y.encodeStateAsUpdate(other));
      const update = Y.encodeStateAsUpdate(one);
      const parts = partsOf(update, bytes, bytes);
      for (const part of parts) {
        assert.ok(part.length <= bytes, `${part.length} bytes`);
        assert.ok(parseUpdate(part, 100).ok);
      }
      for (const order of [parts, parts.toReversed()]) {
        const doc = new Y.Doc();
        for (const part of order) Y.applyUpdate(doc, part);
        assert.equal(doc.getText('t').toString(), one.getText('t').toString());
        assert.deepEqual(doc.getMap('m').toJSON(), one.getMap('m').toJSON());
        assert.deepEqual(doc.getArray('a').toJSON(), one.getArray('a').toJSON());
        assert.ok(Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(one)));
        assert.equal(growth(Y.encodeStateAsUpdate(doc), update), undefined);
      }
      assert.equal(growth(Y.mergeUpdates(parts), update), undefined);
    }),
  );
});

test('parts of an update with holes have its holes', () => {
  const doc = new Y.Doc();
  const updates = apply(
    doc,
    Array.from({ length: 30 }, () => [0, 'some text '] as const),
  );
  const some = Y.mergeUpdates(updates.filter((_, at) => at % 3 !== 1));
  const parts = partsOf(some, 80, 80);
  assert.ok(parts.length > 5);
  for (const part of parts) assert.ok(parseUpdate(part, 100).ok && part.length <= 80);
  const rest = updates.filter((_, at) => at % 3 === 1);
  assert.equal(contentOf(...parts, ...rest), doc.getText('t').toString());
});
