// The SDK against a real node: real sockets, real time, a real database.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import {
  type ConnectionFailure,
  type JsonDocument,
  type RichTextDocument,
  TroupeClient,
  type YjsDocument,
} from '../../client/index.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { seeded } from './virtual-time.ts';

const shared = new FileNode();

type AnyDocument = RichTextDocument | JsonDocument | YjsDocument;

/** Resolves once the condition holds. It is checked at each event of the document. */
function until(doc: AnyDocument, holds: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (holds()) resolve();
    };
    doc.on('state', look);
    doc.on('closed', ({ code }) => reject(new Error(`closed: ${code}`)));
    if (doc.kind === 'rich-text') doc.on('change', look);
    else if (doc.kind === 'json') doc.on('change', look);
    else doc.on('change', look);
    look();
  });
}

const settled = (doc: AnyDocument) => until(doc, () => doc.state === 'saved' || doc.state === 'live');

test('two clients edit, go offline and come back, over both subprotocols and in all kinds', async (t) => {
  const { node } = shared;
  const clients = (['json', 'msgpack'] as const).map(
    (encoding) => new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket, encoding }),
  );
  t.after(() => {
    for (const client of clients) client.close();
  });
  const random = seeded(3);

  const texts = clients.map((client) => client.open('acme/text', 'rich-text'));
  const boards = clients.map((client) => client.open('acme/board', 'json'));
  const notes = clients.map((client) => client.open('acme/notes', 'yjs'));
  const documents: AnyDocument[] = [...texts, ...boards, ...notes];
  await Promise.all(documents.map((doc) => doc.ready));
  boards[0]?.edit([{ op: 'add', path: '/list', value: [] }]);
  const [first, second] = boards;
  assert.ok(first && second);
  await until(second, () => JSON.stringify(second.content) === '{"list":[]}');

  for (let round = 0; round < 100; round++) {
    const which = Math.floor(random() * 2);
    if (random() < 0.05) clients[which]?.goOffline();
    if (random() < 0.3) clients[which]?.goOnline();
    const text = texts[which];
    const at = Math.floor(random() * (text?.content.length() ?? 1));
    text?.edit(at === 0 ? [{ insert: 'x' }] : [{ retain: at }, { insert: 'yz' }]);
    boards[which]?.edit([{ op: 'add', path: '/list/0', value: round }]);
    if (random() < 0.2) text?.undo();
    const note = notes[which]?.content.getText('t');
    note?.insert(Math.floor(random() * (note.length + 1)), `${round} `);
    if (round % 10 === 0 && text !== undefined && text.state !== 'offline') await settled(text);
  }
  for (const client of clients) client.goOnline();
  await Promise.all(documents.map(settled));
  for (const [a, b] of [texts, boards, notes]) {
    assert.ok(a && b);
    const head = Math.max(a.version, b.version);
    await Promise.all([until(a, () => a.version >= head), until(b, () => b.version >= head)]);
  }
  assert.deepEqual(texts[0]?.content, texts[1]?.content);
  assert.deepEqual(first.content, second.content);
  assert.equal((first.content as { list: number[] }).list.length, 100);
  assert.equal(notes[0]?.content.getText('t').toString(), notes[1]?.content.getText('t').toString());
});

test('a refused connection and an HTTP status are told as what they are', async (t) => {
  const server = createServer();
  server.on('upgrade', (_request, socket) =>
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = new TroupeClient({ urls: [`ws://127.0.0.1:${port}/v1/socket`], webSocket: WebSocket });
  t.after(() => {
    client.close();
    server.close();
  });
  const failed = () => new Promise<ConnectionFailure>((resolve) => client.on('failed', resolve));
  const status = await failed();
  assert.deepEqual([status.reason, status.status], ['status', 403]);
  server.close();
  await once(server, 'close');
  for (;;) {
    client.connect();
    const { reason } = await failed();
    if (reason === 'refused') break;
    assert.equal(reason, 'status');
  }
});

test('presence reaches the others, and a deleted socket takes it along', async (t) => {
  const { node } = shared;
  const open = () => {
    const client = new TroupeClient({ urls: [node.socketUrl], webSocket: WebSocket });
    t.after(() => client.close());
    return { client, doc: client.open('acme/here', 'rich-text') };
  };
  const ann = open();
  const bob = open();
  await Promise.all([ann.doc.ready, bob.doc.ready]);
  const told = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      bob.doc.presence.on('change', () => {
        if (holds()) resolve();
      });
    });
  const came = told(() => bob.doc.cursors.has(ann.client.id));
  ann.doc.edit([{ insert: 'hello' }]);
  ann.doc.presence.set({ name: 'Ann' });
  ann.doc.setSelection({ index: 5, length: 0 });
  await came;
  await until(bob.doc, () => bob.doc.cursors.get(ann.client.id)?.index === 5);
  const went = told(() => bob.doc.presence.states.size === 0);
  ann.client.goOffline();
  await went;
});
