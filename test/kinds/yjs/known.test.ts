// The ids that a Yjs document keeps tell its state vector, what a peer lacks and what an update brings, without a Y.Doc.
// Every answer is compared with what Yjs makes of the same updates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { diffOf, diffsOf, packUpdates, unpackUpdates } from '../../../kinds/yjs/diff.ts';
import { EMPTY_UPDATE, Known } from '../../../kinds/yjs/known.ts';
import { mergeAll } from '../../../kinds/yjs/updates.ts';
import { collectGarbage, type Updates, yjsKind } from '../../../kinds/yjs/yjs.ts';
import { edit, editsOf, runs } from './yjs-edits.ts';

const knownOf = (updates: readonly Uint8Array[]): Known => {
  const known = new Known();
  for (const update of updates) known.add(update);
  return known;
};

/** The document of these updates, in a Y.Doc that keeps all content. */
function docOf(...updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc({ gc: false });
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
}

const stateOf = (doc: Y.Doc) => [
  doc.getText('text').toDelta(),
  doc.getMap('map').toJSON(),
  doc.getArray('list').toJSON(),
  Y.decodeStateVector(Y.encodeStateVector(doc)),
];

/** Edits of three editors, and the number of edits of all that one of them has seen. */
const history = fc.record({
  edits: editsOf(3, 60),
  order: fc.array(fc.nat(), { maxLength: 60 }),
  seen: fc.nat(60),
});

function shuffled(updates: readonly Uint8Array[], order: readonly number[]): Uint8Array[] {
  return updates
    .map((update, i) => ({ update, key: order[i] ?? i }))
    .sort((a, b) => a.key - b.key)
    .map(({ update }) => update);
}

test('the state vector of updates in any order, also with gaps, is that of the merged update', () => {
  fc.assert(
    fc.property(history, ({ edits, order, seen }) => {
      const updates = shuffled(edit(3, edits).updates, order).slice(0, seen);
      const expected = Y.encodeStateVectorFromUpdate(mergeAll(updates));
      assert.deepEqual(Y.decodeStateVector(knownOf(updates).stateVector), Y.decodeStateVector(expected));
    }),
    { numRuns: runs(200) },
  );
});

test('a peer that gets what it lacks has the document, however much it had before', () => {
  fc.assert(
    fc.property(history, fc.boolean(), ({ edits, order, seen }, remembersAll) => {
      const { updates } = edit(3, edits);
      const known = knownOf(updates);
      const peer = docOf(...shuffled(updates, order).slice(0, seen));
      const vector = Y.encodeStateVector(peer);
      const recent = remembersAll ? updates : updates.slice(-5);
      const lack = known.lackOf(vector, recent.toReversed());
      const merged = mergeAll(updates);
      const answer =
        lack.type === 'update' ? lack.update : lack.type === 'part' ? diffOf(merged, vector) : merged;
      if (remembersAll) assert.notEqual(lack.type, 'part');
      Y.applyUpdate(peer, answer);
      assert.deepEqual(stateOf(peer), stateOf(docOf(merged)));
    }),
    { numRuns: runs(200) },
  );
});

test('a peer that lacks nothing gets the deletions alone', () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  doc.getText('text').insert(0, 'x'.repeat(1000));
  const peer = docOf(...updates);
  doc.getText('text').delete(10, 900);
  const lack = knownOf(updates).lackOf(Y.encodeStateVector(peer), []);
  assert.equal(lack.type, 'update');
  assert.ok(lack.type === 'update' && lack.update.length < 20);
  Y.applyUpdate(peer, lack.update);
  assert.equal(peer.getText('text').length, 100);
});

test('a peer that lacks most of the document is told so, and one that lacks an old part too', () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (let i = 0; i < 100; i++) doc.getText('text').insert(i, 'x');
  const known = knownOf(updates);
  const vectorAfter = (count: number) => Y.encodeStateVector(docOf(...updates.slice(0, count)));
  assert.equal(known.lackOf(Uint8Array.of(0), updates.toReversed()).type, 'most');
  assert.equal(known.lackOf(vectorAfter(60), updates.slice(70).reverse()).type, 'part');
  const late = known.lackOf(vectorAfter(80), updates.toReversed());
  // Twenty letters and nothing before them.
  assert.ok(late.type === 'update' && late.update.length < 20 * 20);
});

test('bytes that are no state vector are refused', () => {
  assert.throws(() => new Known().lackOf(Uint8Array.of(9, 1), []));
});

