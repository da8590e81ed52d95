// The question to the operator's service over real HTTP, and answers that are none.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { callbackService } from '../../../src/identity/callback/callback-service.ts';

const QUESTION = { sub: 'ada', doc: 'acme/x', claims: { sub: 'ada' } };

async function serve(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return (more: object = {}) =>
    callbackService({
      url: `http://127.0.0.1:${address.port}/roles`,
      secret: null,
      timeoutMs: 60_000,
      ...more,
    });
}

test('AUTH-8 the question is JSON by POST, with the secret of the node', async (t) => {
  const asked: unknown[] = [];
  const service = await serve(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      asked.push([method, url, headers.authorization, JSON.parse(Buffer.concat(chunks).toString())]);
      response.end('{"role":"editor"}');
    });
  });
  assert.deepEqual(await service({ secret: 'sixteen characters' })(QUESTION), { role: 'editor' });
  await service()(QUESTION);
  assert.deepEqual(asked, [
    ['POST', '/roles', 'Bearer sixteen characters', QUESTION],
    ['POST', '/roles', undefined, QUESTION],
  ]);
});

test('AUTH-9 a redirect is not followed, and any other status than 200 is no answer', async (t) => {
  let visits = 0;
  const service = await serve(t, ({ url }, response) => {
    if (url !== '/roles') visits++;
    response.writeHead(302, { location: '/elsewhere' }).end('{"role":"owner"}');
  });
  await assert.rejects(service()(QUESTION), /status 302/);
  assert.equal(visits, 0);
  for (const status of [201, 204, 403, 404, 500]) {
    const other = await serve(t, (_request, response) => response.writeHead(status).end());
    await assert.rejects(other()(QUESTION), new RegExp(`status ${status}`));
  }
});

test('AUTH-9 an answer without end, one that is no JSON, and one that never comes are given up', async (t) => {
  const endless = await serve(t, (_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      if (!response.destroyed) response.write('x'.repeat(65_536), () => setImmediate(more));
    };
    more();
  });
  await assert.rejects(endless()(QUESTION), /more than 4096 bytes/);
  const text = await serve(t, (_request, response) => response.end('editor'));
  await assert.rejects(text()(QUESTION), /not JSON/);
  const silent = await serve(t, () => undefined);
  await assert.rejects(silent({ timeoutMs: 20 })(QUESTION), { name: 'TimeoutError' });
});
