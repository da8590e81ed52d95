// A node with `auth.mode: jwt`, over real sockets and its database: tokens in hello and at the upgrade, roles, and the
// user of each patch in the log.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';
import { WireClient } from '../../support/wire-client.ts';
import { FileNode, inBoth, outcome, query } from './contract.ts';

const file = new FileNode({
  auth: { mode: 'jwt', graceMs: 0, jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } },
});

/** A client of this user that has sent its hello and has the welcome. */
async function login(t: TestContext, token: string, client = file.newClient()) {
  const wire = await WireClient.connect(t, file.url);
  wire.send({ type: 'hello', client, token });
  const welcome = await wire.next('welcome');
  return { wire, welcome, client };
}

inBoth(
  'AUTH-1 a socket without a valid token gets unauthenticated, then 4401, and opens nothing',
  async (t, codec) => {
    for (const token of [undefined, 'x.y.z', 7, { alg: 'none' }]) {
      const wire = await file.connectSilent(t, codec);
      wire.send({ type: 'hello', client: file.newClient(), token, id: 'h' });
      wire.send({ type: 'open', doc: file.newDoc(), kind: 'json' });
      assert.equal((await wire.untilClosed()).code, 4401);
      assert.deepEqual(wire.received.map(outcome), ['error unauthenticated']);
      assert.equal(wire.received[0]?.id, 'h');
    }
  },
);

inBoth(
  'HELLO-6 HELLO-8 a token in hello lets its user in, and messages behind it are handled in order',
  async (t, codec) => {
    const wire = await file.connectSilent(t, codec);
    const doc = file.newDoc();
    wire.send({
      type: 'hello',
      client: file.newClient(),
      token: await tokenOf('ada', { 'acme/*': 'editor' }),
    });
    wire.send({ type: 'open', doc, kind: 'json' });
    wire.send({ type: 'submit', doc, seq: 1, op: [{ op: 'add', path: '/a', value: 1 }] });
    const welcome = await wire.next('welcome');
    assert.ok(
      typeof welcome.expiresInMs === 'number' && welcome.expiresInMs > 0 && welcome.expiresInMs <= 60_000,
    );
    assert.equal((await wire.next('opened')).role, 'editor');
    assert.equal((await wire.answer(doc, 1)).type, 'commit');
  },
);

test('HELLO-6 a token in the header of the upgrade lets its user in, and one in hello goes before it', async (t) => {
  const doc = file.newDoc();
  const header = `Bearer ${await tokenOf('ada', { [doc]: 'editor' })}`;
  for (const [authorization, token, outcomes] of [
    [header, undefined, ['welcome', 'opened']],
    [header.replace('Bearer', 'bEARER '), undefined, ['welcome', 'opened']],
    [header, 'wrong', ['error unauthenticated']],
    ['Bearer wrong', await tokenOf('ada', { [doc]: 'editor' }), ['welcome', 'opened']],
    [header.replace('Bearer', 'Basic'), undefined, ['error unauthenticated']],
    [`${header} x`, undefined, ['error unauthenticated']],
  ] as const) {
    const socket = new WebSocket(file.url, 'troupe.v1.json', { headers: { authorization } });
    t.after(() => socket.terminate());
    const came: unknown[] = [];
    const ended = new Promise((done) => socket.once('close', done));
    const answered = new Promise((done) => {
      socket.on('message', (data) => {
        came.push(outcome(JSON.parse(String(data))));
        if (came.length === outcomes.length) done(undefined);
      });
    });
    await new Promise((done) => socket.once('open', done));
    socket.send(JSON.stringify({ type: 'hello', client: file.newClient(), token }));
    socket.send(JSON.stringify({ type: 'open', doc, kind: 'json' }));
    await answered;
    assert.deepEqual(came, outcomes);
    socket.close();
    await ended;
  }
});

