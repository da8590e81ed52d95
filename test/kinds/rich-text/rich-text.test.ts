// Kind rich-text alone against a document: its content is that of quill-delta's compose, patches apply whole
// or not at all, and undo takes them back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import quillDelta from 'quill-delta';
import type { KindLimits } from '../../../kinds/kind.ts';
import { composeDelta, type Delta, transformDelta } from '../../../kinds/rich-text/delta.ts';
import { richTextKind, transformAgainst } from '../../../kinds/rich-text/rich-text.ts';
import { patchFor, runs, script, snapshotOf, textOf } from './rich-text-edits.ts';

// quill-delta is CommonJS with a default export of its own.
const QuillDelta = quillDelta.default;
type QuillDelta = InstanceType<typeof QuillDelta>;

const LIMITS: KindLimits = { documentBytes: 1 << 24, depth: 100, workMs: 50 };

const quill = (delta: Delta): QuillDelta => new QuillDelta(structuredClone(delta) as QuillDelta['ops']);
const plain = (delta: QuillDelta): Delta => delta.ops as Delta;

function applied(state: ReturnType<typeof richTextKind.create>, op: Delta) {
  const result = richTextKind.apply(state, op);
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result.value;
}

const longScript = fc.array(
  fc.record({
    skip: fc.nat(3000),
    action: fc.constantFrom('insert', 'insert', 'delete', 'format', 'embed', 'long'),
    length: fc.integer({ min: 1, max: 3000 }),
    pick: fc.nat(1000),
  }),
  { minLength: 1, maxLength: 4 },
);

for (const [name, scripts, count] of [
  ['short', fc.array(script(), { maxLength: 40 }), 300],
  ['long', fc.array(longScript, { maxLength: 30 }), 60],
] as const) {
  test(`any history of ${name} edits leaves what quill-delta composes, and undoing it leaves the beginning`, () => {
    fc.assert(
      fc.property(scripts, (history) => {
        const state = richTextKind.create();
        let expected = new QuillDelta([{ insert: '\n' }]);
        const undos: { undo: Delta; inverse: Delta; before: Delta }[] = [];
        for (const edits of history) {
          const before = snapshotOf(state);
          const op = patchFor(edits, textOf(before));
          const inverse = richTextKind.invert(op, state);
          const { undo } = applied(state, op);
          expected = expected.compose(quill(op));
          assert.deepEqual(snapshotOf(state), plain(expected));
          assert.deepEqual(inverse, undo);
          undos.push({ undo, inverse, before });
        }
        assert.deepEqual(snapshotOf(richTextKind.load(richTextKind.snapshot(state))), plain(expected));
        for (const { undo, before } of undos.reverse()) {
          richTextKind.revert(state, undo);
          assert.deepEqual(snapshotOf(state), before);
        }
        assert.equal(richTextKind.size(state), richTextKind.size(richTextKind.create()));
      }),
      { numRuns: runs(count) },
    );
  });
}

test('size never falls short of the snapshot in JSON, and exceeds it by no more than the pieces', () => {
  fc.assert(
    fc.property(fc.array(script(6), { maxLength: 30 }), (history) => {
      const state = richTextKind.create();
      for (const edits of history) applied(state, patchFor(edits, textOf(snapshotOf(state))));
      const snapshot = snapshotOf(state);
      const bytes = new TextEncoder().encode(JSON.stringify(snapshot)).length;
      assert.ok(richTextKind.size(state) >= bytes, `${richTextKind.size(state)} < ${bytes}`);
      assert.ok(richTextKind.size(state) <= bytes + 200 * (textOf(snapshot).length + 1));
    }),
    { numRuns: runs(100) },
  );
});

test('transform and compose give what quill-delta gives, step by step', () => {
  fc.assert(
    fc.property(
      script(6),
      script(6),
      fc.boolean(),
      fc.integer({ min: 1, max: 60 }),
      (a, b, priority, length) => {
        const text = '0123456789'.repeat(6).slice(0, length);
        const x = plain(new QuillDelta().compose(quill(patchFor(a, text))));
        const y = plain(new QuillDelta().compose(quill(patchFor(b, text))));
        assert.deepEqual(transformDelta(y, x, priority), plain(quill(x).transform(quill(y), priority)));
        const after = patchFor(b, textOf(plain(new QuillDelta().insert(text).compose(quill(x)))));
        const then = plain(new QuillDelta().compose(quill(after)));
        assert.deepEqual(
          plain(new QuillDelta(composeDelta(x, then) as QuillDelta['ops'])),
          plain(quill(x).compose(quill(then))),
        );
      },
    ),
    { numRuns: runs(2000) },
  );
});

test('RT-7 patches out of normal form transform and compose to the same effect as in quill-delta', () => {
  const document = new QuillDelta().insert('0123456789'.repeat(4));
  fc.assert(
    fc.property(script(6), script(6), fc.boolean(), (a, b, priority) => {
      const [x, y] = [patchFor(a, '0123456789'.repeat(4)), patchFor(b, '0123456789'.repeat(4))];
      const effect = (of: Delta, on: Delta) => plain(document.compose(quill(on)).compose(quill(of)));
      assert.deepEqual(
        effect(transformDelta(y, x, priority), x),
        effect(plain(quill(x).transform(quill(y), priority)), x),
      );
      const then = patchFor(b, textOf(plain(document.compose(quill(x)))));
      assert.deepEqual(effect(composeDelta(x, then), []), effect(then, x));
    }),
    { numRuns: runs(1000) },
  );
});

