// Several holders of one document, the promises `ready` and `saved`, and values that never change in place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonDocument, RichTextDocument } from '../../../client/index.ts';
import { Harness, heard } from '../harness.ts';

const NAME = 'acme/plan';

function opened() {
  const h = new Harness();
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  h.settle();
  return { h, client, doc };
}

/** The state of a promise after everything that is due has run. */
async function standing(promise: Promise<void>): Promise<string> {
  let how = 'pending';
  promise.then(
    () => {
      how = 'fulfilled';
    },
    (error: { code: string }) => {
      how = error.code;
    },
  );
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return how;
}

test('each holder closes its own hold, and the last one leaves the document', async () => {
  const { h, client, doc } = opened();
  const other = client.open(NAME, 'rich-text');
  assert.notEqual(other, doc);
  await other.ready;
  const states = heard(doc, 'state');
  const closed = heard(doc, 'closed');
  const changes = heard(doc, 'change');
  const seen = heard(other, 'change');
  other.edit([{ insert: 'a' }]);
  assert.deepEqual([doc.content.ops, changes.length, seen.length], [[{ insert: 'a\n' }], 1, 1]);
  doc.close();
  doc.close();
  assert.equal(doc.state, 'closed');
  assert.deepEqual([states.at(-1), closed], ['closed', [{}]]);
  assert.throws(() => doc.edit([{ insert: 'b' }]), { code: 'not-open' });
  other.edit([{ insert: 'c' }]);
  h.settle();
  assert.equal(changes.length, 1);
  assert.equal(other.state, 'saved');
  assert.equal(h.sent('open').length, 1);
  assert.equal(h.sent('close').length, 0);
  other.close();
  h.settle();
  assert.equal(h.sent('close').length, 1);
  assert.equal(h.server.documents.get(NAME)?.subscribers.size, 0);
});

test('opened, closed and opened again in one go, as React StrictMode does: the second hold lives', async () => {
  const { h, client, doc } = opened();
  doc.close();
  const first = client.open(NAME, 'rich-text');
  const lost = standing(first.ready);
  first.close();
  const second = client.open(NAME, 'rich-text');
  h.settle();
  assert.equal(await lost, 'not-open');
  assert.equal(await standing(second.ready), 'fulfilled');
  second.edit([{ insert: 'x' }]);
  h.settle();
  assert.equal(second.state, 'saved');
});

test('the end of the document ends every hold', () => {
  const { h, client, doc } = opened();
  const other = client.open(NAME, 'rich-text');
  const ends = [heard(doc, 'closed'), heard(other, 'closed')];
  h.socketOf(client).deliver({ type: 'closed', doc: NAME, code: 'deleted', message: 'gone' });
  h.settle();
  assert.deepEqual(ends, [[{ code: 'deleted', message: 'gone' }], [{ code: 'deleted', message: 'gone' }]]);
  assert.deepEqual([doc.state, other.state], ['closed', 'closed']);
  other.close();
  const anew = client.open(NAME, 'rich-text');
  h.settle();
  doc.close();
  assert.equal(anew.state, 'live');
});

test('whenSaved waits for the edits made so far, and for no later one', async () => {
  const { h, client, doc } = opened();
  assert.equal(await standing(doc.whenSaved()), 'fulfilled');
  doc.edit([{ insert: 'a' }]);
  const first = doc.whenSaved();
  assert.equal(await standing(first), 'pending');
  // The first edit is in flight, so these go with the next patch.
  doc.edit([{ insert: 'b' }]);
  const second = doc.whenSaved();
  while (h.log(NAME).length < 1) h.settle(1);
  h.server.faults.openError = 1;
  h.settle(100);
  doc.edit([{ insert: 'c' }]);
  assert.equal(doc.pending, true);
  assert.equal(await standing(first), 'fulfilled');
  assert.equal(await standing(second), 'pending');
  client.goOffline();
  assert.equal(await standing(second), 'pending');
  h.server.faults.openError = 0;
  client.goOnline();
  h.settle(10_000);
  assert.equal(await standing(second), 'fulfilled');
  client.goOffline();
  doc.edit([{ insert: 'oops' }]);
  const nothing = doc.whenSaved();
  doc.undo();
  assert.equal(await standing(nothing), 'fulfilled');
});

