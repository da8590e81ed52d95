// Updates of Yjs clients above limits.opBytes, over real sockets and a real PostgreSQL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { jsonCodec } from '../../protocol/codec.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { YwsClient } from './yws-client.ts';

const file = new FileNode();
const MiB = 1024 * 1024;

test('YWS-3 the edits of days come as one update above limits.opBytes, and reach readers of both protocols', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const bob = await YwsClient.synced(t, port, doc);
  const eve = await file.connect(t, jsonCodec);
  await eve.open(doc, 'yjs');
  const ada = await YwsClient.connect(t, port, doc);
  ada.doc.getText('t').insert(0, 'picture '.repeat(MiB / 4));
  ada.doc.getMap('pictures').set('one', 'p'.repeat(MiB));
  ada.step1();
  ada.step2(Y.encodeStateAsUpdate(ada.doc));
  const { bytes } = await bob.next('update');
  assert.ok(bytes.length > 3 * MiB - 1024);
  assert.equal(bob.text, ada.text);
  await ada.next('update');
  const carol = await YwsClient.synced(t, port, doc);
  assert.equal(carol.doc.getMap('pictures').get('one'), 'p'.repeat(MiB));
  // The document goes on.
  bob.insert('more ');
  await ada.next('update', ({ bytes: update }) => update.length < 100);
  assert.equal(ada.text, bob.text);
});

test('YWS-8 an update above yjs.updateBytes is not committed, and its socket ends with 1009, and the others go on', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const [ada, bob] = [await YwsClient.synced(t, port, doc), await YwsClient.synced(t, port, doc)];
  ada.insert('x'.repeat(4 * MiB));
  assert.match((await ada.next('denied')).reason, /at most 4194304 bytes/);
  assert.equal((await ada.untilClosed()).code, 1009);
  bob.insert('small');
  await bob.next('update');
  assert.equal(bob.text, 'small');
});
