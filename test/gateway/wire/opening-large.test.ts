// A large document on a real node: its snapshot goes over the link in pieces, is written as MessagePack by
// another thread, and reaches every client whole.
import assert from 'node:assert/strict';
import * as Y from 'yjs';
import { FileNode, inBoth } from './contract.ts';

const file = new FileNode({});

inBoth('OPEN-6 clients that open a large json document at once get all of it', async (t, codec) => {
  const writer = await file.connect(t, codec);
  const doc = file.newDoc();
  await writer.open(doc, 'json');
  const members = (from: number) =>
    Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`member ${from + i}`, [i, 'é😀']]));
  const whole: Record<string, unknown> = {};
  for (let seq = 1; seq <= 6; seq++) {
    const value = members(seq * 3000);
    whole[`o${seq}`] = value;
    await writer.submit(doc, seq, [{ op: 'add', path: `/o${seq}`, value }]);
  }
  const clients = await Promise.all(Array.from({ length: 5 }, () => file.connect(t, codec)));
  const all = await Promise.all(clients.map((client) => client.open(doc)));
  for (const opened of all) {
    assert.equal(opened.version, 6);
    assert.deepEqual(opened.snapshot, whole);
  }
});

inBoth('OPEN-6 clients that open a large yjs document at once get all of it', async (t, codec) => {
  const writer = await file.connect(t, codec);
  const doc = file.newDoc();
  await writer.open(doc, 'yjs');
  const wire = (bytes: Uint8Array): unknown => (codec.binary ? bytes : Buffer.from(bytes).toString('base64'));
  for (let seq = 1; seq <= 4; seq++) {
    const part = new Y.Doc();
    part.getText('text').insert(0, `${seq}`.repeat(50_000));
    await writer.submit(doc, seq, wire(Y.encodeStateAsUpdate(part)));
  }
  const clients = await Promise.all(Array.from({ length: 5 }, () => file.connect(t, codec)));
  for (const opened of await Promise.all(clients.map((client) => client.open(doc)))) {
    const read = new Y.Doc();
    const { snapshot } = opened;
    Y.applyUpdate(
      read,
      typeof snapshot === 'string' ? Buffer.from(snapshot, 'base64') : (snapshot as Uint8Array),
    );
    assert.equal(read.getText('text').length, 200_000);
  }
});
