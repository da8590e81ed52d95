// The limit of an address, and the refusal of compression, over real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { FileNode } from './contract.ts';

const file = new FileNode({
  listen: { trustedProxies: ['127.0.0.0/8'] },
  quotas: { address: { sockets: 2 } },
});

/** The socket, or the status of the refusal with its `Retry-After`. */
async function attempt(t: TestContext, forwarded: string): Promise<WebSocket | readonly unknown[]> {
  const socket = new WebSocket(file.url, 'troupe.v1.json', { headers: { 'x-forwarded-for': forwarded } });
  t.after(() => socket.terminate());
  socket.on('error', () => undefined);
  return new Promise((done) => {
    socket.once('open', () => done(socket));
    socket.once('unexpected-response', (_request, { statusCode, headers }) =>
      done([statusCode, Number(headers['retry-after']) > 0]),
    );
  });
}

test('LIMIT-5 an address beyond its sockets is answered with 429, and another one is not', async (t) => {
  const sockets = [await attempt(t, '198.51.100.1'), await attempt(t, '198.51.100.1')];
  assert.deepEqual(await attempt(t, '198.51.100.1'), [429, true]);
  assert.ok((await attempt(t, '198.51.100.2')) instanceof WebSocket);
  const [first] = sockets;
  assert.ok(first instanceof WebSocket);
  const closed = new Promise((done) => first.once('close', done));
  first.close();
  await closed;
  assert.ok((await attempt(t, '198.51.100.1')) instanceof WebSocket);
});

test('SOCK-9 compression is not agreed to, and a frame that is marked as compressed ends the socket', async (t) => {
  const socket = new WebSocket(file.url, 'troupe.v1.json', {
    perMessageDeflate: true,
    headers: { 'x-forwarded-for': '198.51.100.3' },
  });
  t.after(() => socket.terminate());
  await new Promise((done) => socket.once('open', done));
  assert.equal(socket.extensions, '');
  const closed = new Promise((done) => socket.once('close', done));
  // FIN, RSV1 and text, masked, of 2 bytes.
  const raw = Reflect.get(socket, '_socket') as { write(bytes: Uint8Array): void };
  raw.write(Buffer.from([0xc1, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]));
  assert.equal(await closed, 1002);
});
