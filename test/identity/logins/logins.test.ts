// Logins of browsers on a real database: cookies, their refresh, what a copied cookie brings, and the end. The time of the
// database cannot be moved, so a test that needs a past time moves the row.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import type { Unidentified } from '../../../src/identity/identity.ts';
import {
  loginCookieOf,
  parseLoginCookie,
  setLoginCookie,
} from '../../../src/identity/logins/login-cookie.ts';
import { type LoginAnswer, Logins, REUSE_MS } from '../../../src/identity/logins/logins.ts';
import { PostgresIdentityStore } from '../../../src/identity/store-postgres.ts';
import { userOfClaims } from '../../../src/identity/tokens/token-user.ts';
import type { User } from '../../../src/identity/user.ts';
import { freshDatabase } from '../../support/postgres.ts';

const MINUTE = 60_000;
const SPANS = { freshMs: MINUTE, idleMs: 10 * MINUTE, lifeMs: 30 * MINUTE };

const userOf = (claims: object): User => {
  const user = userOfClaims({ sub: 'ada', ...claims }, { issuedAt: 0, expiresAt: 0 });
  assert.ok(!('code' in user));
  return user;
};

async function start(t: TestContext, most = 3) {
  const url = await freshDatabase(t);
  const store = new PostgresIdentityStore({ url });
  const sql = postgres(url, { max: 1, fetch_types: false });
  t.after(() => Promise.all([store.close(), sql.end()]));
  const ended: string[] = [];
  const reused: string[] = [];
  const logins = new Logins({
    ...SPANS,
    most,
    store,
    userOf: (claims) => userOfClaims(claims, { issuedAt: Number(claims.iat) * 1000, expiresAt: 0 }),
    time: Date.now,
    randomBytes,
    onEnded: (login) => void ended.push(login),
    onReuse: (sub) => void reused.push(sub),
  });
  const begin = async (user = userOf({})): Promise<LoginAnswer & { cookie: string }> => {
    const answer = good(await logins.begin(user));
    assert.ok(answer.cookie !== undefined);
    return { ...answer, cookie: answer.cookie };
  };
  /** Everything of the logins happened this much earlier. */
  const age = (ms: number) =>
    sql`UPDATE login SET (began, rotated, fresh_until, idle_until) =
      (SELECT began - i, rotated - i, fresh_until - i, idle_until - i FROM (SELECT ${`${ms} ms`}::interval AS i) x)`;
  return { logins, store, sql, begin, age, ended, reused };
}

function good<T extends object>(answer: T | Unidentified): T {
  assert.ok(!('retryAfterMs' in answer), JSON.stringify(answer));
  return answer;
}

const codeOf = (answer: object | string): unknown =>
  typeof answer === 'object' && 'code' in answer ? answer.code : answer;

test('LOGIN-1 a cookie opens as the user of the token, with its claims, until it has to be refreshed', async (t) => {
  const { logins, begin, age } = await start(t);
  const user = userOf({ name: 'Ada', admin: true, jti: 'token-1', docs: { 'acme/*': 'editor' }, other: [1] });
  const { cookie, expiresAt, cookieMs } = await begin(user);
  const left = expiresAt - Date.now();
  assert.ok(left > 0 && left <= SPANS.freshMs, String(left));
  assert.ok(cookieMs > SPANS.freshMs && cookieMs <= SPANS.idleMs, String(cookieMs));
  const found = good(await logins.use(cookie));
  assert.deepEqual([found.sub, found.name, found.isAdmin, found.tokenId], ['ada', 'Ada', true, 'token-1']);
  assert.deepEqual([found.roleIn('acme/x'), found.roleIn('other/x')], ['editor', undefined]);
  assert.deepEqual(found.claims.other, [1]);
  assert.ok(found.login !== undefined && found.expiresAt > Date.now());
  assert.equal(good(await logins.renew(found.login)).sub, 'ada');
  await age(SPANS.freshMs);
  assert.deepEqual(codeOf(await logins.use(cookie)), 'unauthenticated');
  assert.deepEqual(codeOf(await logins.renew(found.login)), 'unauthenticated');
  assert.equal(good(await logins.look(cookie)).user.sub, 'ada', 'a page may still ask for its login');
});

test('LOGIN-2 the database has nothing of which a cookie could be made', async (t) => {
  const { begin, logins, sql } = await start(t);
  const first = await begin();
  const { cookie } = good(await logins.refresh(first.cookie));
  const [row] = await sql`SELECT login::text AS text FROM login`;
  for (const value of [first.cookie, cookie]) {
    const parts = parseLoginCookie(value ?? '');
    assert.ok(parts);
    for (const part of [parts.selector, parts.secret])
      for (const form of ['hex', 'base64url', 'base64', 'latin1'] as const)
        assert.ok(!String(row?.text).includes(part.toString(form)), form);
  }
});

test('LOGIN-3 a refresh replaces the cookie, and the former one is good for a moment', async (t) => {
  const { begin, logins, age } = await start(t);
  const first = await begin();
  await age(SPANS.freshMs);
  const second = good(await logins.refresh(first.cookie));
  assert.ok(second.cookie !== undefined && second.cookie !== first.cookie);
  assert.ok(second.expiresAt > Date.now());
  assert.equal(second.csrf, first.csrf);
  assert.equal(good(await logins.use(second.cookie)).sub, 'ada');
  assert.equal(good(await logins.use(first.cookie)).sub, 'ada', 'requests may be on their way');
});

