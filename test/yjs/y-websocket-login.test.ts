// The endpoint for y-websocket with `auth.mode: jwt`: where a token may stand, what a role allows, and how a socket ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { FileNode, inBoth, settledAt } from '../gateway/wire/contract.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { YwsClient } from './yws-client.ts';

const file = new FileNode({
  listen: { origins: ['https://app.example.com'] },
  auth: { mode: 'jwt', graceMs: 60_000, jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } },
});

const api = async (path: string, token: string, body?: object): Promise<Response> => {
  const response = await fetch(new URL(`v1/${path}`, file.node.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${path} ${response.status}`);
  return response;
};

test('YWS-2 a token in the query, in the header, or behind a cookie of an allowed page or of a program lets its user in', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const token = await tokenOf('ada', { 'acme/*': 'editor' });
  const session = await api('session', token);
  const [cookie = ''] = (session.headers.get('set-cookie') ?? '').split(';');
  const origin = 'https://app.example.com';
  const ways: readonly (readonly [string, Record<string, string>])[] = [
    [`${doc}?token=${token}`, {}],
    [`${doc}?a=b&token=${token}`, {}],
    [doc, { authorization: `Bearer ${token}` }],
    [doc, { cookie, origin }],
    [doc, { cookie }],
  ];
  for (const [path, headers] of ways) {
    const client = await YwsClient.connect(t, port, path, headers);
    await client.sync();
    client.insert('x');
    await client.next('update');
  }
});

test('YWS-2 ORIGIN-1 an upgrade from another page is refused with 403', async (t) => {
  const { port } = file.node;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/yjs/${file.newDoc()}`, {
    headers: { origin: 'https://evil.example' },
  });
  t.after(() => socket.terminate());
  socket.on('error', () => undefined);
  const [, response] = await once(socket, 'unexpected-response');
  assert.equal(response.statusCode, 403);
});

test('AWARE-2 a number is not taken from a client of another user, and passes to one of the same user', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const connect = async (sub: string): Promise<YwsClient> =>
    YwsClient.connect(t, port, `${doc}?token=${await tokenOf(sub, { 'acme/*': 'editor' })}`);
  const synced = async (sub: string): Promise<YwsClient> => {
    const client = await connect(sub);
    await client.sync();
    return client;
  };
  const [ada, bob, eve] = [await synced('ada'), await synced('bob'), await connect('eve')];
  ada.aware({ yjsClient: 7, clock: 1, text: '{"at":1}' });
  await bob.state(7, '{"at":1}');
  // One forges the number in its first message, the other once the document is open.
  eve.aware({ yjsClient: 7, clock: 99, text: '{"at":"forged"}' });
  await eve.sync();
  const joe = await synced('joe');
  for (const forger of [eve, joe]) {
    forger.aware({ yjsClient: 7, clock: 100, text: '{"at":"forged"}' });
    forger.insert('x');
    await forger.next('update');
  }
  ada.aware({ yjsClient: 7, clock: 2, text: '{"at":2}' });
  await bob.state(7, '{"at":2}');
  // The page of ada connects anew, before its first socket is known to be lost.
  const again = await connect('ada');
  again.aware({ yjsClient: 7, clock: 2, text: '{"at":2}' });
  await again.sync();
  await again.state(7, null);
  again.aware({ yjsClient: 7, clock: 3, text: '{"at":3}' });
  await bob.state(7, '{"at":3}');
  ada.socket.terminate();
  joe.aware({ yjsClient: 7, clock: 200, text: '{"at":"forged"}' });
  joe.insert('x');
  await joe.next('update');
  again.aware({ yjsClient: 7, clock: 4, text: '{"at":4}' });
  await bob.state(7, '{"at":4}');
  assert.equal(JSON.stringify(bob.received).includes('forged'), false);
  // Nobody has the number any more.
  again.socket.terminate();
  await bob.state(7, null);
  joe.aware({ yjsClient: 7, clock: 201, text: '{"at":5}' });
  await bob.state(7, '{"at":5}');
});

test('YWS-8 a client without a valid token, or without a right, is told and closed with 4401 or 4403', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const viewer = await tokenOf('eve', { [doc]: 'viewer' });
  const stranger = await tokenOf('eve', { 'other/*': 'owner' });
  const refused = async (query: string, code: number): Promise<void> => {
    const client = await YwsClient.connect(t, port, `${doc}${query}`);
    client.step1();
    client.insert('secret');
    await client.next('denied');
    assert.equal((await client.untilClosed()).code, code, query);
    assert.deepEqual(client.received, []);
  };
  await Promise.all([
    refused('', 4401),
    refused('?token=x.y.z', 4401),
    refused(`?token=${stranger}`, 4403),
    // The document does not exist, and a viewer does not create it.
    refused(`?token=${viewer}`, 4403),
  ]);
});

inBoth(
  'YWS-3 YWS-5 AWARE-4 a viewer reads, is not asked for anything, and is told at its first edit',
  async (t, codec) => {
    const { port } = file.node;
    const doc = file.newDoc();
    const token = await tokenOf('ada', { [doc]: 'editor' });
    const ada = await YwsClient.synced(t, port, `${doc}?token=${token}`);
    const wire = await file.connectSilent(t, codec);
    wire.send({ type: 'hello', client: file.newClient(), token });
    await wire.next('welcome');
    await wire.open(doc);
    ada.insert('read me');
    await ada.next('update');
    const eve = await YwsClient.connect(t, port, `${doc}?token=${await tokenOf('eve', { [doc]: 'viewer' })}`);
    eve.step1();
    await eve.next('step-2');
    assert.equal(eve.text, 'read me');
    eve.insert('not mine ');
    await eve.next('denied');
    eve.aware({ yjsClient: 5, clock: 1, text: '{}' });
    ada.insert(', please', 7);
    await eve.next('update');
    await settledAt(wire, doc);
    assert.equal(ada.text, 'read me, please');
    assert.equal(
      ada.received.some(({ type }) => type === 'awareness'),
      false,
    );
    assert.equal(eve.closed, undefined);
    assert.equal(
      eve.received.some(({ type }) => type === 'step-1'),
      false,
    );
  },
);

test('YWS-9 a token that ends or is revoked while the socket is open closes it with 4401', async (t) => {
  const { port } = file.node;
  const doc = file.newDoc();
  const iat = Math.floor(Date.now() / 1000) - 5;
  const short = await tokenOf('ada', { [doc]: 'editor' }, { exp: iat + 7 });
  const long = await tokenOf('bob', { [doc]: 'editor' }, { iat });
  const ada = await YwsClient.synced(t, port, `${doc}?token=${short}`);
  const bob = await YwsClient.synced(t, port, `${doc}?token=${long}`);
  assert.equal((await ada.untilClosed()).code, 4401);
  await api('revocations', await tokenOf('root', {}, { admin: true }), { sub: 'bob' });
  assert.equal((await bob.untilClosed()).code, 4401);
  const eve = await YwsClient.synced(t, port, `${doc}?token=${await tokenOf('eve', { [doc]: 'editor' })}`);
  eve.insert('open');
  await until(() => eve.received.some(({ type }) => type === 'update'));
});
