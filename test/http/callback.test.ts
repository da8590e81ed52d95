// A whole node whose roles a real HTTP service decides: over HTTP and sockets, when the service changes its mind, and
// when it is away. And the quota of an organisation, over HTTP.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestNode } from '../support/node.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { WireClient } from '../support/wire-client.ts';
import { Api, json, patch } from './api-client.ts';
import { roleService, SERVICE_SECRET } from './role-service.ts';

const PLAN = '/v1/docs/acme/plan';
const JWT = { mode: 'jwt', jwt: { secret: TOKEN_SECRET } };
const set = (value: number) => [{ op: 'add', path: '/n', value }];

test('AUTH-8 AUTH-9 AUTH-10 a service decides over HTTP and sockets, also when it changes its mind, and is away', async (t) => {
  const service = await roleService(t);
  const node = await startTestNode(t, {
    config: { auth: { ...JWT, callback: { url: service.url, secret: SERVICE_SECRET } } },
  });
  const nobody = await Api.of(node.url);
  const token = await tokenOf('ada');
  const ada = nobody.as(token);
  const admin = nobody.as(await tokenOf('root', {}, { admin: true }));
  assert.equal((await ada.call(`PUT ${PLAN}`, json({ kind: 'json' }))).refused, '404 not-found');
  const recheck = async (): Promise<void> => {
    assert.equal((await admin.call('POST /v1/recheck', json({ org: 'acme' }, 'POST'))).status, 200);
  };

  service.roles.set('ada acme/plan', 'editor');
  await recheck();
  assert.equal((await ada.call(`PUT ${PLAN}`, json({ kind: 'json' }))).status, 201);
  assert.equal((await ada.call(`PATCH ${PLAN}`, patch(set(1)))).status, 200);
  const socket = await WireClient.connect(t, node.socketUrl);
  socket.send({ type: 'hello', client: 'client-1234', token });
  await socket.next('welcome');
  assert.equal((await socket.open('acme/plan')).role, 'editor');
  assert.equal((await socket.submit('acme/plan', 1, set(2))).type, 'commit');
  // The token names no document, so its lists are empty. One with a pattern shows what the service allows.
  assert.deepEqual((await ada.call('GET /v1/docs/acme')).body, { docs: [] });
  const wide = nobody.as(await tokenOf('ada', { 'acme/*': 'viewer' }));
  const { docs } = (await wide.call('GET /v1/docs/acme')).body as { docs: { doc: string }[] };
  assert.deepEqual(
    docs.map(({ doc }) => doc),
    ['acme/plan'],
  );

  service.roles.set('ada acme/plan', 'viewer');
  await recheck();
  assert.equal((await socket.next('role')).role, 'viewer');
  assert.equal((await socket.submit('acme/plan', 2, set(3))).code, 'forbidden');
  assert.equal((await ada.call(`PATCH ${PLAN}`, patch(set(3)))).refused, '403 forbidden');
  assert.deepEqual((await ada.call(`GET ${PLAN}`)).body.content, { n: 2 });

  service.roles.delete('ada acme/plan');
  await recheck();
  assert.equal((await socket.next('closed')).code, 'forbidden');
  assert.equal((await ada.call(`GET ${PLAN}`)).refused, '404 not-found');
  assert.deepEqual((await wide.call('GET /v1/docs/acme')).body, { docs: [] });

  service.stop();
  socket.send({ type: 'open', doc: 'acme/other' });
  const error = await socket.next('error');
  assert.deepEqual([error.code, error.retryable], ['unavailable', true]);
  const away = await ada.call('GET /v1/docs/acme/other');
  assert.equal(away.refused, '503 unavailable');
  assert.ok(Number(away.headers.get('retry-after')) >= 1);
});

test('LIMIT-4 writes over HTTP count for the quota of their organisation, and reads and other organisations do not', async (t) => {
  const node = await startTestNode(t, { config: { quotas: { organisation: { editBytes: '1KiB' } } } });
  const api = await Api.of(node.url);
  for (const org of ['acme', 'other'])
    assert.equal((await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json' }))).status, 201);
  const large = patch([{ op: 'add', path: '/text', value: 'x'.repeat(100_000) }]);
  assert.equal((await api.call(`PATCH ${PLAN}`, large)).status, 200);
  const refused = await api.call(`PATCH ${PLAN}`, patch(set(1)));
  assert.equal(refused.refused, '429 rate-limited');
  assert.ok(Number(refused.headers.get('retry-after')) >= 10, 'the bytes of a hundred seconds were taken');
  assert.equal((await api.call(`GET ${PLAN}`)).status, 200);
  assert.equal((await api.call('PATCH /v1/docs/other/plan', patch(set(1)))).status, 200);
});