test('ROLE-1 a viewer reads, an editor creates and edits, and the log has the user of each patch', async (t) => {
  const doc = file.newDoc();
  const viewer = await login(t, await tokenOf('vic', { 'acme/*': 'viewer' }));
  viewer.wire.send({ type: 'open', doc, kind: 'json', id: 1 });
  assert.equal((await viewer.wire.next('error')).code, 'not-found', 'a viewer creates nothing');
  const editor = await login(t, await tokenOf('ada', { 'acme/*': 'editor' }));
  assert.equal((await editor.wire.open(doc, 'json')).role, 'editor');
  await editor.wire.submit(doc, 1, [{ op: 'add', path: '/a', value: 1 }]);
  const seen = await viewer.wire.open(doc, 'json');
  assert.deepEqual([seen.role, seen.snapshot], ['viewer', { a: 1 }]);
  assert.equal(outcome(await viewer.wire.submit(doc, 1, [])), 'reject forbidden');
  assert.equal(outcome(await viewer.wire.submit(doc, 1, [])), 'reject seq-used');
  viewer.wire.send({ type: 'presence', doc, data: 1 });
  assert.equal(outcome(await viewer.wire.next('error')), 'error forbidden');
  await editor.wire.submit(doc, 2, [{ op: 'add', path: '/b', value: 2 }]);
  assert.equal((await viewer.wire.next('commit')).version, 2);
  const users = await query(file.node.storageUrl, (sql) => sql`SELECT DISTINCT usr FROM patch`);
  assert.deepEqual(
    users.map(({ usr }) => usr).filter((usr) => usr === 'ada'),
    ['ada'],
  );
});

test('ROLE-1 a submit that had committed before the right was lost is acknowledged, and not rejected', async (t) => {
  const doc = file.newDoc();
  const { wire, client } = await login(t, await tokenOf('ada', { [doc]: 'editor' }));
  await wire.open(doc, 'json');
  await wire.submit(doc, 1, []);
  wire.send({ type: 'hello', client, token: await tokenOf('ada', { [doc]: 'viewer' }) });
  assert.equal((await wire.next('role')).role, 'viewer');
  assert.deepEqual(outcome(await wire.submit(doc, 1, [])), 'ack');
  assert.equal(outcome(await wire.submit(doc, 2, [])), 'reject forbidden');
  wire.send({ type: 'hello', client, token: await tokenOf('ada', { [doc]: 'editor' }) });
  assert.equal((await wire.next('role')).role, 'editor');
  assert.equal(outcome(await wire.submit(doc, 3, [])), 'commit');
});

test('NAME-3 the client id of another user opens nothing, and disturbs nobody', async (t) => {
  const doc = file.newDoc();
  const ada = await login(t, await tokenOf('ada', { [doc]: 'editor' }));
  await ada.wire.open(doc, 'json');
  await ada.wire.submit(doc, 1, []);
  const eve = await login(t, await tokenOf('eve', { [doc]: 'owner' }), ada.client);
  eve.wire.send({ type: 'open', doc, id: 1 });
  assert.equal(outcome(await eve.wire.next('error')), 'error forbidden');
  assert.equal(outcome(await ada.wire.submit(doc, 2, [])), 'commit');
  assert.deepEqual(
    ada.wire.received.filter(({ type }) => type === 'closed'),
    [],
  );
  const other = await login(t, await tokenOf('eve', { [doc]: 'owner' }));
  assert.equal((await other.wire.open(doc)).version, 2);
});

test('AUTH-5 a document of another organisation answers as if it were missing, whether it exists or not', async (t) => {
  const doc = file.newDoc();
  const ada = await login(t, await tokenOf('ada', { 'acme/*': 'owner' }));
  await ada.wire.open(doc, 'json');
  const eve = await login(t, await tokenOf('eve', { 'other/*': 'owner' }));
  const answers = [];
  for (const name of [doc, file.newDoc(), 'other/missing']) {
    eve.wire.send({ type: 'open', doc: name, id: 7 });
    const answer = await eve.wire.next('error');
    answers.push(JSON.stringify({ ...answer, doc: '' }));
  }
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  assert.match(answers[0] ?? '', /"not-found"/);
});

test('AUTH-6 an expired token ends its socket with 4401, and leaves those of others', async (t) => {
  const doc = file.newDoc();
  const soon = Math.floor(Date.now() / 1000) + 2;
  const other = await login(t, await tokenOf('bob', { [doc]: 'editor' }));
  await other.wire.open(doc, 'json');
  const { wire } = await login(t, await tokenOf('ada', { [doc]: 'editor' }, { exp: soon }));
  assert.equal((await wire.untilClosed()).code, 4401);
  assert.deepEqual(outcome(wire.received.at(-1) ?? { type: 'nothing' }), 'error unauthenticated');
  assert.ok(Date.now() >= soon * 1000);
  assert.equal(outcome(await other.wire.submit(doc, 1, [])), 'commit');
});
