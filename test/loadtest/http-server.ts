// An HTTP server of a test, in place of a node.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { TestContext } from 'node:test';

/** `urls`: as those of the sockets of a node. */
export async function httpServer(t: TestContext, listener: RequestListener): Promise<{ urls: string[] }> {
  const http = createServer(listener).listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens at no port');
  return { urls: [`ws://127.0.0.1:${address.port}/v1/socket`] };
}
