// The memory of a connection that waits for edits: one open document has no table, and the socket has no listeners.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import type { ClientConnection } from '../../../src/gateway/client-connection.ts';
import { OpenDocuments } from '../../../src/gateway/open-documents.ts';
import { Sockets } from '../../../src/gateway/sockets/sockets.ts';
import { Channel } from '../../../src/gateway/subscriptions/channel.ts';
import { Subscription } from '../../../src/gateway/subscriptions/subscription.ts';
import { heapBytes } from '../../support/heap.ts';
import { LIMITS, startGateway } from '../fake-owners.ts';

const SOCKETS = 20_000;
const MiB = 1024 * 1024;

test('a socket with one open document keeps no table of documents', () => {
  const subscription = subscriptionTo('acme/plan');
  const before = heapBytes();
  const all = Array.from({ length: SOCKETS }, () => {
    const documents = new OpenDocuments();
    documents.set(subscription);
    return documents;
  });
  const bytes = (heapBytes() - before) / SOCKETS;
  assert.ok(bytes < 100, `${bytes} bytes a socket`);
  for (const documents of all) assert.equal(documents.get('acme/plan'), subscription);
});

test('the open documents of a socket are found by name, replaced, and listed in their order', () => {
  const documents = new OpenDocuments();
  const open = (...names: string[]): void => {
    assert.deepEqual(
      [...documents.values()].map(({ channel }) => channel.doc),
      names,
    );
    assert.equal(documents.size, names.length);
    for (const name of ['acme/a', 'acme/b', 'acme/c'])
      assert.equal(documents.get(name)?.channel.doc, names.includes(name) ? name : undefined);
  };
  const add = (name: string): void => {
    const subscription = subscriptionTo(name);
    documents.set(subscription);
    assert.equal(documents.get(name), subscription);
  };
  open();
  add('acme/a');
  add('acme/a');
  open('acme/a');
  documents.delete('acme/b');
  open('acme/a');
  documents.delete('acme/a');
  open();
  for (const name of ['acme/b', 'acme/a', 'acme/c', 'acme/b']) add(name);
  open('acme/b', 'acme/a', 'acme/c');
  documents.delete('acme/b');
  open('acme/a', 'acme/c');
  for (const name of ['acme/a', 'acme/c']) documents.delete(name);
  open();
  add('acme/c');
  open('acme/c');
  documents.clear();
  open();
});

test('an accepted socket has no listeners, and its messages, pings, pongs and close are heard', async (t) => {
  // The clock of the sockets stands still: it would begin the count of the messages anew.
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { sockets, url, heard, disconnected } = await startSockets(t);
  const client = new WebSocket(url);
  await once(client, 'open');
  client.send('message');
  client.ping();
  await once(client, 'pong');
  const [connection] = heard.values();
  assert.ok(connection);
  assert.deepEqual(connection.socket.eventNames(), []);
  assert.equal(connection.messages, 1, 'the ping is counted');
  connection.pinged = true;
  connection.socket.ping();
  await once(client, 'ping');
  client.close();
  await disconnected;
  assert.equal(connection.pinged, false, 'the pong is heard');
  assert.equal(connection.messages, 2, 'the pong is counted');
  assert.ok(connection.closed);
  assert.equal(sockets.size, 0);
});

test('a protocol error closes its socket alone', async (t) => {
  const { sockets, url, disconnected } = await startSockets(t);
  const good = new WebSocket(url);
  await once(good, 'open');
  const { port } = new URL(url);
  const bad = connect(Number(port), '127.0.0.1');
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13';
  bad.write(
    `GET /v1/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n\r\n`,
  );
  await once(bad, 'data');
  assert.equal(sockets.size, 2);
  // A frame that is not masked.
  bad.write(Buffer.from([0x81, 0x01, 0x61]));
  await disconnected;
  assert.equal(sockets.size, 1);
  good.ping();
  await once(good, 'pong');
  bad.destroy();
});

async function startSockets(t: TestContext) {
  const { gateway } = startGateway();
  const heard = new Set<ClientConnection>();
  t.mock.method(gateway, 'receive', (connection: ClientConnection) => void heard.add(connection));
  const disconnected = new Promise<void>((resolve) => {
    t.mock.method(gateway, 'disconnected', (connection: ClientConnection) => {
      connection.closed = true;
      resolve();
    });
  });
  const sockets = new Sockets({
    gateway,
    limits: LIMITS,
    outboxBytes: MiB,
    connections: 10,
    helloMs: 10_000,
    origins: { refusal: () => undefined },
    readBytes: MiB,
    readMs: 1000,
    patchBytes: MiB,
    nodePrivate: 'auto',
  });
  const server = createServer().on('upgrade', sockets.upgrade).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    await sockets.close(100);
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { sockets, heard, disconnected, url: `ws://127.0.0.1:${port}/v1/socket` };
}

function subscriptionTo(doc: string): Subscription {
  const channel = new Channel(doc, 1, 1);
  return new Subscription({
    connection: {} as ClientConnection,
    channel,
    role: 'owner',
    askedAt: 0,
    request: {},
    before: undefined,
  });
}
