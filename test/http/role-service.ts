// A service of an operator that decides roles (`auth.callback`), for tests.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { TestContext } from 'node:test';

export const SERVICE_SECRET = 'a secret of the service';

/** A service that answers from a table of `user document` to role. */
export async function roleService(t: TestContext) {
  const roles = new Map<string, string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      if (request.headers.authorization !== `Bearer ${SERVICE_SECRET}`) {
        response.writeHead(401).end();
        return;
      }
      const { sub, doc } = JSON.parse(Buffer.concat(chunks).toString());
      response.end(JSON.stringify({ role: roles.get(`${sub} ${doc}`) ?? null }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(stop);
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { roles, stop, url: `http://127.0.0.1:${address.port}/roles` };
}
