// The garbage of a document that stays open, over real sockets and a real PostgreSQL.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { FileNode } from '../gateway/wire/contract.ts';
import { untilSeen } from '../support/until.ts';
import { YwsClient } from './yws-client.ts';

const file = new FileNode();

test('YWS-3 a client that joins gets the content of what was deleted no more, once a snapshot was written, though the document stayed open', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const ada = await YwsClient.synced(t, port, doc);
  const text = ada.doc.getText('t');
  const send = async (change: () => void): Promise<void> => {
    const before = Y.encodeStateVector(ada.doc);
    change();
    ada.update(Y.encodeStateAsUpdate(ada.doc, before));
    await ada.next('update');
  };
  for (let i = 0; i < 30; i++) {
    await send(() => text.insert(0, 'x'.repeat(10_000)));
    await send(() => text.delete(0, 10_000));
  }
  await send(() => text.insert(0, 'stays'));
  await untilSeen('a step 2 without what was deleted', async () => {
    const bob = await YwsClient.connect(t, port, doc);
    bob.step1();
    const { bytes } = await bob.next('step-2');
    bob.socket.terminate();
    assert.equal(bob.text, 'stays');
    // The log of 300 kB since the last snapshot makes another one due.
    if (bytes.length > 100_000) await send(() => text.insert(0, 'y'.repeat(10_000)));
    if (bytes.length > 100_000) await send(() => text.delete(0, 10_000));
    return bytes.length < 100_000;
  });
  assert.equal(ada.text, 'stays');
});
