// Undo and redo take back a client's own edits, grouped as editors expect, and never the edits of others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, heard } from '../harness.ts';
import { seeded } from '../virtual-time.ts';

const NAME = 'acme/plan';

function two<Kind extends 'rich-text' | 'json' | 'yjs'>(kind: Kind) {
  const h = new Harness();
  const a = h.client().open(NAME, kind);
  const b = h.client().open(NAME, kind);
  h.settle();
  return { h, a, b };
}

test('rich-text: undo takes back own text and keeps what others typed into and around it', () => {
  const { h, a, b } = two('rich-text');
  a.edit([{ insert: 'mine' }]);
  h.settle();
  b.edit([{ retain: 2 }, { insert: 'THEIRS' }]);
  b.edit([{ insert: '>' }]);
  h.settle();
  assert.equal(a.undo(), true);
  h.settle();
  assert.equal(a.content.ops[0]?.insert, '>THEIRS\n');
  assert.deepEqual(a.content, b.content);
  assert.equal(a.redo(), true);
  h.settle();
  assert.equal(String(a.content.ops[0]?.insert).replace('THEIRS', '').replace('>', ''), 'mine\n');
  assert.deepEqual(a.content, b.content);
});

test('rich-text: where two formats meet, undo leaves the later one of someone else', () => {
  const { h, a, b } = two('rich-text');
  a.edit([{ insert: 'text' }]);
  a.undoGroup();
  h.settle();
  a.edit([{ retain: 4, attributes: { color: 'red' } }]);
  h.settle();
  b.edit([{ retain: 2, attributes: { color: 'blue' } }]);
  h.settle();
  a.undo();
  h.settle();
  assert.deepEqual(b.content.ops, [{ insert: 'te', attributes: { color: 'blue' } }, { insert: 'xt\n' }]);
});

test('json: undo restores what was overwritten, unless someone has written there since', () => {
  const { h, a, b } = two('json');
  a.edit([
    { op: 'add', path: '/title', value: 'old' },
    { op: 'add', path: '/done', value: false },
  ]);
  a.undoGroup();
  h.settle();
  a.edit([
    { op: 'replace', path: '/title', value: 'mine' },
    { op: 'replace', path: '/done', value: true },
  ]);
  h.settle();
  b.edit([{ op: 'replace', path: '/title', value: 'theirs' }]);
  h.settle();
  assert.equal(a.undo(), true);
  h.settle();
  assert.deepEqual(b.content, { title: 'theirs', done: false });
  assert.deepEqual(a.content, b.content);
});

test('json: undo of an insert finds its element after others moved it along', () => {
  const { h, a, b } = two('json');
  a.edit([{ op: 'add', path: '/list', value: ['x'] }]);
  a.undoGroup();
  h.settle();
  a.edit([{ op: 'add', path: '/list/1', value: 'mine' }]);
  h.settle();
  b.edit([{ op: 'add', path: '/list/0', value: 'theirs' }]);
  h.settle();
  a.undo();
  h.settle();
  assert.deepEqual(a.content, { list: ['theirs', 'x'] });
  a.redo();
  h.settle();
  assert.deepEqual(b.content, { list: ['theirs', 'x', 'mine'] });
});

test('yjs: undo takes back own edits, whatever origin they have, and keeps others’', () => {
  const { h, a, b } = two('yjs');
  a.content.transact(() => a.content.getText('t').insert(0, 'mine'), 'a binding');
  h.settle();
  b.content.getText('t').insert(2, 'THEIRS');
  h.settle();
  assert.equal(a.canUndo, true);
  assert.equal(b.canUndo, true);
  assert.equal(a.undo(), true);
  h.settle();
  assert.equal(b.content.getText('t').toString(), 'THEIRS');
  assert.equal(a.redo(), true);
  h.settle();
  assert.equal(b.content.getText('t').toString(), 'miTHEIRSne');
});