test('whenSaved is rejected with what the edit was refused for, and an earlier one is not', async () => {
  const { h, doc } = opened();
  doc.edit([{ insert: 'good' }]);
  const good = doc.whenSaved();
  while (h.log(NAME).length < 1) h.settle(1);
  doc.edit([{ insert: 'bad' }]);
  const bad = doc.whenSaved();
  h.server.faults.reject = 1;
  h.settle();
  h.server.faults.reject = 0;
  doc.edit([{ insert: 'better' }]);
  const better = doc.whenSaved();
  h.settle();
  assert.equal(await standing(good), 'fulfilled');
  assert.equal(await standing(bad), 'conflict');
  assert.equal(await standing(better), 'fulfilled');
});

test('whenSaved is rejected where the document ends first', async () => {
  const { h, client, doc } = opened();
  h.server.silent = true;
  doc.edit([{ insert: 'x' }]);
  const deleted = doc.whenSaved();
  h.socketOf(client).deliver({ type: 'closed', doc: NAME, code: 'deleted', message: 'gone' });
  h.settle(10);
  assert.equal(await standing(deleted), 'not-found');
  assert.equal(await standing(doc.whenSaved()), 'not-found');
  const offline = client.open('acme/other', 'json');
  h.server.silent = false;
  client.goOffline();
  client.goOnline();
  h.settle(5_000);
  client.goOffline();
  offline.edit([{ op: 'add', path: '/a', value: 1 }]);
  const given = offline.whenSaved();
  offline.close();
  assert.equal(await standing(given), 'not-open');
});

test('whenSaved of a yjs document', async () => {
  const h = new Harness();
  const client = h.client();
  const doc = client.open('acme/notes', 'yjs');
  doc.content.getText('t').insert(0, 'early');
  const saved = doc.whenSaved();
  assert.equal(await standing(saved), 'pending');
  h.settle();
  assert.equal(await standing(saved), 'fulfilled');
  client.goOffline();
  doc.content.getText('t').insert(0, 'late');
  const lost = doc.whenSaved();
  client.close();
  assert.equal(await standing(lost), 'not-open');
});

test("close({when: 'saved'}) takes no more edits, keeps what is pending, and leaves when it is saved", async () => {
  const { h, client, doc } = opened();
  client.goOffline();
  doc.edit([{ insert: 'kept' }]);
  const closing = doc.close({ when: 'saved' });
  assert.throws(() => doc.edit([{ insert: 'x' }]), { code: 'not-open' });
  assert.equal(doc.state, 'offline');
  // A component that comes back meanwhile finds the document with its pending edits.
  const back = client.open(NAME, 'rich-text');
  assert.deepEqual(back.content.ops, [{ insert: 'kept\n' }]);
  client.goOnline();
  h.settle();
  assert.equal(await standing(closing), 'fulfilled');
  assert.deepEqual([doc.state, back.state], ['closed', 'saved']);
  assert.deepEqual(h.log(NAME), [[{ insert: 'kept' }]]);
  await back.close({ when: 'saved' });
  h.settle();
  assert.equal(h.server.documents.get(NAME)?.subscribers.size, 0);
});

test("close({when: 'saved'}) closes also where an edit is refused, and says so", async () => {
  const { h, doc } = opened();
  h.server.faults.reject = 1;
  doc.edit([{ insert: 'x' }]);
  const closing = doc.close({ when: 'saved' });
  h.settle();
  assert.equal(await standing(closing), 'conflict');
  assert.equal(doc.state, 'closed');
});

