// Sockets of pages that have logged in: upgrades with the cookie of a session, over real sockets and the node's database.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { LOGIN_COOKIE } from '../../../src/identity/logins/login-cookie.ts';
import { Logins } from '../../../src/identity/logins/logins.ts';
import { PostgresIdentityStore } from '../../../src/identity/store-postgres.ts';
import { userOfClaims } from '../../../src/identity/tokens/token-user.ts';
import { TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';
import { FileNode, outcome } from './contract.ts';

const file = new FileNode({
  listen: { origins: ['https://app.example.com'] },
  auth: { mode: 'jwt', graceMs: 0, jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } },
});

/** Another process that knows the same database, as another node does. */
async function loginElsewhere(t: TestContext) {
  const store = new PostgresIdentityStore({ url: file.node.storageUrl });
  t.after(() => store.close());
  const logins = new Logins({
    freshMs: 60_000,
    idleMs: 60_000,
    lifeMs: 60_000,
    most: 10,
    store,
    userOf: (claims) => userOfClaims(claims, { issuedAt: Number(claims.iat) * 1000, expiresAt: 0 }),
    time: Date.now,
    randomBytes,
    onEnded: () => undefined,
    onReuse: () => undefined,
  });
  const user = userOfClaims({ sub: 'ada', docs: { 'acme/*': 'editor' } }, { issuedAt: 0, expiresAt: 0 });
  assert.ok(!('code' in user));
  const answer = await logins.begin(user);
  assert.ok('cookie' in answer);
  return { logins, cookie: answer.cookie ?? '' };
}

/** The outcomes of hello and open on a socket that is upgraded with these headers. */
async function outcomes(
  t: TestContext,
  headers: Record<string, string>,
  token?: string,
): Promise<readonly unknown[]> {
  const socket = new WebSocket(file.url, 'troupe.v1.json', { headers });
  socket.on('error', () => undefined);
  t.after(() => socket.terminate());
  const came: unknown[] = [];
  const refused = new Promise<unknown>((done) =>
    socket.once('unexpected-response', (_request, { statusCode }) => done(statusCode)),
  );
  const opened = new Promise((done) => socket.once('open', () => done('open')));
  const status = await Promise.race([refused, opened]);
  if (status !== 'open') return [status];
  const ended = new Promise((done) => socket.once('close', done));
  socket.on('message', (data) => {
    came.push(outcome(JSON.parse(String(data))));
    if (came.length === 2) socket.close();
  });
  socket.send(JSON.stringify({ type: 'hello', client: file.newClient(), token }));
  socket.send(JSON.stringify({ type: 'open', doc: file.newDoc(), kind: 'json' }));
  await ended;
  return came;
}

test('LOGIN-9 a cookie opens a socket for allowed pages, and for programs', async (t) => {
  const { cookie } = await loginElsewhere(t);
  const header = { cookie: `a=b; ${LOGIN_COOKIE}=${cookie}` };
  const own = `http://127.0.0.1:${file.node.port}`;
  for (const [headers, expected] of [
    [{ ...header, origin: own }, ['welcome', 'opened']],
    [{ ...header, origin: 'https://app.example.com' }, ['welcome', 'opened']],
    [{ ...header, origin: 'https://evil.example.com' }, [403]],
    [{ ...header, origin: 'null' }, [403]],
    [header, ['welcome', 'opened']],
    [{ cookie: `${LOGIN_COOKIE}=nonsense`, origin: own }, ['error unauthenticated']],
    [{ cookie: `${LOGIN_COOKIE}=nonsense` }, ['error unauthenticated']],
    [{ origin: own }, ['error unauthenticated']],
    [
      { cookie: `${LOGIN_COOKIE}=${cookie.replace(/\..*/, `.${'x'.repeat(43)}`)}`, origin: own },
      ['error unauthenticated'],
    ],
    [{ ...header, origin: own }, ['error unauthenticated']],
  ] as const)
    assert.deepEqual(await outcomes(t, headers), expected, JSON.stringify(headers));
});

test('LOGIN-9 a token counts before the cookie, in hello and in the header', async (t) => {
  const { cookie } = await loginElsewhere(t);
  const headers = {
    cookie: `${LOGIN_COOKIE}=${cookie}`,
    origin: `http://127.0.0.1:${file.node.port}`,
  };
  const eve = await tokenOf('eve', { 'other/*': 'owner' });
  assert.deepEqual(await outcomes(t, headers, eve), ['welcome', 'error not-found']);
  const both = { ...headers, authorization: `Bearer ${eve}` };
  assert.deepEqual(await outcomes(t, both), ['welcome', 'error not-found']);
  assert.deepEqual(await outcomes(t, headers, 'wrong'), ['error unauthenticated']);
});

test('LOGIN-7 a session that is ended elsewhere closes its socket here, also without a hint', async (t) => {
  const { logins, cookie } = await loginElsewhere(t);
  const headers = {
    cookie: `${LOGIN_COOKIE}=${cookie}`,
    origin: `http://127.0.0.1:${file.node.port}`,
  };
  const socket = new WebSocket(file.url, 'troupe.v1.json', { headers });
  t.after(() => socket.terminate());
  await new Promise((done) => socket.once('open', done));
  const closed = new Promise((done) => socket.once('close', done));
  const welcomed = new Promise((done) => socket.once('message', done));
  socket.send(JSON.stringify({ type: 'hello', client: file.newClient() }));
  await welcomed;
  assert.equal(await logins.end(cookie), 'ended');
  assert.equal(await closed, 4401);
});