test('edits less than 500 ms apart are one group; a pause or undoGroup ends it', () => {
  const { h, a } = two('rich-text');
  const type = (text: string) => {
    const end = a.content.length() - 1;
    a.edit(end === 0 ? [{ insert: text }] : [{ retain: end }, { insert: text }]);
  };
  type('a');
  h.settle(400);
  type('b');
  h.settle(600);
  type('c');
  a.undoGroup();
  type('d');
  const texts: unknown[] = [];
  while (a.undo()) texts.push(a.content.ops[0]?.insert);
  assert.deepEqual(texts, ['abc\n', 'ab\n', '\n']);
  assert.equal(a.canUndo, false);
  assert.equal(a.undo(), false);
  while (a.redo());
  assert.equal(a.content.ops[0]?.insert, 'abcd\n');
  h.settle();
  assert.equal(a.state, 'saved');
});

test('a new edit forgets what could be redone, and history tells of every change', () => {
  const { a } = two('rich-text');
  const history = heard(a, 'history');
  a.edit([{ insert: 'x' }]);
  a.undo();
  a.edit([{ insert: 'y' }]);
  assert.equal(a.canRedo, false);
  assert.deepEqual(history, [
    { canUndo: true, canRedo: false },
    { canUndo: false, canRedo: true },
    { canUndo: true, canRedo: false },
  ]);
});

test('200 groups can be undone, no more', () => {
  const { h, a } = two('rich-text');
  for (let i = 0; i < 230; i++) {
    a.edit([{ insert: 'x' }]);
    a.undoGroup();
  }
  let undone = 0;
  while (a.undo()) undone++;
  assert.equal(undone, 200);
  h.settle(20_000);
  assert.equal(a.content.length(), 31);
});

test('undo of an edit that is still pending, offline too', () => {
  const h = new Harness();
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  h.settle();
  client.goOffline();
  doc.edit([{ insert: 'x' }]);
  doc.undo();
  assert.equal(doc.content.length(), 1);
  doc.redo();
  client.goOnline();
  h.settle();
  assert.equal(doc.content.ops[0]?.insert, 'x\n');
  assert.equal(doc.state, 'saved');
});

test('a client that undoes everything leaves exactly the text that the others typed', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const { h, a, b } = two('rich-text');
    h.server.faults.latencyMs = [1, 60];
    let typed = 0;
    for (let i = 0; i < 40; i++) {
      const mine = random() < 0.5;
      const doc = mine ? a : b;
      const at = Math.floor(random() * doc.content.length());
      const text = mine ? 'a' : String.fromCharCode(0x4e00 + typed++);
      doc.edit(at === 0 ? [{ insert: text }] : [{ retain: at }, { insert: text }]);
      if (random() < 0.3) a.undoGroup();
      if (random() < 0.1) a.undo();
      h.settle(random() * 50);
    }
    h.settle(10_000);
    while (a.undo());
    h.settle(10_000);
    const text = a.content.ops.map((op) => op.insert).join('');
    assert.deepEqual(a.content, b.content);
    assert.equal(text.length, typed + 1, `seed ${seed}: ${text}`);
    for (let i = 0; i < typed; i++) assert.ok(text.includes(String.fromCharCode(0x4e00 + i)), `seed ${seed}`);
  }
});

test('json: a client that undoes everything leaves the members that the others wrote', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const { h, a, b } = two('json');
    h.server.faults.latencyMs = [1, 60];
    for (let i = 0; i < 30; i++) {
      const mine = random() < 0.5;
      const key = `k${Math.floor(random() * 5)}`;
      if (mine) a.edit([{ op: 'add', path: `/${key}`, value: 'a' }]);
      else b.edit([{ op: 'add', path: `/${key}`, value: i }]);
      if (random() < 0.4) a.undoGroup();
      h.settle(150);
    }
    h.settle(10_000);
    const before = Object.entries(a.content as Record<string, unknown>).filter(([, value]) => value !== 'a');
    while (a.undo());
    h.settle(10_000);
    assert.deepEqual(a.content, b.content);
    const after = a.content as Record<string, unknown>;
    for (const [key, value] of before) assert.equal(after[key], value, `seed ${seed}: ${key}`);
    assert.ok(!Object.values(after).includes('a'), `seed ${seed}: ${JSON.stringify(after)}`);
  }
});