test('the new part of an update is all that a document needs of it, and nothing is new in it afterwards', () => {
  fc.assert(
    fc.property(history, fc.nat(60), ({ edits, order, seen }, other) => {
      const all = shuffled(edit(3, edits).updates, order);
      const had = all.slice(0, seen);
      const known = knownOf(had);
      const step = Y.mergeUpdates([EMPTY_UPDATE, ...all.slice(Math.min(other, seen), seen + other)]);
      const fresh = known.newIn(step);
      assert.deepEqual(stateOf(docOf(...had, fresh)), stateOf(docOf(...had, step)));
      known.add(fresh);
      assert.deepEqual(known.newIn(step), EMPTY_UPDATE);
      assert.deepEqual(known.newIn(mergeAll([...had, step])), EMPTY_UPDATE);
    }),
    { numRuns: runs(200) },
  );
});

test('the second step of a client that was away brings its edits without what it had before', () => {
  const server = new Y.Doc();
  const updates: Uint8Array[] = [];
  server.on('update', (update: Uint8Array) => updates.push(update));
  for (let i = 0; i < 500; i++) {
    server.getText('text').insert(2 * i, 'abc');
    server.getText('text').delete(2 * i + 1, 1);
  }
  const known = knownOf(updates);
  const client = docOf(...updates);
  const second = Y.encodeStateAsUpdate(client, known.stateVector);
  assert.ok(second.length > 500, 'it repeats the deletions');
  assert.deepEqual(known.newIn(second), EMPTY_UPDATE);
  client.getText('text').insert(0, 'new');
  client.getText('text').delete(10, 1);
  const fresh = known.newIn(Y.encodeStateAsUpdate(client, known.stateVector));
  assert.ok(fresh.length < 60, `${fresh.length} bytes are new`);
  assert.deepEqual(stateOf(docOf(...updates, fresh)), stateOf(client));
});

test('an update of which the document has nothing stays as it is', () => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'text');
  doc.getText('text').delete(1, 1);
  const update = Y.encodeStateAsUpdate(doc);
  assert.equal(new Known().newIn(update), update);
});

test('merging, garbage collection, loading and going back leave what a document knows as Yjs has it', () => {
  fc.assert(
    fc.property(history, ({ edits, order, seen }) => {
      const updates = shuffled(edit(3, edits).updates, order);
      const state = yjsKind.create();
      for (const update of updates.slice(0, seen)) yjsKind.apply(state, update);
      const top = state.top;
      const before = vectorOf(state);
      for (const update of updates.slice(seen)) yjsKind.apply(state, update);
      assert.deepEqual(vectorOf(yjsKind.load(yjsKind.snapshot(state))), vectorOf(state));
      const collected = yjsKind.load(collectGarbage(mergeAll(state.pieces)));
      assert.deepEqual(vectorOf(collected), vectorOf(state));
      for (const update of updates) assert.equal(yjsKind.vectors?.newIn(collected, update), undefined);
      yjsKind.revert(state, top);
      assert.deepEqual(vectorOf(state), before);
    }),
    { numRuns: runs(50) },
  );
});

/** The state vector of a peer that has nothing. */
const NOTHING = Uint8Array.of(0);

const vectorOf = (state: Updates) => Y.decodeStateVector(state.known.stateVector);

test('the parts that peers lack are those of Y.diffUpdate, byte by byte once Yjs has written them', () => {
  fc.assert(
    fc.property(
      history,
      fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 5 }),
      ({ edits, order, seen }, peers) => {
        const updates = shuffled(edit(3, edits).updates, order);
        const merged = mergeAll(updates.slice(0, seen));
        const clocks = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(mergeAll(updates)));
        // Vectors within structs, behind gaps and beyond the document too.
        const vectors = peers.map(([share, more]) =>
          Y.encodeStateVector(
            new Map(
              [...clocks].map(([client, clock]) => [client, Math.floor((clock * share) / 50) + (more % 3)]),
            ),
          ),
        );
        const expected = vectors.map((vector) => Y.diffUpdate(merged, vector));
        // Structs are copied. A struct of a map with an origin may have a bit for its key, which nothing reads and Y.diffUpdate drops.
        const written = diffsOf(merged, vectors).map((part) => Y.diffUpdate(part, NOTHING));
        assert.deepEqual(written, expected);
      },
    ),
    { numRuns: runs(300) },
  );
});

test('packed updates come out as they went in', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (updates) => {
      assert.deepEqual(unpackUpdates(packUpdates(updates)), updates);
    }),
  );
});
