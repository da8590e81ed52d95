// Kind yjs as a document: commits in any order give the same document as Yjs makes of the same updates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { diffOf } from '../../../kinds/yjs/diff.ts';
import { collectGarbage, type Updates, yjsKind } from '../../../kinds/yjs/yjs.ts';
import { edit, editsOf, runs } from './yjs-edits.ts';

const LIMITS = { documentBytes: 1 << 24, depth: 100, workMs: 50 };

function commit(state: Updates, wire: Uint8Array) {
  const op = yjsKind.parse(wire, LIMITS);
  assert.ok(op.ok, op.ok ? '' : op.message);
  const result = yjsKind.commit(state, op.value, [], LIMITS);
  assert.ok(result.ok);
  return result.value;
}

const bytesOf = (state: Updates): Uint8Array => yjsKind.snapshot(state) as Uint8Array;
const contentOf = (update: Uint8Array) => {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  assert.equal(doc.store.pendingStructs, null);
  return [doc.getText('text').toDelta(), doc.getMap('map').toJSON(), doc.getArray('list').toJSON()];
};

test('updates of concurrent editors, committed in any order, converge on what Yjs makes of them', () => {
  fc.assert(
    fc.property(editsOf(3, 60), fc.array(fc.nat(), { maxLength: 60 }), (edits, order) => {
      const { docs, updates } = edit(3, edits);
      const reference = new Y.Doc();
      for (const update of updates) Y.applyUpdate(reference, update);
      const shuffled = updates
        .map((update, i) => ({ update, key: order[i] ?? i }))
        .sort((a, b) => a.key - b.key);
      const state = yjsKind.create();
      for (const { update } of shuffled) commit(state, update);
      assert.deepEqual(contentOf(bytesOf(state)), contentOf(Y.encodeStateAsUpdate(reference)));
      assert.deepEqual(
        Y.decodeStateVector(state.known.stateVector),
        Y.decodeStateVector(Y.encodeStateVector(reference)),
      );
      for (const doc of docs) {
        Y.applyUpdate(doc, diffOf(bytesOf(state), Y.encodeStateVector(doc)));
        assert.deepEqual(contentOf(Y.encodeStateAsUpdate(doc)), contentOf(bytesOf(state)));
      }
      assert.deepEqual(contentOf(collectGarbage(bytesOf(state))), contentOf(bytesOf(state)));
      assert.deepEqual(contentOf(bytesOf(yjsKind.load(bytesOf(state)))), contentOf(bytesOf(state)));
    }),
    { numRuns: runs(100) },
  );
});

test('an update whose predecessors are missing commits, and takes effect when they come', () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (const letter of 'abc') doc.getText('text').insert(doc.getText('text').length, letter);
  const [first, second, third] = updates;
  assert.ok(first && second && third);
  const state = yjsKind.create();
  const textNow = () => {
    const reader = new Y.Doc();
    Y.applyUpdate(reader, bytesOf(state));
    return reader.getText('text').toString();
  };
  commit(state, third);
  assert.equal(textNow(), '');
  commit(state, first);
  assert.equal(textNow(), 'a');
  assert.equal(Y.decodeStateVector(state.known.stateVector).get(doc.clientID), 1);
  const kept = yjsKind.load(collectGarbage(bytesOf(state)));
  commit(state, second);
  assert.equal(textNow(), 'abc');
  commit(kept, second);
  assert.deepEqual(contentOf(bytesOf(kept)), contentOf(bytesOf(state)));
});

test('the same update twice changes nothing', () => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'once');
  const update = Y.encodeStateAsUpdate(doc);
  const state = yjsKind.create();
  commit(state, update);
  const before = bytesOf(state);
  commit(state, update);
  assert.deepEqual(bytesOf(state), before);
});

test('thousands of updates are held in few pieces, and reverting each in turn leads back to the beginning', () => {
  const doc = new Y.Doc();
  const state = yjsKind.create();
  const taken: { undo: Parameters<typeof yjsKind.revert>[1]; expected: string | undefined }[] = [];
  doc.on('update', (update: Uint8Array) => {
    const sampled = taken.length % 500 === 0;
    const expected = sampled ? JSON.stringify(contentOf(bytesOf(state))) : undefined;
    taken.push({ undo: commit(state, update).undo, expected });
    assert.ok(state.count < 64 + taken.length / 64 + 3, `${state.count} pieces`);
  });
  const text = doc.getText('text');
  for (let i = 0; i < 5000; i++) text.insert((i * 7919) % (text.length + 1), 'x');
  assert.deepEqual(contentOf(bytesOf(state)), contentOf(Y.encodeStateAsUpdate(doc)));
  for (const { undo, expected } of taken.reverse()) {
    yjsKind.revert(state, undo);
    if (expected !== undefined) assert.equal(JSON.stringify(contentOf(bytesOf(state))), expected);
  }
  assert.deepEqual(bytesOf(state), Uint8Array.of(0, 0));
});

test('compose is one update that does what both do', () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  doc.getText('text').insert(0, 'ab');
  doc.getText('text').delete(0, 1);
  const [first, second] = updates;
  assert.ok(first && second);
  assert.deepEqual(contentOf(yjsKind.compose(first, second)), contentOf(Y.encodeStateAsUpdate(doc)));
});

