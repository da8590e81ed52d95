// Which updates a client of Hocuspocus counts as unsaved, without a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  const counted = new CountedUpdates();
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
  const counted = new CountedUpdates();
  counted.begin(before, []);
  counted.add(1, update);
  counted.begin(before, [1]);
  assert.equal(counted.answers(1), false);
});

test('an update that only deletes counts', () => {
  const { doc } = edit('a');
  const before = Y.encodeStateVector(doc);
  doc.getText('t').delete(0, 1);
  const counted = new CountedUpdates();
  counted.begin(before, []);
  counted.add(1, Y.encodeStateAsUpdate(doc, before));
  assert.equal(counted.answers(1), true);
});

test('bytes that are malformed or so large that reading them takes long are not looked into', () => {
  const { update, after } = edit('a');
  const large = edit('x'.repeat(300 * KiB));
  const counted = new CountedUpdates();
  for (const [vector, sent] of [
    [Uint8Array.of(255), update],
    [after, Uint8Array.of(255)],
    [large.after, large.update],
    [new Uint8Array(65 * KiB), update],
  ] as const) {
    counted.begin(vector, []);
    counted.add(1, sent);
    assert.equal(counted.answers(1), true);
  }
});
