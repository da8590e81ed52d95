// Revoked tokens and ended logins at a gateway whose owners and time the test controls: what happens to the sockets that
// are open, and to whom nothing happens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOf } from '../../../actors/shard.ts';
import { type Identity, refused } from '../../../src/identity/identity.ts';
import { EVERYONE, type User } from '../../../src/identity/user.ts';
import { until } from '../../support/until.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

const DOC = 'acme/plan';
const GRACE_MS = 5_000;

/** Each token is the name of a user, and the second at which it was issued. */
function startWithUsers() {
  const logins = new Map<string, User>();
  const identity: Identity = {
    identify: async (token = '') => {
      const [, sub = '', at] = /^(\w+)@(\d+)$/.exec(token) ?? [];
      if (at === undefined) return logins.get(token) ?? refused('no such token');
      return { ...EVERYONE, sub, issuedAt: Number(at) * 1_000, tokenId: token };
    },
    renew: async (user) => logins.get(user.login ?? '') ?? refused('the login has ended'),
  };
  const started = startGateway({ identity, graceMs: GRACE_MS });
  const owner = new Owner();
  started.place([shardOf(DOC)], owner);
  type Client = ReturnType<typeof started.connect>;
  let names = 0;
  const connect = async (token: string): Promise<Client> => {
    const client = started.connect(`client-${++names}`, token);
    await until(() => client.answers('welcome').length === 1);
    client.send({ type: 'open', doc: DOC });
    started.gateway.messages(owner, [opened(owner.opens.at(-1))]);
    return client;
  };
  const login = (name: string, expiresAt: number): void => {
    logins.set(name, { ...EVERYONE, sub: 'ada', login: name, expiresAt });
  };
  return { ...started, owner, connect, login, logins };
}

test('REVOKE-4 a revoked token: no edits at once, commits go on, and 4401 after the grace', async () => {
  const { connect, gateway, tick, owner } = startWithUsers();
  const client = await connect('ada@10');
  const [newer, other] = [await connect('ada@20'), await connect('bob@10')];
  gateway.rightsChanged({ kind: 'user', sub: 'ada', beforeMs: 15_000 });
  const [error] = client.answers('error');
  assert.deepEqual([error?.code, error?.retryable], ['unauthenticated', true]);
  client.submit(DOC, 1);
  const [, left] = client.answers('error');
  assert.deepEqual([left?.code, left?.seq, left?.retryable], ['unavailable', 1, true]);
  assert.deepEqual(owner.submits, []);
  tick(GRACE_MS - 1);
  gateway.rightsChanged({ kind: 'user', sub: 'ada', beforeMs: 16_000 });
  assert.equal(client.closeCode(), undefined);
  tick(1);
  assert.equal(client.closeCode(), 4401);
  for (const unharmed of [newer, other]) {
    assert.deepEqual([unharmed.answers('error'), unharmed.closeCode()], [[], undefined]);
    unharmed.submit(DOC, 1);
  }
  assert.deepEqual(owner.submits, [1, 1]);
});

test('REVOKE-4 a token that was issued later, shown within the grace, lets the socket go on', async () => {
  const { connect, gateway, tick, owner } = startWithUsers();
  const client = await connect('ada@10');
  gateway.rightsChanged({ kind: 'token', tokenId: 'ada@10' });
  client.send({ type: 'hello', client: 'client-1', token: 'ada@20' });
  await until(() => client.answers('welcome').length === 2);
  tick(10 * GRACE_MS);
  assert.equal(client.closeCode(), undefined);
  client.submit(DOC, 1);
  assert.deepEqual(owner.submits, [1]);
});

test('LOGIN-7 the sockets of a login that has ended are closed at once with 4401, and no others', async () => {
  const { connect, login, gateway } = startWithUsers();
  login('one', 60_000);
  login('two', 60_000);
  const sockets = [await connect('one'), await connect('one'), await connect('two')];
  gateway.rightsChanged({ kind: 'login', login: 'one' });
  assert.deepEqual(
    sockets.map((socket) => [socket.answers('error')[0]?.code, socket.closeCode()]),
    [
      ['unauthenticated', 4401],
      ['unauthenticated', 4401],
      [undefined, undefined],
    ],
  );
});

test('LOGIN-9 the socket of a login goes on when the login has been refreshed, and ends when it has not', async () => {
  const { connect, login, tick, timers } = startWithUsers();
  login('kept', 60_000);
  login('left', 60_000);
  const [kept, left] = [await connect('kept'), await connect('left')];
  login('kept', 120_000);
  tick(60_000);
  await until(() => left.answers('error').length === 1);
  assert.equal(left.answers('error')[0]?.code, 'unauthenticated');
  await until(() => timers() === 2);
  tick(GRACE_MS);
  assert.deepEqual([left.closeCode(), kept.closeCode()], [4401, undefined]);
  assert.deepEqual(kept.answers('error'), []);
  tick(60_000 - GRACE_MS);
  await until(() => kept.answers('error').length === 1);
});

test('LOGIN-9 a hello without a token renews the user of a login, and tells the new end', async () => {
  const { connect, login, now } = startWithUsers();
  login('one', 60_000);
  const client = await connect('one');
  login('one', 90_000);
  client.send({ type: 'hello', client: 'client-1' });
  await until(() => client.answers('welcome').length === 2);
  assert.deepEqual(
    client.answers('welcome').map(({ expiresInMs }) => expiresInMs),
    [60_000 - now(), 90_000],
  );
});

test('LOGIN-9 a login that has ended by the time of a hello is refused, and the socket ends with its time', async () => {
  const { connect, login, logins, tick } = startWithUsers();
  login('one', 60_000);
  const client = await connect('one');
  logins.delete('one');
  client.send({ type: 'hello', client: 'client-1', id: 9 });
  await until(() => client.answers('error').length === 1);
  assert.deepEqual(
    [client.answers('error')[0]?.code, client.answers('error')[0]?.id],
    ['unauthenticated', 9],
  );
  tick(60_000);
  await until(() => client.answers('error').length === 2);
  tick(GRACE_MS);
  assert.equal(client.closeCode(), 4401);
});

test('REVOKE-4 sockets that are gone are not looked at', async () => {
  const { connect, gateway } = startWithUsers();
  const client = await connect('ada@10');
  gateway.disconnected(client.session);
  gateway.rightsChanged({ kind: 'token', tokenId: 'ada@10' });
  assert.deepEqual(client.answers('error'), []);
});