test('invert says that Y.UndoManager undoes', () => {
  assert.throws(() => yjsKind.invert(Uint8Array.of(0, 0), yjsKind.create()), /UndoManager/);
});

test('only the update that holds nothing is empty, and a new document is one', () => {
  assert.deepEqual(bytesOf(yjsKind.create()), Uint8Array.of(0, 0));
  assert.ok(yjsKind.isEmpty(Uint8Array.of(0, 0)));
  assert.ok(!yjsKind.isEmpty(Uint8Array.of(0, 1, 1, 1, 0, 1)));
});

test('size is the base64 length of the snapshot or more, exact after a snapshot', () => {
  const doc = new Y.Doc();
  const state = yjsKind.create();
  doc.on('update', (update: Uint8Array) => {
    commit(state, update);
    const before = yjsKind.size(state);
    if (update.length % 3 !== 0) return;
    const exact = btoa(String.fromCharCode(...bytesOf(state))).length;
    assert.ok(before >= exact);
    assert.equal(yjsKind.size(state), exact);
  });
  for (let i = 0; i < 100; i++) doc.getText('text').insert(i, 'word '.slice(0, 1 + (i % 5)));
});

test('a document at its limit refuses more with too-large, after merging what it has', () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (let i = 0; i < 300; i++) doc.getText('text').insert(i, 'x');
  // Room for the merged updates, which take about half the bytes of the single ones.
  const merged = btoa(String.fromCharCode(...Y.mergeUpdates(updates))).length;
  const limits = { ...LIMITS, documentBytes: Math.ceil(merged * 1.1) };
  assert.ok(updates.reduce((sum, update) => sum + update.length, 0) > limits.documentBytes);
  const state = yjsKind.create();
  for (const update of updates) assert.ok(yjsKind.commit(state, update, [], limits).ok);
  const before = bytesOf(state);
  doc.getText('text').insert(0, 'y'.repeat(1000));
  const last = updates.at(-1);
  assert.ok(last);
  const result = yjsKind.commit(state, last, [], limits);
  assert.ok(!result.ok && result.code === 'too-large');
  assert.deepEqual(bytesOf(state), before);
});

test('SUBMIT-14 a document that is nearly full is merged once, not for each of the patches that fill it', () => {
  const limits = { ...LIMITS, documentBytes: 100_000 };
  const state = yjsKind.create();
  const bottoms = new Set<unknown>();
  const answers = new Set<string>();
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (let i = 0; i < 200; i++) {
    // Merging drops all but one of the second hundred, which makes room for some more of them.
    if (i <= 100) doc.getText('text').insert(0, 'x'.repeat(600));
    const result = yjsKind.commit(state, updates.at(-1) ?? Uint8Array.of(0, 0), [], limits);
    answers.add(result.ok ? 'committed' : result.code);
    bottoms.add(state.bottom);
  }
  assert.deepEqual([...answers], ['committed', 'too-large']);
  assert.equal(bottoms.size, 2, 'the empty one, and the merged one');
});

test("a snapshot is the caller's own: changing it changes nothing", () => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'kept');
  const state = yjsKind.load(Y.encodeStateAsUpdate(doc));
  const snapshot = bytesOf(state);
  const copy = snapshot.slice();
  snapshot.fill(0);
  assert.deepEqual(bytesOf(state), copy);
});

test('garbage collection drops what was deleted', () => {
  const doc = new Y.Doc({ gc: false });
  doc.getText('text').insert(0, 'z'.repeat(10_000));
  doc.getText('text').delete(0, 9_999);
  const snapshot = Y.encodeStateAsUpdate(doc);
  const collected = collectGarbage(snapshot);
  assert.ok(collected.length < 100, `${collected.length}`);
  assert.deepEqual(contentOf(collected), contentOf(snapshot));
});

test('YJS-3 a collected snapshot takes the place of the one it was made of, under what came since', () => {
  const doc = new Y.Doc({ gc: false });
  const state = yjsKind.create();
  const undos: Parameters<typeof yjsKind.revert>[1][] = [];
  doc.on('update', (update: Uint8Array) => undos.push(commit(state, update).undo));
  for (let i = 0; i < 100; i++) doc.getText('text').insert(i, 'x');
  const collected = collectGarbage(Y.mergeUpdates([...state.pieces]));
  const mark = yjsKind.mark?.(state);
  for (let i = 0; i < 100; i++) doc.getText('text').insert(0, 'y');
  const expected = contentOf(bytesOf(yjsKind.load(Y.encodeStateAsUpdate(doc))));
  const before = yjsKind.size(state);
  assert.ok(mark?.adopt([collected]));
  assert.ok(yjsKind.size(state) < before - 500);
  assert.deepEqual(contentOf(bytesOf(state)), expected);
  assert.ok(!mark?.adopt([collected]), 'the document was merged since');
  assert.deepEqual(contentOf(bytesOf(state)), expected);
  for (const undo of undos.reverse()) yjsKind.revert(state, undo);
  assert.deepEqual(bytesOf(state), Uint8Array.of(0, 0));
});
