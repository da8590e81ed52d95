// An open yjs document takes the snapshot that was folded from its log, without its garbage, in place of its own form. It
// stays the document that Yjs makes of all updates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as Y from 'yjs';
import { Document } from '../../../actors/document/document.ts';
import { SYNC_OP, UPDATE_OP } from '../../../actors/link/link-messages.ts';
import { kindOf } from '../../../kinds/registry.ts';
import { mergeAll } from '../../../kinds/yjs/updates.ts';
import { withoutGarbage } from '../../../kinds/yjs/yjs.ts';
import { edit, editsOf } from '../../kinds/yjs/yjs-edits.ts';

const LIMITS = { documentBytes: 10_000_000, depth: 100, workMs: 1000 };

function create(): Document {
  const loaded = { id: 1, snapshotVersion: 0, snapshot: undefined, deltas: [] };
  return new Document(kindOf('yjs'), loaded, { clients: [], someForgotten: false }, LIMITS);
}

const docOf = (update: Uint8Array): Y.Doc => {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc;
};

const contentOf = (doc: Y.Doc) => {
  assert.equal(doc.store.pendingStructs, null);
  assert.equal(doc.store.pendingDs, null);
  return [doc.getText('text').toDelta(), doc.getMap('map').toJSON(), doc.getArray('list').toJSON()];
};

const bytesOf = (document: Document): Uint8Array => {
  const snapshot = document.snapshot();
  assert.ok(snapshot instanceof Uint8Array);
  return snapshot;
};

test('YJS-3 a document that has taken its snapshot is the one that Yjs makes of all updates, and its clients converge with it', () => {
  let smaller = 0;
  fc.assert(
    fc.property(
      editsOf(3, 80),
      fc.nat(80),
      fc.nat(5),
      fc.nat(40),
      fc.boolean(),
      editsOf(3, 20),
      (edits, at, ahead, during, isMerged, offline) => {
        const { docs, updates, more } = edit(3, edits);
        const document = create();
        const parts = { client: 'client-1', user: '', base: -1 };
        const submit = (list: readonly Uint8Array[]): void => {
          for (const update of list) {
            const submitted = document.submit(
              { ...parts, seq: document.head + 1, op: [UPDATE_OP, update] },
              [],
            );
            assert.equal(submitted.type, 'committed');
          }
        };
        submit(updates.slice(0, at));
        const version = Math.max(0, document.head - ahead);
        document.durableTo(version);
        const renew = document.renewal(version);
        submit(updates.slice(at, at + during));
        if (isMerged) document.snapshot();
        const before = document.snapshotBytes;
        renew?.(withoutGarbage(mergeAll(updates.slice(0, version))));
        if (document.snapshotBytes < before) smaller++;
        assert.ok(document.snapshotBytes <= before);
        submit(updates.slice(at + during));
        const reference = docOf(mergeAll(updates));
        const reader = docOf(bytesOf(document));
        assert.deepEqual(contentOf(reader), contentOf(reference));
        assert.ok(Y.equalSnapshots(Y.snapshot(reader), Y.snapshot(reference)));
        assert.deepEqual(
          Y.decodeStateVector(document.stateVector() ?? new Uint8Array()),
          Y.decodeStateVector(Y.encodeStateVector(reference)),
        );
        // The editors went on without a connection, and hold what was collected.
        more(offline.filter(({ what }) => what !== 'sync'));
        for (const doc of docs) {
          const step = Y.encodeStateAsUpdate(doc, document.stateVector());
          const submitted = document.submit({ ...parts, seq: document.head + 1, op: [SYNC_OP, step] }, []);
          assert.ok(submitted.type === 'committed' || submitted.type === 'held');
        }
        const last = docOf(bytesOf(document));
        for (const doc of docs) {
          Y.applyUpdate(doc, bytesOf(document));
          assert.deepEqual(contentOf(doc), contentOf(last));
        }
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(smaller > 10, `${smaller} documents have become smaller`);
});

test('readers share the snapshot that the document has taken, and it is used until much has been committed since', () => {
  const document = create();
  const doc = new Y.Doc();
  let seq = 0;
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => {
    updates.push(update);
    document.submit({ client: 'c', user: '', seq: ++seq, base: -1, op: [UPDATE_OP, update] }, []);
  });
  doc.getText('t').insert(0, 'k'.repeat(80_000));
  for (let i = 0; i < 20; i++) {
    doc.getText('t').insert(0, 'x'.repeat(5_000));
    doc.getText('t').delete(0, 5_000);
  }
  document.durableTo(document.head);
  const version = document.head;
  const renew = document.renewal(version);
  doc.getText('t').insert(0, 'later');
  const collected = withoutGarbage(mergeAll(updates.slice(0, version)));
  assert.ok(collected.length < 85_000);
  renew?.(collected);
  assert.equal(document.recentSnapshot()?.version, version);
  assert.equal(document.recentSnapshot()?.snapshot.value, collected);
  assert.ok(document.snapshotBytes < 120_000, 'base64 of the 80,000 letters that are left');
  assert.equal(docOf(bytesOf(document)).getText('t').toString(), doc.getText('t').toString());
});
