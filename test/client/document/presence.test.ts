// Presence and cursors: the states that others see, their pace, and positions when text moves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { positionAfter, positionBefore } from '../../../client/ot/rich-text-algebra.ts';
import { Harness, heard } from '../harness.ts';

const NAME = 'acme/plan';

function two() {
  const h = new Harness();
  const ann = h.client();
  const bob = h.client();
  const a = ann.open(NAME, 'rich-text');
  const b = bob.open(NAME, 'rich-text');
  h.settle();
  return { h, ann, bob, a, b };
}

test('PRES: a state reaches the others, changes, and is gone with its client', () => {
  const { h, ann, a, b } = two();
  const changes = heard(b.presence, 'change');
  a.presence.set({ name: 'Ann' });
  h.settle();
  assert.deepEqual(b.presence.states.get(ann.id), { name: 'Ann' });
  assert.equal(a.presence.states.size, 0);
  a.presence.set(null);
  h.settle();
  assert.equal(b.presence.states.size, 0);
  a.presence.set({ name: 'Ann again' });
  h.settle();
  ann.goOffline();
  h.settle();
  assert.equal(b.presence.states.size, 0);
  assert.deepEqual(
    changes.map((change) => change.get(ann.id)),
    [{ name: 'Ann' }, null, { name: 'Ann again' }, null],
  );
});

test('PRES: sent again after each opened; others are gone while not connected', () => {
  const { h, ann, bob, a, b } = two();
  a.presence.set({ name: 'Ann' });
  b.presence.set({ name: 'Bob' });
  h.settle();
  ann.goOffline();
  assert.equal(a.presence.states.size, 0);
  ann.goOnline();
  h.settle();
  assert.deepEqual(b.presence.states.get(ann.id), { name: 'Ann' });
  assert.deepEqual(a.presence.states.get(bob.id), { name: 'Bob' });
});

test('PRES: no faster than the limit, and the last state wins', () => {
  const { h, ann, a, b } = two();
  h.settle(2_000);
  for (let i = 0; i < 1_000; i++) {
    a.presence.set({ at: i });
    h.settle(1);
  }
  assert.ok(h.sent('presence').length <= h.server.limits.presencesPerSecond * 1.5);
  h.settle();
  assert.deepEqual(b.presence.states.get(ann.id), { at: 999 });
});

test('LIMIT: presence above presenceBytes throws', () => {
  const { a } = two();
  assert.throws(() => a.presence.set({ name: 'x'.repeat(5_000) }), { code: 'too-large' });
  assert.equal(a.presence.own, null);
});

test('ROLE: a viewer sends no presence, and does once it may', () => {
  const h = new Harness();
  h.server.role = 'viewer';
  const client = h.client();
  const doc = client.open(NAME, 'rich-text');
  doc.presence.set({ name: 'x' });
  h.settle();
  assert.equal(h.sent('presence').length, 0);
  h.socketOf(client).deliver({ type: 'role', doc: NAME, role: 'commenter' });
  h.settle();
  assert.equal(h.sent('presence').length, 1);
});

test('a selection travels with its version, and moves along with edits of all', () => {
  const { h, ann, a, b } = two();
  a.edit([{ insert: 'hello world' }]);
  a.presence.set({ name: 'Ann' });
  h.settle();
  a.setSelection({ index: 6, length: 5 });
  h.settle();
  assert.deepEqual(b.cursors.get(ann.id)?.data, {
    name: 'Ann',
    selection: { index: 6, length: 5, version: 1 },
  });
  const range = () => {
    const cursor = b.cursors.get(ann.id);
    return cursor && [cursor.index, cursor.length];
  };
  assert.deepEqual(range(), [6, 5]);
  b.edit([{ insert: '>> ' }]);
  assert.deepEqual(range(), [9, 5]);
  h.settle();
  assert.deepEqual(range(), [9, 5]);
  b.edit([{ retain: 11 }, { delete: 2 }]);
  assert.deepEqual(range(), [9, 3]);
  h.settle();
  a.setSelection(null);
  h.settle();
  assert.equal(range(), undefined);
});

test("a caret is pushed by its owner's text, also before the owner says so, and not by others'", () => {
  const { h, ann, a, b } = two();
  a.edit([{ insert: 'ab' }]);
  a.setSelection({ index: 2, length: 0 });
  h.settle();
  a.edit([{ retain: 2 }, { insert: 'cd' }]);
  h.settle();
  assert.equal(b.cursors.get(ann.id)?.index, 4);
  b.edit([{ retain: 4 }, { insert: 'ef' }]);
  h.settle();
  assert.equal(b.cursors.get(ann.id)?.index, 4);
});

test('a newcomer sees carets where they are now, not where they were when they were last sent', () => {
  const { h, ann, bob, a, b } = two();
  a.edit([{ insert: 'one two' }]);
  a.setSelection({ index: 3, length: 0 });
  h.settle();
  b.setSelection({ index: 7, length: 0 });
  h.settle();
  a.edit([{ retain: 3 }, { insert: ' and a half' }]);
  h.settle();
  const sent = h.sent('presence').length;
  h.settle(5_000);
  assert.equal(h.sent('presence').length, sent, 'those who saw the edits are told nothing');

  const carol = h.client();
  const c = carol.open(NAME, 'rich-text');
  h.settle();
  c.presence.set({ name: 'Carol' });
  h.settle(2_000);
  assert.equal(c.cursors.get(ann.id)?.index, 14);
  assert.equal(c.cursors.get(bob.id)?.index, 18);
  const retold = h.sent('presence').length;
  assert.equal(retold, sent + 3);
  c.presence.set({ name: 'Caroline' });
  h.settle(5_000);
  assert.equal(h.sent('presence').length, retold + 1, 'it is told once');
});

test('a selection made in text that is pending names a place that others have', () => {
  const { h, ann, a, b } = two();
  a.edit([{ insert: '1234' }]);
  h.settle();
  h.server.faults.latencyMs = [200, 200];
  a.edit([{ retain: 2 }, { insert: 'pending' }]);
  a.setSelection({ index: 11, length: 0 });
  a.presence.set({});
  h.settle(250);
  const selection = h.sent('presence').at(-1)?.data as { selection: unknown };
  assert.deepEqual(selection.selection, { index: 4, length: 0, version: 1 });
  h.settle(2_000);
  assert.equal(b.cursors.get(ann.id)?.index, 11);
});

test('a position of a version that is not here yet is not shown before it is', () => {
  const { h, bob, a, b } = two();
  const socket = h.socketOf(bob);
  socket.deliver({
    type: 'presence',
    doc: NAME,
    states: { stranger: { selection: { index: 3, length: 0, version: 1 } } },
  });
  h.settle();
  assert.equal(b.cursors.size, 0);
  a.edit([{ insert: 'abcdef' }]);
  h.settle();
  assert.equal(b.cursors.get('stranger')?.index, 3);
});

test('positions: after a patch, and back before it', () => {
  const op = [{ retain: 2 }, { insert: 'xyz' }, { delete: 2 }, { retain: 1 }, { insert: '!' }];
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map((position) => positionAfter(position, op, false)),
    [0, 1, 2, 5, 5, 6, 8].map((position, i) => (i === 5 ? 6 : i === 6 ? 8 : position)),
  );
  assert.equal(positionAfter(2, op, true), 5);
  assert.equal(positionAfter(5, op, true), 7);
  assert.deepEqual(
    [0, 2, 3, 5, 6, 7, 8].map((position) => positionBefore(position, op)),
    [0, 2, 2, 2, 5, 5, 6],
  );
});
