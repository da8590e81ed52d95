// The rights of tokens at a gateway whose owners and time the test controls: who is let in, what each role may do,
// renewed and expired tokens, and how a change of rights reaches the documents that are open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOSE, OPEN_FAILED, PRESENCE, refusalOf, SUBMIT } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import type { Role } from '../../../protocol/messages.ts';
import type { Identity } from '../../../src/identity/identity.ts';
import { secretKey } from '../../../src/identity/tokens/token-keys.ts';
import { TokenIdentity } from '../../../src/identity/tokens/tokens.ts';
import { EVERYONE } from '../../../src/identity/user.ts';
import { TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

const DOC = 'acme/plan';
const HERE = [shardOf(DOC), shardOf('acme/notes')];
/** Time zero is the start of the gateway. */
const MINUTE = { exp: 60 };

function startWithLogin() {
  const identity = new TokenIdentity(secretKey(TOKEN_SECRET), {
    issuer: null,
    audience: null,
    toleranceMs: 0,
    longestMs: Number.POSITIVE_INFINITY,
    time: () => started.now(),
  });
  const started = startGateway({ identity, graceMs: 5000 });
  const owner = new Owner();
  started.place(HERE, owner);
  let hellos = 0;
  type Client = ReturnType<typeof started.connect>;
  const settled = (client: Client): Promise<void> => until(() => client.session.held === undefined);
  const connect = async (token: string | undefined, name = 'client-1'): Promise<Client> => {
    const client = started.connect(name, token);
    await settled(client);
    return client;
  };
  const hello = async (client: Client, token?: string): Promise<number> => {
    client.send({ type: 'hello', client: client.session.client ?? '', id: ++hellos, token });
    await settled(client);
    return hellos;
  };
  /** A client of this role with the document open. */
  const withRole = async (role: Role, name = 'client-1'): Promise<Client> => {
    const client = await connect(await tokenOf('ada', { [DOC]: role }, MINUTE), name);
    client.send({ type: 'open', doc: DOC });
    started.gateway.messages(owner, [opened(owner.opens.at(-1))]);
    return client;
  };
  return { ...started, owner, connect, hello, withRole };
}

const presences = (owner: Owner): unknown[] => owner.heard.flatMap((m) => (m[0] === PRESENCE ? [m[3]] : []));

test('AUTH-1 without a valid token the first hello is answered unauthenticated, and the socket is closed with 4401', async () => {
  const { connect, owner } = startWithLogin();
  for (const token of [undefined, '', 'x.y.z', await tokenOf('ada', {}, { exp: -1 })]) {
    const client = await connect(token);
    const [error, ...others] = client.answers('error');
    assert.equal(error?.code, 'unauthenticated');
    assert.equal(error?.retryable, false);
    assert.deepEqual(others, []);
    assert.deepEqual(client.answers('welcome'), []);
    assert.equal(client.closeCode(), 4401);
    client.send({ type: 'open', doc: DOC });
  }
  assert.deepEqual(owner.heard, []);
});

test('HELLO-2 messages behind a hello wait until its token has been checked, and keep their order', async () => {
  const { connect, owner, gateway, now } = startWithLogin();
  const token = await tokenOf('ada', { [DOC]: 'editor' }, MINUTE);
  const connecting = connect(token);
  await connecting.then(() => undefined);
  const client = await connect(token, 'client-2');
  client.send({ type: 'hello', client: 'client-2', token });
  client.send({ type: 'open', doc: DOC, id: 'o' });
  client.submit(DOC, 1);
  client.send({ type: 'hello', client: 'client-2', token: 'wrong' });
  client.submit(DOC, 2);
  assert.deepEqual(owner.heard, [], 'nothing passes a token that is being checked');
  await until(() => owner.submits.length === 2);
  assert.deepEqual(
    owner.heard.map((message) => message[0]),
    [1, SUBMIT, SUBMIT],
  );
  assert.equal(client.answers('welcome').length, 2);
  assert.equal(client.answers('error')[0]?.code, 'unauthenticated');
  assert.ok(!client.session.closed, 'the earlier token goes on');
  assert.equal(now(), 0);
  gateway.disconnected(client.session);
});

test('HELLO-2 a socket that sends too much behind its hello is closed, and harms nobody', async () => {
  const { connect, owner } = startWithLogin();
  const token = await tokenOf('ada', { [DOC]: 'editor' }, MINUTE);
  const client = await connect(token);
  client.send({ type: 'hello', client: 'client-1', token });
  const frame = Buffer.from(JSON.stringify({ type: 'presence', doc: DOC, data: 'x'.repeat(500_000) }));
  for (let i = 0; i < 5; i++) client.send(JSON.parse(frame.toString()) as object);
  assert.equal(client.closeCode(), 1013);
  await connect(token, 'client-2');
  assert.deepEqual(owner.heard, []);
});

test('ROLE-1 the role of the grants goes to the owner, with the user for the log', async () => {
  for (const role of ['viewer', 'commenter', 'editor', 'owner'] as const) {
    const { withRole, owner } = startWithLogin();
    await withRole(role);
    assert.deepEqual(
      owner.opens.map(({ request }) => [request.role, request.user]),
      [[role, 'ada']],
    );
  }
});

test('ROLE-1 below editor a submit is rejected by the owner, which knows whether its seq had committed', async () => {
  for (const [role, code] of [
    ['viewer', 'forbidden'],
    ['commenter', 'forbidden'],
    ['editor', undefined],
    ['owner', undefined],
  ] as const) {
    const { withRole, owner } = startWithLogin();
    (await withRole(role)).submit(DOC, 1);
    const submit = owner.heard.find((message) => message[0] === SUBMIT);
    assert.ok(submit?.[0] === SUBMIT);
    assert.equal(refusalOf(submit[5])?.code, code, role);
  }
});

test('ROLE-1 a viewer has no presence', async () => {
  const { withRole, owner } = startWithLogin();
  const client = await withRole('viewer');
  client.send({ type: 'presence', doc: DOC, data: 1, id: 'p' });
  assert.deepEqual(presences(owner), []);
  const [error] = client.answers('error');
  assert.deepEqual([error?.code, error?.id, error?.doc], ['forbidden', 'p', DOC]);
  for (const role of ['commenter', 'editor', 'owner'] as const) {
    const other = startWithLogin();
    (await other.withRole(role)).send({ type: 'presence', doc: DOC, data: 1 });
    assert.deepEqual(presences(other.owner), ['1'], role);
  }
});

test('AUTH-5 a document without any right is answered like a missing one, and nobody is asked about it', async () => {
  const { connect, owner, gateway } = startWithLogin();
  const client = await connect(await tokenOf('ada', { 'acme/*': 'viewer', 'other/x*': 'owner' }, MINUTE));
  const shown = { type: 'open', kind: 'json', since: 1, history: 'h', id: 7 };
  client.send({ ...shown, doc: DOC });
  const [at] = owner.opens;
  assert.ok(at);
  gateway.messages(owner, [
    [OPEN_FAILED, at.channelId, at.subscriptionId, 'not-found', 'there is no such document'],
  ]);
  const asked = owner.heard.length;
  for (const doc of ['other/plan', 'acm/plan', 'acme2/plan']) client.send({ ...shown, doc });
  const [missing, ...hidden] = client.answers('error');
  assert.equal(hidden.length, 3);
  for (const answer of hidden)
    assert.equal(JSON.stringify(answer), JSON.stringify({ ...missing, doc: answer.doc }));
  assert.equal(owner.heard.length, asked);
  client.submit('other/plan', 1);
  client.send({ type: 'presence', doc: 'other/plan', data: 1 });
  client.send({ type: 'close', doc: 'other/plan' });
  const codes = client.answers('error').slice(4);
  assert.deepEqual(
    codes.map(({ code }) => code),
    ['not-open', 'not-open', 'not-open'],
  );
});

test('HELLO-4 a renewed token with the same grants changes nothing that is open', async () => {
  const { withRole, owner, hello } = startWithLogin();
  const client = await withRole('editor');
  const heard = owner.heard.length;
  const id = await hello(client, await tokenOf('ada', { [DOC]: 'editor' }, { exp: 120 }));
  assert.deepEqual(client.answers('welcome').at(-1)?.id, id);
  assert.deepEqual([client.answers('role'), client.answers('closed'), client.answers('error')], [[], [], []]);
  assert.equal(owner.heard.length, heard);
});

test('AUTH-7 a renewed token of another user is forbidden, and the socket keeps its user', async () => {
  const { withRole, hello, owner } = startWithLogin();
  const client = await withRole('viewer');
  const id = await hello(client, await tokenOf('eve', { [DOC]: 'owner' }, MINUTE));
  const [error] = client.answers('error');
  assert.deepEqual([error?.code, error?.id], ['forbidden', id]);
  assert.equal(client.session.user?.sub, 'ada');
  assert.ok(!client.session.closed);
  client.submit(DOC, 1);
  const submit = owner.heard.at(-1);
  assert.ok(submit?.[0] === SUBMIT && refusalOf(submit[5])?.code === 'forbidden');
});

test('AUTH-7 other grants reach open documents at once: a lower role, a higher one, and none', async () => {
  const { withRole, hello, owner } = startWithLogin();
  const client = await withRole('editor');
  client.send({ type: 'presence', doc: DOC, data: 1 });
  await hello(client, await tokenOf('ada', { [DOC]: 'viewer' }, MINUTE));
  assert.deepEqual(
    client.answers('role').map(({ doc, role }) => [doc, role]),
    [[DOC, 'viewer']],
  );
  assert.deepEqual(presences(owner), ['1', null], 'the presence of a viewer is gone');
  client.submit(DOC, 1);
  const rejected = owner.heard.at(-1);
  assert.ok(rejected?.[0] === SUBMIT && refusalOf(rejected[5])?.code === 'forbidden');

  await hello(client, await tokenOf('ada', { [DOC]: 'owner' }, MINUTE));
  assert.equal(client.answers('role').at(-1)?.role, 'owner');
  client.submit(DOC, 2);
  const taken = owner.heard.at(-1);
  assert.ok(taken?.[0] === SUBMIT && refusalOf(taken[5]) === undefined);

  await hello(client, await tokenOf('ada', { 'acme/other': 'owner' }, MINUTE));
  const [closed] = client.answers('closed');
  assert.deepEqual([closed?.doc, closed?.code], [DOC, 'forbidden']);
  assert.equal(owner.heard.at(-1)?.[0], CLOSE);
  assert.equal(client.session.open.size, 0);
  client.submit(DOC, 3);
  assert.equal(client.answers('error').at(-1)?.code, 'not-open');
  client.send({ type: 'open', doc: DOC });
  assert.equal(client.answers('error').at(-1)?.code, 'not-found');
});

test('AUTH-7 a role that changes while a document is being opened is told behind its opened', async () => {
  const { connect, hello, owner, gateway } = startWithLogin();
  const client = await connect(await tokenOf('ada', { [DOC]: 'editor' }, MINUTE));
  client.send({ type: 'open', doc: DOC });
  await hello(client, await tokenOf('ada', { [DOC]: 'viewer' }, MINUTE));
  assert.deepEqual(client.answers('role'), []);
  gateway.messages(owner, [opened(owner.opens[0])]);
  assert.deepEqual(
    client.answers('role').map(({ role }) => role),
    ['viewer'],
  );
});

test('AUTH-7 a right that is lost while a document is being opened makes the document missing', async () => {
  const { withRole, connect, hello, owner } = startWithLogin();
  const client = await connect(await tokenOf('ada', { [DOC]: 'editor' }, MINUTE), 'client-2');
  client.send({ type: 'open', doc: DOC, id: 'o' });
  await hello(client, await tokenOf('ada', {}, MINUTE));
  const [error] = client.answers('error');
  assert.deepEqual([error?.code, error?.id, error?.doc], ['not-found', 'o', DOC]);
  assert.deepEqual(client.answers('closed'), []);
  assert.equal(owner.heard.at(-1)?.[0], CLOSE);

  const again = await withRole('editor');
  again.send({ type: 'open', doc: DOC, id: 'again' });
  await hello(again, await tokenOf('ada', {}, MINUTE));
  assert.deepEqual([again.answers('error')[0]?.id, again.answers('closed')[0]?.code], ['again', 'forbidden']);
});

test('AUTH-7 a role that changes while the owner changes is the one that the next owner is told', async () => {
  const { withRole, hello, owner, place } = startWithLogin();
  const client = await withRole('editor');
  place(HERE, undefined);
  await hello(client, await tokenOf('ada', { [DOC]: 'commenter' }, MINUTE));
  const next = new Owner();
  place(HERE, next);
  assert.equal(next.opens[0]?.request.role, 'commenter');
  assert.equal(owner.opens.length, 1);
});

test('AUTH-6 an expired token is told at its time, and the socket is closed with 4401 after the grace', async () => {
  const { withRole, tick, gateway, timers } = startWithLogin();
  const client = await withRole('editor');
  assert.equal(client.answers('welcome')[0]?.expiresInMs, 60_000);
  tick(59_999);
  assert.deepEqual(client.answers('error'), []);
  tick(1);
  const [error] = client.answers('error');
  assert.deepEqual([error?.code, error?.retryable], ['unauthenticated', true]);
  tick(4999);
  assert.ok(!client.session.closed);
  tick(1);
  assert.equal(client.closeCode(), 4401);
  gateway.disconnected(client.session);
  assert.equal(timers(), 0);
});

test('AUTH-6 with an expired token edits wait, opens and presence are refused, and commits go on', async () => {
  const { withRole, hello, tick, owner } = startWithLogin();
  const client = await withRole('editor');
  tick(60_000);
  const heard = owner.heard.length;
  client.submit(DOC, 1);
  client.submit(DOC, 2);
  client.send({ type: 'open', doc: 'acme/notes', id: 'o' });
  client.send({ type: 'presence', doc: DOC, data: 1, id: 'p' });
  client.send({ type: 'ping', id: 'i' });
  assert.equal(owner.heard.length, heard);
  const told = client.answers('error').slice(1);
  assert.deepEqual(
    told.map(({ code, seq, id, retryable }) => [code, seq ?? id, retryable]),
    [
      ['unavailable', 1, true],
      ['unavailable', 2, true],
      ['unauthenticated', 'o', true],
      ['unauthenticated', 'p', true],
    ],
  );
  assert.equal(client.answers('pong').length, 1);
  await hello(client);
  assert.equal(
    client.answers('error').at(-1)?.code,
    'unauthenticated',
    'a hello without a token renews nothing',
  );
  await hello(client, await tokenOf('ada', { [DOC]: 'editor' }, { exp: 200 }));
  client.submit(DOC, 1);
  client.submit(DOC, 2);
  assert.deepEqual(owner.submits, [1, 2]);
  tick(60_000);
  assert.ok(!client.session.closed, 'the renewed token counts');
});

test('AUTH-6 a token of many years needs no timer that is too long', async () => {
  const { connect, tick } = startWithLogin();
  const years = 3 * 365 * 24 * 3600;
  const client = await connect(await tokenOf('ada', {}, { exp: years }));
  tick((years - 1) * 1000);
  assert.deepEqual(client.answers('error'), []);
  tick(1000);
  assert.equal(client.answers('error')[0]?.code, 'unauthenticated');
});

test('AUTH-4 while no key can be had a first hello is unavailable and comes back, and a renewal changes nothing', async () => {
  const known = { ...EVERYONE, sub: 'ada', expiresAt: 1e9 };
  const identity: Identity = {
    identify: async (token) =>
      token === 'known' ? known : { code: 'unavailable', message: 'no keys', retryAfterMs: 2000 },
    renew: async () => known,
  };
  const { connect } = startGateway({ identity, graceMs: 0 });
  const first = connect('client-1', 'other');
  await until(() => first.session.closed);
  assert.equal(first.closeCode(), 1013);
  const [error] = first.answers('error');
  assert.deepEqual([error?.code, error?.retryable], ['unavailable', true]);
  assert.ok((error?.retryAfterMs ?? 0) >= 2000);
  const second = connect('client-2', 'known');
  await until(() => second.answers('welcome').length === 1);
  second.send({ type: 'hello', client: 'client-2', token: 'other' });
  await until(() => second.answers('error').length === 1);
  assert.equal(second.answers('error')[0]?.code, 'unavailable');
  assert.ok(!second.session.closed);
});

test('AUTH-4 hellos are limited like opens, so that they cannot have tokens checked without end', async () => {
  const { withRole, tick } = startWithLogin();
  const client = await withRole('viewer');
  tick(10);
  for (let i = 0; i < 200; i++) {
    client.send({ type: 'hello', client: 'client-1', token: 'x' });
    await until(() => client.session.held === undefined);
  }
  const codes = client.answers('error').map(({ code }) => code);
  assert.equal(codes.filter((code) => code === 'unauthenticated').length, 100);
  assert.equal(codes.filter((code) => code === 'rate-limited').length, 100);
});