test('two patches on one document meet: both orders leave the same document', () => {
  fc.assert(
    fc.property(fc.array(script(), { maxLength: 8 }), script(6), script(6), (history, a, b) => {
      const left = richTextKind.create();
      for (const edits of history) applied(left, patchFor(edits, textOf(snapshotOf(left))));
      const text = textOf(snapshotOf(left));
      const right = richTextKind.load(richTextKind.snapshot(left));
      const [past, op] = [patchFor(a, text), patchFor(b, text)];
      applied(left, past);
      applied(left, richTextKind.transform(op, past));
      applied(right, op);
      applied(right, transformAgainst(past, op));
      assert.deepEqual(snapshotOf(left), snapshotOf(right));
    }),
    { numRuns: runs(2000) },
  );
});

test('a patch that does not fit leaves the document as it was', () => {
  fc.assert(
    fc.property(fc.array(script(), { maxLength: 8 }), script(6), fc.nat(3), (history, edits, over) => {
      const state = richTextKind.create();
      for (const each of history) applied(state, patchFor(each, textOf(snapshotOf(state))));
      const before = snapshotOf(state);
      const text = textOf(before);
      const op = patchFor(edits, text);
      const consumed = op.reduce((sum, step) => sum + (step.retain ?? step.delete ?? 0), 0);
      const tooLong: Delta = [...op, { retain: text.length - consumed + 1 + over }];
      for (const result of [
        richTextKind.apply(state, tooLong),
        richTextKind.commit(state, tooLong, [], LIMITS),
        // More characters than any of these documents has after its deletions.
        richTextKind.commit(state, [...op, { insert: 'x'.repeat(40_000) }], [], {
          ...LIMITS,
          documentBytes: 300,
        }),
      ]) {
        assert.ok(!result.ok);
        assert.match(result.code, /^(bad-op|too-large)$/);
        assert.deepEqual(snapshotOf(state), before);
      }
    }),
    { numRuns: runs(200) },
  );
});

test('a document at its limit may shrink, but not grow', () => {
  const state = richTextKind.create();
  applied(state, [{ insert: 'x'.repeat(1000) }]);
  const limits = { ...LIMITS, documentBytes: 500 };
  const grown = richTextKind.commit(state, [{ insert: 'y' }], [], limits);
  assert.ok(!grown.ok && grown.code === 'too-large');
  assert.ok(richTextKind.commit(state, [{ delete: 10 }], [], limits).ok);
});

test('text that splits a formatted piece counts its attributes twice', () => {
  const state = richTextKind.create();
  applied(state, [{ insert: 'ab', attributes: { link: 'x'.repeat(1000) } }]);
  const before = richTextKind.snapshot(state);
  const limits = { ...LIMITS, documentBytes: 2000 };
  const result = richTextKind.commit(state, [{ retain: 1 }, { insert: 'y' }], [], limits);
  assert.ok(!result.ok && result.code === 'too-large');
  assert.deepEqual(richTextKind.snapshot(state), before);
});

test('a patch longer than its base is bad-op even where the head is long enough', () => {
  const state = richTextKind.create();
  const past: Delta = [{ insert: 'long enough by now' }];
  applied(state, past);
  const result = richTextKind.commit(state, [{ retain: 3 }, { insert: 'x' }], [past], LIMITS);
  assert.ok(!result.ok && result.code === 'bad-op');
});

test('RT-6 a retain without attributes at the end changes nothing', () => {
  const past: Delta = [{ retain: 1 }, { insert: 'xy' }];
  const committed = [[], [{ retain: 2 }]].map((rest: Delta) => {
    const state = richTextKind.load([{ insert: 'abcd\n' }] as never);
    applied(state, past);
    const result = richTextKind.commit(state, [{ retain: 2 }, { delete: 1 }, ...rest], [past], LIMITS);
    assert.ok(result.ok);
    return richTextKind.snapshot(state);
  });
  assert.deepEqual(committed[0], [{ insert: 'axybd\n' }]);
  assert.deepEqual(committed[1], committed[0]);
});

test('a patch of nothing commits as []', () => {
  const state = richTextKind.create();
  for (const op of [[], [{ retain: 1 }]] as Delta[]) {
    const result = richTextKind.commit(state, op, [], LIMITS);
    assert.ok(result.ok);
    assert.deepEqual(result.value.op, []);
    assert.ok(richTextKind.isEmpty(op));
  }
  const past: Delta = [{ delete: 2 }];
  const text: Delta = [{ insert: 'ab\n' }];
  const other = richTextKind.load(text as never);
  applied(other, past);
  const result = richTextKind.commit(other, [{ delete: 1 }], [past], LIMITS);
  assert.ok(result.ok);
  assert.deepEqual(result.value.op, []);
});

test('load refuses what is no document', () => {
  for (const snapshot of [
    null,
    {},
    'text',
    [{ retain: 1 }],
    [{ delete: 1 }],
    [{ insert: '' }],
    [{ insert: '\uD800' }],
  ]) {
    assert.throws(() => richTextKind.load(snapshot), /not a rich-text snapshot/);
  }
  assert.throws(() => richTextKind.recall([{ insert: '' }], undefined), /not a rich-text patch/);
});
