// The reasons that the client of the load tests tells for connections that were not made.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { BareClient } from '../../loadtest/clients/bare-client.ts';

/** The losses of a client that dials this port until one is told. */
async function losses(t: TestContext, port: number): Promise<readonly string[]> {
  const client = new BareClient({
    url: `ws://127.0.0.1:${port}/v1/socket`,
    client: 'client-1',
    encoding: 'json',
    random: () => 0,
  });
  t.after(() => client.stop());
  client.connect().catch(() => undefined);
  while (client.losses.size === 0) await new Promise((look) => setTimeout(look, 5));
  return [...client.losses.keys()];
}

async function listen(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test('a connection that is refused by the system is told with its code', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  assert.deepEqual(await losses(t, port), ['not connected: ECONNREFUSED']);
});

test('an upgrade that is refused is told with its HTTP status', async (t) => {
  const port = await listen(t, (_, response) => response.writeHead(503).end());
  assert.deepEqual(await losses(t, port), ['not connected: 503']);
});

test('a connection that ends without an answer is told as one', async (t) => {
  const port = await listen(t, (request) => void request.socket.end());
  const [loss] = await losses(t, port);
  assert.match(loss ?? '', /^not connected: (ECONNRESET|no answer)$/);
});