test('readyTimeoutMs: ready is rejected with a retryable code and the reason, and the document goes on trying', async () => {
  const h = new Harness();
  h.server.unreachable = true;
  const client = h.client({ readyTimeoutMs: 5_000 });
  const doc = client.open(NAME, 'rich-text');
  h.settle(4_900);
  assert.equal(await standing(doc.ready), 'pending');
  h.settle(200);
  assert.equal(await standing(doc.ready), 'unavailable');
  await assert.rejects(doc.ready, { retryable: true, message: /5000 ms: the server cannot be reached/ });
  h.server.unreachable = false;
  client.connect();
  h.settle();
  assert.equal(doc.state, 'live');
  const again = client.open(NAME, 'rich-text');
  assert.equal(await standing(again.ready), 'fulfilled');
  client.close();
  h.settle();
  assert.equal(h.time.waiting, 0);
});

// ---- values

/** All values that a document hands out. */
const valuesOf = (doc: RichTextDocument | JsonDocument) => ({
  content: doc.content,
  states: doc.presence.states,
  cursors: doc.kind === 'rich-text' ? doc.cursors : undefined,
});

test('a value that is handed out keeps its identity until it changes, and then is another object', () => {
  const { h, client, doc } = opened();
  const ann = h.client();
  const theirs = ann.open(NAME, 'rich-text');
  h.settle();
  const values = valuesOf(doc);
  const copy = structuredClone({ states: values.states, cursors: values.cursors });
  assert.deepEqual(Object.values(valuesOf(doc)), Object.values(values));
  for (const [name, value] of Object.entries(valuesOf(doc))) {
    assert.equal(value, values[name as keyof typeof values], name);
  }
  theirs.presence.set({ name: 'Ann' });
  h.settle();
  assert.notEqual(doc.presence.states, values.states);
  assert.deepEqual([...doc.presence.states], [[ann.id, { name: 'Ann' }]]);
  assert.equal(doc.cursors, values.cursors);
  theirs.edit([{ insert: 'hello' }]);
  theirs.setSelection({ index: 5, length: 0 });
  h.settle();
  assert.notEqual(doc.content, values.content);
  assert.notEqual(doc.cursors, values.cursors);
  assert.deepEqual([values.states, values.cursors], [copy.states, copy.cursors]);
  theirs.presence.set({ name: 'Ann' });
  h.settle();
  const later = valuesOf(doc);
  theirs.presence.set({ name: 'Ann' });
  h.settle();
  for (const [name, value] of Object.entries(valuesOf(doc))) {
    assert.equal(value, later[name as keyof typeof later], name);
  }
  assert.equal(client.limits, client.limits);
  const board = client.open('acme/board', 'json');
  h.settle();
  const before = board.content;
  assert.equal(board.content, before);
  board.edit([{ op: 'add', path: '/a', value: 1 }]);
  assert.notEqual(board.content, before);
  assert.deepEqual(before, {});
});

test('cursors: each change is told, also where the view does not change', () => {
  const { h, client, doc } = opened();
  const ann = h.client();
  const theirs = ann.open(NAME, 'rich-text');
  h.settle();
  const told = heard(doc, 'cursors');
  theirs.setSelection({ index: 0, length: 1 });
  h.settle();
  assert.deepEqual(told.length, 1);
  doc.edit([{ insert: 'abc' }]);
  assert.equal(told.length, 2);
  assert.equal(told.at(-1)?.get(ann.id)?.length, 4);
  h.settle();
  // A position in a version that has not arrived is shown once the version arrives, even if the edit was the
  // client's own.
  h.server.faults.latencyMs = [50, 50];
  doc.edit([{ insert: 'x' }]);
  const before = told.length;
  const states = { [ann.id]: { selection: { index: 2, length: 0, version: 2 } } };
  h.socketOf(client).raw(JSON.stringify({ type: 'presence', doc: NAME, states }));
  assert.equal(doc.cursors.size, 0);
  h.settle(500);
  assert.equal(doc.cursors.get(ann.id)?.index, 2);
  assert.deepEqual(
    told.slice(before).map((cursors) => cursors.size),
    [0, 1],
  );
  assert.equal(told.at(-1), doc.cursors);
});