test('LOGIN-3 two windows that refresh at once get the same cookie, and so does a refresh whose answer was lost', async (t) => {
  const { begin, logins, reused } = await start(t);
  const { cookie } = await begin();
  const answers = await Promise.all([1, 2, 3].map(() => logins.refresh(cookie)));
  const cookies = new Set(answers.map((answer) => good(answer).cookie));
  assert.equal(cookies.size, 1);
  assert.equal(good(await logins.refresh(cookie)).cookie, [...cookies][0]);
  assert.deepEqual(reused, []);
});

test('LOGIN-4 a copy of an old cookie ends the login for everybody who has it', async (t) => {
  for (const act of ['use', 'refresh', 'look'] as const) {
    const { begin, logins, age, ended, reused } = await start(t);
    const stolen = (await begin()).cookie;
    const { cookie = '' } = good(await logins.refresh(stolen));
    await age(REUSE_MS);
    assert.equal(good(await logins.use(cookie)).sub, 'ada');
    assert.equal(codeOf(await logins[act](stolen)), 'unauthenticated');
    assert.equal(codeOf(await logins.use(cookie)), 'unauthenticated');
    assert.equal(codeOf(await logins.refresh(cookie)), 'unauthenticated');
    assert.deepEqual([ended.length, reused], [1, ['ada']]);
  }
});

test('LOGIN-4 a thief who refreshes first is found out when the owner comes', async (t) => {
  const { begin, logins, age } = await start(t);
  const { cookie } = await begin();
  const thief = good(await logins.refresh(cookie)).cookie ?? '';
  await age(REUSE_MS);
  assert.equal(codeOf(await logins.refresh(cookie)), 'unauthenticated');
  assert.equal(codeOf(await logins.use(thief)), 'unauthenticated');
});

test('LOGIN-5 a login ends when it is idle, and at its longest life however often it is refreshed', async (t) => {
  const { begin, logins, age } = await start(t);
  const idle = await begin();
  await age(SPANS.idleMs);
  assert.equal(codeOf(await logins.refresh(idle.cookie)), 'unauthenticated');
  let { cookie } = await begin();
  for (const _ of [1, 2, 3, 4]) {
    await age(SPANS.idleMs - MINUTE);
    const answer = await logins.refresh(cookie);
    if ('code' in answer) return;
    const left = answer.expiresAt - Date.now();
    assert.ok(left <= SPANS.freshMs);
    cookie = answer.cookie ?? '';
  }
  assert.fail('it lives for ever');
});

test('LOGIN-6 of too many logins of a user the oldest ends, and others keep theirs', async (t) => {
  const { begin, logins, store } = await start(t, 2);
  const other = await begin(userOf({ sub: 'bob' }));
  const all = [];
  for (const _ of [1, 2, 3]) all.push(await begin());
  const codes = [];
  for (const { cookie } of [other, ...all]) codes.push(codeOf(await logins.use(cookie)));
  assert.deepEqual(
    codes.map((code) => code === 'unauthenticated'),
    [false, true, false, false],
  );
  const { changes } = await store.recentChanges(MINUTE, undefined, 10);
  assert.deepEqual(
    changes.map(({ change }) => change.kind),
    ['login'],
  );
});

test('LOGIN-7 a logout ends the login once, and every node is told', async (t) => {
  const { begin, logins, store, ended } = await start(t);
  const { cookie } = await begin();
  const { login } = good(await logins.use(cookie));
  assert.equal(await logins.end(cookie), 'ended');
  assert.equal(codeOf(await logins.end(cookie)), 'unauthenticated');
  assert.deepEqual(ended, [login]);
  const { changes } = await store.recentChanges(MINUTE, undefined, 10);
  assert.deepEqual(
    changes.map(({ change }) => change),
    [{ kind: 'login', login }],
  );
});

test('LOGIN-8 the token against cross-site requests is one of the login alone', async (t) => {
  const { begin, logins } = await start(t);
  const [own, other] = [await begin(), await begin()];
  assert.ok(logins.isCsrfOf(own.cookie, own.csrf));
  for (const wrong of [other.csrf, '', undefined, `${own.csrf}x`, own.cookie])
    assert.ok(!logins.isCsrfOf(own.cookie, wrong), wrong);
});

test('LOGIN-2 text that is no cookie is refused without a question to the database', async (t) => {
  const { logins, store } = await start(t);
  await store.close();
  for (const value of [
    '',
    '.',
    'x'.repeat(5000),
    `${'a'.repeat(22)}.${'b'.repeat(42)}`,
    `${'a'.repeat(22)}.${'b'.repeat(43)}.`,
  ])
    assert.equal(codeOf(await logins.use(value)), 'unauthenticated', value.slice(0, 50));
  assert.equal(codeOf(await logins.use(`${'a'.repeat(22)}.${'b'.repeat(43)}`)), 'unavailable');
});

test('LOGIN-1 the cookie is one that scripts, other sites and plain connections do not get', () => {
  assert.equal(
    setLoginCookie('v', 60),
    '__Host-troupe=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict',
  );
});

test('LOGIN-1 of several cookies of this name none counts', () => {
  assert.equal(loginCookieOf('a=1; __Host-troupe=x.y ;b=2'), 'x.y');
  for (const header of [
    undefined,
    '',
    'a=__Host-troupe=x',
    '__Host-troupe=x; __Host-troupe=y',
    '__host-troupe=x',
  ])
    assert.equal(loginCookieOf(header), undefined, header);
});
