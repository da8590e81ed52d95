// Restoring a version: the patch leads from the present content to the earlier one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { restoreJson, restoreText, restoreYjs } from '../../../kinds/history/restore.ts';
import { collectGarbage, yjsKind } from '../../../kinds/yjs/yjs.ts';
import type { Json } from '../../../protocol/messages.ts';
import { edit, editsOf, runs } from '../yjs/yjs-edits.ts';

test('HIST-5: json: a small change is restored by a small patch', () => {
  const list = (from: number, count: number): Json =>
    Array.from({ length: count }, (_, i) => ({ id: from + i }));
  const then = { list: list(0, 500), title: 'a' };
  const now = { list: [{ id: -1 }, ...(list(0, 499) as Json[])], title: 'b' };
  assert.deepEqual(restoreJson(now, then), [
    { op: 'remove', path: '/list/0' },
    { op: 'add', path: '/list/499', value: { id: 499 } },
    { op: 'replace', path: '/title', value: 'a' },
  ]);
});

test('HIST-5: rich-text: a small change is restored by a small patch', () => {
  const line = 'The quick brown fox jumps over the lazy dog.\n';
  assert.deepEqual(restoreText([{ insert: `X${line.repeat(200)}` }], [{ insert: line.repeat(200) }]), [
    { delete: 1 },
  ]);
});

const contentOf = (doc: Y.Doc): string =>
  JSON.stringify([
    doc.getText('text').toDelta(),
    Object.entries(doc.getMap('map').toJSON()).toSorted(),
    doc.getArray('list').toJSON(),
  ]);

const docOf = (...updates: readonly Uint8Array[]): Y.Doc => {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
};

test('HIST-5: yjs: an update brings the content back, whatever was edited since, also with collected garbage', () => {
  fc.assert(
    fc.property(editsOf(1, 24), fc.nat(24), fc.boolean(), (edits, at, collects) => {
      const { updates } = edit(1, edits);
      const version = Math.min(at, updates.length);
      const state = yjsKind.create();
      for (const update of updates.slice(0, version)) yjsKind.apply(state, update);
      const merged = new Uint8Array(state.merged());
      const then = collects ? collectGarbage(merged) : merged;
      const update = restoreYjs(then, updates.slice(version), 4242);
      const parsed = yjsKind.parse(update, { depth: 100 });
      assert.ok(parsed.ok);
      assert.equal(contentOf(docOf(...updates, update)), contentOf(docOf(then)));
    }),
    { numRuns: runs(200) },
  );
});

test('HIST-5: yjs: nothing to restore is an empty update', () => {
  const { updates } = edit(1, [{ who: 0, what: 'insert', at: 0, length: 3 }]);
  assert.deepEqual(restoreYjs(updates[0] ?? new Uint8Array(), [], 4242), Uint8Array.of(0, 0));
});
