// Sessions and revocations over HTTP, on a real node with login: the cookie, its refresh, writes by it, and the end of
// sockets. A client here is as careful as a browser: it keeps one cookie, and sends it back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { FileNode, outcome } from '../gateway/wire/contract.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { WireClient } from '../support/wire-client.ts';

const file = new FileNode({
  auth: { mode: 'jwt', graceMs: 0, jwt: { secret: TOKEN_SECRET, toleranceMs: 0 } },
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

class Browser {
  cookie: string | undefined;

  async call(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: unknown,
  ): Promise<Answer> {
    const response = await fetch(new URL(`v1/${path}`, file.node.url), {
      method,
      headers: {
        ...(this.cookie === undefined ? {} : { cookie: this.cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const set = response.headers.get('set-cookie');
    if (set !== null) this.cookie = /Max-Age=0;/.test(set) ? undefined : set.slice(0, set.indexOf(';'));
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
      headers: response.headers,
    };
  }

  /** Begins a session, and returns its csrf. */
  async login(token: string): Promise<string> {
    const { status, body } = await this.call('POST', 'session', { authorization: `Bearer ${token}` });
    assert.equal(status, 200, JSON.stringify(body));
    return String(body.csrf);
  }

  /** A socket of a page of this node, that has its welcome. */
  async socket(t: { after(close: () => void): void }): Promise<WebSocket> {
    const origin = new URL(file.node.url).origin;
    const socket = new WebSocket(file.url, 'troupe.v1.json', {
      headers: { origin, cookie: this.cookie ?? '' },
    });
    t.after(() => socket.terminate());
    socket.on('error', () => undefined);
    await new Promise((done) => socket.once('open', done));
    const welcomed = new Promise<unknown>((done) => socket.once('message', done));
    socket.send(JSON.stringify({ type: 'hello', client: file.newClient() }));
    assert.equal(outcome(JSON.parse(String(await welcomed))), 'welcome');
    return socket;
  }
}

const closeOf = (socket: WebSocket): Promise<number> => new Promise((done) => socket.once('close', done));
const admin = (): Promise<string> => tokenOf('root', {}, { admin: true });
const bearer = async (token: Promise<string>) => ({ authorization: `Bearer ${await token}` });

test('LOGIN-1 LOGIN-10 a session begins with a token, and a page that was loaded anew finds it', async () => {
  const browser = new Browser();
  const { status, body, headers } = await browser.call(
    'POST',
    'session',
    await bearer(tokenOf('ada', {}, { name: 'Ada' })),
  );
  assert.equal(status, 200);
  assert.match(
    headers.get('set-cookie') ?? '',
    /^__Host-troupe=[\w-]{22}\.[\w-]{43}; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Strict$/,
  );
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.ok(Number(body.expiresAt) > Date.now());
  const seen = await browser.call('GET', 'session');
  assert.equal(seen.headers.get('set-cookie'), null);
  assert.deepEqual({ ...seen.body, expiresAt: 0 }, { ...body, expiresAt: 0 });
  assert.deepEqual([body.sub, body.name], ['ada', 'Ada']);
});

test('LOGIN-1 no session begins without a token, with a wrong one, or with the cookie of another', async () => {
  const browser = new Browser();
  for (const headers of [{}, { authorization: 'Bearer x.y.z' }])
    assert.equal((await browser.call('POST', 'session', headers)).status, 401);
  const csrf = await browser.login(await tokenOf('ada'));
  assert.equal((await browser.call('POST', 'session', { 'x-csrf-token': csrf })).status, 401);
  assert.equal((await new Browser().call('GET', 'session')).status, 401);
});

test('LOGIN-3 a refresh replaces the cookie, and two at once leave one that is good', async () => {
  const browser = new Browser();
  const csrf = { 'x-csrf-token': await browser.login(await tokenOf('ada')) };
  const first = browser.cookie;
  const answers = await Promise.all([1, 2].map(() => browser.call('POST', 'session/refresh', csrf)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.notEqual(browser.cookie, first);
  assert.equal(new Set(answers.map(({ headers }) => headers.get('set-cookie')?.split(';')[0])).size, 1);
  assert.equal((await browser.call('GET', 'session')).status, 200);
});

test('LOGIN-8 a write by cookie alone needs the csrf of its session, and a read does not', async () => {
  const browser = new Browser();
  const own = await browser.login(await admin());
  const foreign = await new Browser().login(await admin());
  const body = { jti: 'some-token' };
  for (const [headers, status] of [
    [{}, 403],
    [{ 'x-csrf-token': '' }, 403],
    [{ 'x-csrf-token': foreign }, 403],
    [{ 'x-csrf-token': own }, 200],
  ] as const) {
    assert.equal((await browser.call('POST', 'revocations', headers, body)).status, status);
    const refresh = await browser.call('POST', 'session/refresh', headers);
    assert.equal(refresh.status, status);
  }
  assert.equal((await browser.call('DELETE', 'session')).status, 403);
  assert.equal((await browser.call('GET', 'session')).status, 200);
  const both = { ...(await bearer(admin())) };
  assert.equal((await browser.call('POST', 'revocations', both, body)).status, 200, 'a token needs no csrf');
});

test('ORIGIN-1 a page of another origin gets nothing by a cookie', async () => {
  const browser = new Browser();
  const csrf = await browser.login(await admin());
  for (const [method, path] of [
    ['GET', 'session'],
    ['POST', 'session/refresh'],
    ['DELETE', 'session'],
    ['POST', 'revocations'],
  ] as const) {
    const headers = { origin: 'https://evil.example.com', 'x-csrf-token': csrf };
    const { status, body } = await browser.call(method, path, headers, method === 'POST' ? {} : undefined);
    assert.deepEqual([status, body.code], [403, 'forbidden'], `${method} ${path}`);
  }
  assert.equal((await browser.call('GET', 'session')).status, 200);
});

test('LOGIN-7 a logout closes the sockets of the session with 4401, and those of no other', async (t) => {
  const [browser, other] = [new Browser(), new Browser()];
  const csrf = await browser.login(await tokenOf('ada', { 'acme/*': 'editor' }));
  await other.login(await tokenOf('ada', { 'acme/*': 'editor' }));
  const [mine, too, another] = [await browser.socket(t), await browser.socket(t), await other.socket(t)];
  const closed = Promise.all([closeOf(mine), closeOf(too)]);
  const { status } = await browser.call('DELETE', 'session', { 'x-csrf-token': csrf });
  assert.deepEqual([status, browser.cookie], [204, undefined]);
  assert.deepEqual(await closed, [4401, 4401]);
  assert.equal(another.readyState, WebSocket.OPEN);
});

test('LOGIN-4 an old cookie that comes back ends the session and its sockets', async (t) => {
  const browser = new Browser();
  const csrf = { 'x-csrf-token': await browser.login(await tokenOf('ada')) };
  const stolen = browser.cookie;
  for (let i = 0; i < 2; i++) await browser.call('POST', 'session/refresh', csrf);
  const closed = closeOf(await browser.socket(t));
  const thief = new Browser();
  thief.cookie = stolen;
  assert.equal((await thief.call('GET', 'session')).status, 401);
  assert.equal(thief.cookie, undefined);
  assert.equal(await closed, 4401);
  assert.equal((await browser.call('POST', 'session/refresh', csrf)).status, 401);
});

test('REVOKE-1 REVOKE-4 a revoked user loses sockets, tokens and sessions, and comes back with a newer token', async (t) => {
  const iat = Math.floor(Date.now() / 1000) - 5;
  const old = await tokenOf('mallory', { 'acme/*': 'editor' }, { iat });
  const browser = new Browser();
  await browser.login(old);
  const wire = await WireClient.connect(t, file.url);
  wire.send({ type: 'hello', client: file.newClient(), token: old });
  await wire.next('welcome');
  const byCookie = closeOf(await browser.socket(t));
  const before = (iat + 1) * 1000;
  const made = await browser.call('POST', 'revocations', await bearer(admin()), { sub: 'mallory', before });
  assert.deepEqual([made.status, made.body], [200, { sub: 'mallory', before }]);
  assert.equal((await wire.untilClosed()).code, 4401);
  assert.deepEqual(wire.received.map(outcome), ['error unauthenticated']);
  assert.equal(await byCookie, 4401);
  const again = await WireClient.connect(t, file.url);
  again.send({ type: 'hello', client: file.newClient(), token: old });
  assert.equal((await again.untilClosed()).code, 4401);
  assert.equal((await browser.call('POST', 'session', { authorization: `Bearer ${old}` })).status, 401);
  const newer = await tokenOf('mallory', {}, { iat: iat + 1 });
  assert.equal((await browser.call('POST', 'session', { authorization: `Bearer ${newer}` })).status, 200);
});

test('REVOKE-3 the time of a revocation is in ms, in s or ISO 8601, and has no effect for one token', async () => {
  const browser = new Browser();
  const iat = Math.floor(Date.now() / 1000) - 60;
  const before = (iat + 1) * 1000;
  for (const [sub, written] of [
    ['of-s', iat + 1],
    ['of-ms', before],
    ['of-text', new Date(before).toISOString()],
  ] as const) {
    const made = await browser.call('POST', 'revocations', await bearer(admin()), { sub, before: written });
    assert.deepEqual([made.status, made.body], [200, { sub, before }], sub);
    for (const [issued, status] of [
      [iat, 401],
      [iat + 1, 200],
    ] as const) {
      const authorization = `Bearer ${await tokenOf(sub, {}, { iat: issued })}`;
      assert.equal(
        (await browser.call('POST', 'session', { authorization })).status,
        status,
        `${sub} ${issued}`,
      );
    }
  }
  const one = { jti: 'the-one', before: 5 };
  assert.equal((await browser.call('POST', 'revocations', await bearer(admin()), one)).status, 200);
  const authorization = `Bearer ${await tokenOf('dan', {}, { jti: 'the-one' })}`;
  assert.equal((await browser.call('POST', 'session', { authorization })).status, 401);
});

test('REVOKE-3 only administrators revoke, and a request that is wrong changes nothing', async () => {
  const browser = new Browser();
  const root = await bearer(admin());
  for (const [headers, body, status] of [
    [{}, { sub: 'bob' }, 401],
    [await bearer(tokenOf('ada', { 'acme/*': 'owner' })), { sub: 'bob' }, 403],
    [root, {}, 400],
    [root, { sub: 'bob', jti: 'x' }, 400],
    [root, { sub: '' }, 400],
    [root, { sub: 'a\nb' }, 400],
    [root, { sub: 7 }, 400],
    [root, { sub: 'bob', before: Date.now() + 1e9 }, 400],
    [root, { sub: 'bob', before: -1 }, 400],
    [root, { sub: 'bob', before: 'yesterday' }, 400],
  ] as const) {
    assert.equal(
      (await browser.call('POST', 'revocations', headers, body)).status,
      status,
      JSON.stringify(body),
    );
  }
  await browser.login(await tokenOf('bob'));
});

test('AUTH-10 a recheck names an organisation, a document, a user', async () => {
  const browser = new Browser();
  const root = await bearer(admin());
  for (const [body, status] of [
    [{ org: 'acme' }, 200],
    [{ org: 'acme', doc: 'plan', sub: 'ada' }, 200],
    [{ org: 'ACME' }, 400],
    [{ org: 'acme', doc: 'a/b' }, 400],
    [{}, 400],
  ] as const)
    assert.equal((await browser.call('POST', 'recheck', root, body)).status, status, JSON.stringify(body));
});
