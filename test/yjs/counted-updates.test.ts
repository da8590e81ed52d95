// Which updates a client of Hocuspocus counts as unsaved, without a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncoder, toUint8Array, writeVarUint } from 'lib0/encoding';
import * as Y from 'yjs';
import { CountedUpdates } from '../../src/yjs/counted-updates.ts';

const KiB = 1024;

/** The update of one edit after others, and the state vectors before and after it. */
function edit(text: string) {
  const doc = new Y.Doc();
  doc.getText('t').insert(0, 'before');
  const before = Y.encodeStateVector(doc);
  doc.getText('t').insert(0, text);
  return { update: Y.encodeStateAsUpdate(doc, before), before, after: Y.encodeStateVector(doc), doc };
}

test('HOC-4 an update counts if the step 1 before it did not have it, or after the step 2', () => {
  const { update, before, after } = edit('a');
  const counted = new CountedUpdates(false);
  counted.begin(after, []);
  counted.add(1, update);
  assert.equal(counted.answers(1), false);
  counted.begin(before, []);
  counted.add(2, update);
  assert.equal(counted.answers(2), true);
  counted.begin(after, []);
  counted.end();
  counted.add(3, update);
  assert.equal(counted.answers(3), true);
});

test('HOC-4 updates without an answer when a step 1 comes do not count any more', () => {
  const { update, before } = edit('a');
  const counted = new CountedUpdates(false);
  counted.begin(before, []);
  counted.add(1, update);
  counted.begin(before, [1]);
  assert.equal(counted.answers(1), false);
});

/** The update of a deletion after two edits, and the state vectors before and after the second of them. */
function deletion() {
  const { doc, before, after } = edit('a');
  const there = Y.encodeStateVector(doc);
  const deletes = (at: number): Uint8Array => {
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
    copy.getText('t').delete(at, 1);
    return Y.encodeStateAsUpdate(copy, there);
  };
  return { ofOld: deletes(2), ofNew: deletes(0), before, after };
}

test('HOC-4 nobody knows whether an update counts that only deletes and comes between the first answer and the step 2', () => {
  const { ofOld, after } = deletion();
  const counted = new CountedUpdates(false);
  counted.begin(after, []);
  counted.arrives(false);
  counted.arrives(true);
  counted.add(1, ofOld);
  assert.equal(counted.isUnsure, false);
  counted.add(2, ofOld);
  assert.deepEqual([counted.answers(1), counted.answers(2), counted.isUnsure], [true, false, true]);
  counted.end();
  counted.arrives(true);
  counted.add(3, ofOld);
  assert.equal(counted.answers(3), true);
  // Another step 1 on the same socket: nothing has been kept since.
  counted.begin(after, []);
  counted.arrives(true);
  counted.add(4, ofOld);
  assert.deepEqual([counted.answers(4), counted.isUnsure], [true, false]);
});

test('HOC-4 a client that sends no step 2 counts everything', () => {
  const { ofOld, after } = deletion();
  const counted = new CountedUpdates(false);
  counted.begin(after, []);
  for (const seq of [1, 2]) {
    counted.arrives(true);
    counted.add(seq, ofOld);
  }
  assert.equal(counted.answers(1), false);
  assert.equal(counted.countAll(), 1);
  counted.arrives(true);
  counted.add(3, ofOld);
  assert.deepEqual([counted.answers(2), counted.answers(3), counted.isUnsure], [true, true, false]);
});

test('HOC-4 an update that only deletes counts if the socket was answered before the document was begun', () => {
  const { ofOld, after } = deletion();
  const counted = new CountedUpdates(true);
  counted.begin(after, []);
  counted.arrives(true);
  counted.add(1, ofOld);
  assert.deepEqual([counted.answers(1), counted.isUnsure], [true, false]);
});

test('HOC-4 an update that deletes something newer than the step 1 counts', () => {
  const { ofNew, before } = deletion();
  const counted = new CountedUpdates(false);
  counted.begin(before, []);
  counted.arrives(true);
  counted.add(1, ofNew);
  assert.deepEqual([counted.answers(1), counted.isUnsure], [true, false]);
});

test('bytes that are so large that reading them takes long are not looked into', () => {
  const { update, after } = edit('a');
  const large = edit('x'.repeat(300 * KiB));
  for (const [vector, sent] of [
    [large.after, large.update],
    [new Uint8Array(65 * KiB), update],
    [after, manyDeletions()],
  ] as const) {
    for (const mayBeKept of [true, false]) {
      const counted = new CountedUpdates(!mayBeKept);
      counted.begin(vector, []);
      counted.arrives(true);
      counted.add(1, sent);
      assert.equal(counted.isUnsure, mayBeKept);
      assert.equal(counted.answers(1), !mayBeKept);
    }
  }
});

/** An update of more than 64 KiB that only deletes: every other letter of a client. */
function manyDeletions(): Uint8Array {
  const encoder = createEncoder();
  const letters = 20_000;
  // No structs, and the deletions of one client.
  for (const value of [0, 1, 7, letters]) writeVarUint(encoder, value);
  for (let at = 0; at < letters; at++) {
    writeVarUint(encoder, 2 * at);
    writeVarUint(encoder, 1);
  }
  const update = toUint8Array(encoder);
  assert.equal(Y.decodeUpdate(update).ds.clients.get(7)?.length, letters);
  assert.ok(update.length > 64 * KiB && update.length < 256 * KiB, `${update.length}`);
  return update;
}

test('bytes that are malformed count', () => {
  const { update, after } = edit('a');
  const counted = new CountedUpdates(false);
  for (const [vector, sent] of [
    [Uint8Array.of(255), update],
    [after, Uint8Array.of(255)],
  ] as const) {
    counted.begin(vector, []);
    counted.arrives(true);
    counted.add(1, sent);
    assert.equal(counted.answers(1), true);
  }
});
