// A node's test of itself before it reports that it is ready, against servers that answer as the test wants.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { testSelf } from '../../../src/membership/self-test.ts';

const HOST = '127.0.0.1';

test('whatever the owner answers is an answer', async (t) => {
  const { port, asked } = await server(t, { welcome: true, open: true });
  await testSelf({ host: HOST, token: 't', port, timeoutMs: 10_000, isLed: () => true });
  assert.ok(asked.filter((type) => type === 'open').length > 1);
});

test('without an owner that is reached, before or meanwhile, a welcome is enough', async (t) => {
  const { port, asked } = await server(t, { welcome: true, open: false });
  await testSelf({ host: HOST, token: 't', port, timeoutMs: 10_000, isLed: () => false });
  assert.ok(!asked.includes('open'));
  await testSelf({ host: HOST, token: 't', port, timeoutMs: 10_000, isLed: () => !asked.includes('open') });
  assert.ok(asked.includes('open'));
});

test('a node that refuses its own hello has failed', async (t) => {
  const { port } = await server(t, { welcome: 'refused', open: true });
  await assert.rejects(
    testSelf({ host: HOST, token: 't', port, timeoutMs: 10_000, isLed: () => true }),
    /hello is refused/,
  );
});

test('a silent part is named', async (t) => {
  const mute = await server(t, { welcome: false, open: false });
  const options = { host: HOST, token: 't', timeoutMs: 50, isLed: () => true };
  await assert.rejects(testSelf({ ...options, port: mute.port }), /no answer to hello within 50 ms/);
  const ownerless = await server(t, { welcome: true, open: false });
  // The welcome comes within this time.
  await assert.rejects(
    testSelf({ ...options, timeoutMs: 1_000, port: ownerless.port }),
    /no answer to open of troupe\/self-test, whose owner is silent, within 1000 ms/,
  );
});

async function server(
  t: TestContext,
  answers: { readonly welcome: boolean | 'refused'; readonly open: boolean },
) {
  const asked: string[] = [];
  const listener = new WebSocketServer({ host: HOST, port: 0 });
  t.after(() => {
    for (const socket of listener.clients) socket.terminate();
    listener.close();
  });
  listener.on('connection', (socket) =>
    socket.on('message', (frame) => {
      const { type } = JSON.parse(String(frame)) as { type: string };
      asked.push(type);
      const greeting =
        answers.welcome === 'refused' ? { type: 'error', code: 'unauthenticated' } : { type: 'welcome' };
      if (type === 'hello' && answers.welcome) socket.send(JSON.stringify(greeting));
      if (type === 'open' && answers.open)
        socket.send(JSON.stringify({ type: 'error', code: 'unavailable' }));
    }),
  );
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, asked };
}
