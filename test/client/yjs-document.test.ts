// Documents of kind yjs: a Y.Doc of the application, kept in step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, heard } from './harness.ts';

const NAME = 'acme/notes';

for (const encoding of ['json', 'msgpack'] as const) {
  test(`two Y.Docs stay in step over ${encoding}`, () => {
    const h = new Harness();
    const a = h.client({ encoding }).open(NAME, 'yjs');
    const b = h.client({ encoding }).open(NAME, 'yjs');
    h.settle();
    const changes = heard(b, 'change');
    a.content.getText('t').insert(0, 'hello');
    b.content.getMap('m').set('k', 1);
    h.settle();
    assert.equal(b.content.getText('t').toString(), 'hello');
    assert.deepEqual(a.content.getMap('m').toJSON(), { k: 1 });
    assert.deepEqual(
      changes.map((change) => change.origin),
      ['edit', 'remote'],
    );
    assert.equal(a.state, 'saved');
  });
}

test('edits made before the document was loaded are sent too', () => {
  const h = new Harness();
  const early = h.client().open(NAME, 'yjs');
  early.content.getText('t').insert(0, 'early');
  assert.equal(early.pending, true);
  h.settle();
  assert.equal(early.state, 'saved');
  const late = h.client().open(NAME, 'yjs');
  h.settle();
  assert.equal(late.content.getText('t').toString(), 'early');
});

test('edits made while one is in flight go as one merged update', () => {
  const h = new Harness();
  const doc = h.client().open(NAME, 'yjs');
  h.settle();
  for (let i = 0; i < 50; i++) doc.content.getText('t').insert(i, 'x');
  h.settle();
  assert.equal(h.log(NAME).length, 2);
});

test('refusals: a refused update ends the document, and everything pending is reported', () => {
  const h = new Harness();
  const client = h.client();
  const doc = client.open(NAME, 'yjs');
  h.settle();
  const rejected = heard(doc, 'rejected');
  const closed = heard(doc, 'closed');
  h.server.faults.reject = 1;
  doc.content.getText('t').insert(0, 'a');
  doc.content.getText('t').insert(1, 'b');
  h.settle();
  assert.equal(rejected.length, 2);
  assert.ok(rejected.every(({ error }) => error.code === 'conflict'));
  assert.equal(closed[0]?.code, 'conflict');
  assert.equal(doc.state, 'closed');
  h.server.faults.reject = 0;
  const again = client.open(NAME, 'yjs');
  h.settle();
  assert.equal(again.content.getText('t').toString(), '');
  assert.equal(again.state, 'live');
});

test('LIMIT: more than pendingBytes of waiting updates end the document', () => {
  const h = new Harness();
  const client = h.client({ pendingBytes: 1_000 });
  const doc = client.open(NAME, 'yjs');
  h.settle();
  const errors = heard(doc, 'error');
  client.goOffline();
  doc.content.getText('t').insert(0, 'x'.repeat(2_000));
  assert.equal(errors[0]?.code, 'overloaded');
  assert.equal(doc.state, 'closed');
});

test('an update that is none makes the document come anew', () => {
  const h = new Harness();
  const client = h.client();
  const doc = client.open(NAME, 'yjs');
  h.settle();
  doc.content.getText('t').insert(0, 'mine');
  h.settle();
  const version = doc.version + 1;
  for (const op of [42, 'AAAA$', new Uint8Array([9, 9, 9])]) {
    h.socketOf(client).deliver({
      type: 'commit',
      doc: NAME,
      version,
      ops: [{ client: 'someone0', seq: 1, op }],
    });
    h.settle(20_000);
    assert.equal(doc.state, 'saved');
    assert.equal(doc.content.getText('t').toString(), 'mine');
  }
});

test('there is nothing to undo where nothing was changed, whichever types are asked for', () => {
  const h = new Harness();
  const doc = h.client().open(NAME, 'yjs');
  h.settle();
  doc.content.getArray('list');
  doc.content.getXmlFragment('page');
  doc.content.transact(() => undefined);
  assert.equal(doc.canUndo, false);
  doc.content.getArray('list').push([1]);
  assert.equal(doc.canUndo, true);
  assert.equal(doc.undo(), true);
  assert.equal(doc.canUndo, false);
});

test('undoScope: only the given types are undone', () => {
  const h = new Harness();
  const doc = h.client().open(NAME, 'yjs');
  h.settle();
  const text = doc.content.getText('t');
  doc.undoScope([text]);
  doc.content.getMap('m').set('k', 1);
  assert.equal(doc.canUndo, false);
  text.insert(0, 'x');
  assert.equal(doc.undo(), true);
  assert.equal(text.toString(), '');
  assert.equal(doc.content.getMap('m').get('k'), 1);
});
