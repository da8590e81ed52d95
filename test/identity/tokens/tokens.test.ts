// Tokens that are signed with the shared secret: who is let in, and every way to be refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignJWT, UnsecuredJWT } from 'jose';
import { secretKey } from '../../../src/identity/tokens/token-keys.ts';
import { TokenIdentity } from '../../../src/identity/tokens/tokens.ts';
import { blocksOf } from '../../examples/blocks.ts';
import { claimsOf, newSigner, TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';

const NOW = Math.floor(Date.now() / 1000);
const identity = (options: object = {}): TokenIdentity =>
  new TokenIdentity(secretKey(TOKEN_SECRET), {
    issuer: null,
    audience: null,
    toleranceMs: 5000,
    longestMs: Number.POSITIVE_INFINITY,
    time: () => NOW * 1000,
    ...options,
  });

async function refusal(token: string | undefined, by = identity()): Promise<string> {
  const found = await by.identify(token);
  assert.ok('code' in found, 'the token is taken');
  assert.equal(found.code, 'unauthenticated');
  return found.message;
}

test('AUTH-1 a token gives a user with a name, a right to administer, an end and roles', async () => {
  const token = await tokenOf('ada', { 'acme/*': 'editor' }, { name: 'Ada', admin: true, exp: NOW + 60 });
  const user = await identity().identify(token);
  assert.ok('sub' in user);
  assert.deepEqual([user.sub, user.name, user.isAdmin], ['ada', 'Ada', true]);
  assert.equal(user.expiresAt, (NOW + 65) * 1000);
  assert.deepEqual([user.roleIn('acme/plan'), user.roleIn('other/plan')], ['editor', undefined]);
});

test('AUTH-1 AUTH-2 the claims of docs/security.md give what it says', async () => {
  const [block] = blocksOf('docs/security.md');
  assert.ok(block, 'a block');
  assert.match(block.text, /"sub": "ada"/);
  const claims = JSON.parse(block.text) as { sub: string; docs: object; exp: number };
  const { sub, docs, ...more } = claims;
  const user = await identity({ time: () => (claims.exp - 900) * 1000 }).identify(
    await tokenOf(sub, docs, more),
  );
  assert.ok('sub' in user);
  assert.deepEqual(
    ['acme/plan', 'acme/notes', 'other/plan'].map((doc) => user.roleIn(doc)),
    ['viewer', 'editor', undefined],
  );
});

test('AUTH-1 claims of other types are no name and no right to administer', async () => {
  for (const more of [{}, { name: 7, admin: 'true' }, { name: 'A\nb', admin: 1 }, { name: '', admin: {} }]) {
    const user = await identity().identify(await tokenOf('ada', {}, more));
    assert.ok('sub' in user);
    assert.deepEqual([user.name, user.isAdmin], [undefined, false]);
  }
});

test('AUTH-1 a token without signature, or with another algorithm, is refused', async () => {
  const claims = claimsOf('ada', { 'acme/*': 'owner' });
  assert.match(await refusal(new UnsecuredJWT(claims).encode()), /algorithm|cannot be read/);
  const none = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify(claims))}.`.replaceAll('=', '');
  assert.match(await refusal(none), /algorithm|cannot be read/);
  const key = new TextEncoder().encode(TOKEN_SECRET);
  for (const alg of ['HS384', 'HS512']) {
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg })
      .sign(key.length < 64 ? pad(key) : key);
    assert.match(await refusal(token), /algorithm/);
  }
  assert.match(await refusal(await (await newSigner(undefined)).sign(claims)), /algorithm/);
});

const pad = (key: Uint8Array): Uint8Array => Uint8Array.from({ length: 64 }, (_, i) => key[i] ?? 0);

test('AUTH-1 a wrong signature, and a token that was changed, are refused', async () => {
  const other = new TextEncoder().encode(`${TOKEN_SECRET}.`);
  const claims = claimsOf('ada', { 'acme/*': 'viewer' });
  assert.match(
    await refusal(await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(other)),
    /signature/,
  );
  const [header, , signature] = (await tokenOf('ada', { 'acme/*': 'viewer' })).split('.');
  const raised = Buffer.from(JSON.stringify({ ...claims, docs: { 'acme/*': 'owner' } })).toString(
    'base64url',
  );
  assert.match(await refusal(`${header}.${raised}.${signature}`), /signature/);
});

test('AUTH-1 expired, future, unlimited and nameless tokens are refused, with the tolerance of clocks', async () => {
  assert.match(await refusal(await tokenOf('ada', {}, { exp: NOW - 5 })), /expired/);
  assert.ok('sub' in (await identity().identify(await tokenOf('ada', {}, { exp: NOW - 4 }))));
  assert.match(await refusal(await tokenOf('ada', {}, { nbf: NOW + 6 })), /not valid yet/);
  assert.ok('sub' in (await identity().identify(await tokenOf('ada', {}, { nbf: NOW + 5 }))));
  assert.match(await refusal(await tokenOf('ada', {}, { exp: undefined })), /no claim exp/);
  assert.match(await refusal(await tokenOf('ada', {}, { sub: undefined })), /no claim sub/);
  for (const exp of ['9999999999', null, [9999999999]])
    assert.match(await refusal(await tokenOf('ada', {}, { exp })), /exp/);
  for (const sub of ['', 'a\nb', 'a\u0000', 'x'.repeat(256), 7, null, ['ada'], { toString: 'ada' }])
    assert.match(await refusal(await tokenOf('ada', {}, { sub })), /sub/);
});

test('AUTH-1 an end beyond all time stays a number that can be compared', async () => {
  const user = await identity().identify(await tokenOf('ada', {}, { exp: 1e300 }));
  assert.ok('sub' in user && Number.isFinite(user.expiresAt) && user.expiresAt > Date.now());
});

test('AUTH-1 where they are configured, issuer and audience are demanded', async () => {
  const strict = identity({ issuer: 'https://id.example', audience: 'troupe' });
  const iss = 'https://id.example';
  assert.ok('sub' in (await strict.identify(await tokenOf('ada', {}, { iss, aud: ['x', 'troupe'] }))));
  for (const [more, reason] of [
    [{}, /no claim/],
    [{ iss }, /no claim aud/],
    [{ aud: 'troupe' }, /no claim iss/],
    [{ iss: 'https://id.example.evil', aud: 'troupe' }, /issuer/],
    [{ iss, aud: 'troupe2' }, /audience/],
    [{ iss, aud: [] }, /audience/],
  ] as const)
    assert.match(await refusal(await tokenOf('ada', {}, more), strict), reason);
});

test('AUTH-1 text that is no token is refused without an exception, also when it is very long', async () => {
  for (const token of [
    undefined,
    '',
    '.',
    '..',
    'a.b',
    'a.b.c',
    'a.b.c.d.e',
    '\u0000',
    '😀'.repeat(10),
    'x'.repeat(1e6),
  ])
    assert.match(await refusal(token), /token/);
  const deep = `${'['.repeat(4000)}${']'.repeat(4000)}`;
  assert.match(await refusal(`${btoa(deep)}.${btoa(deep)}.aaaa`.replaceAll('=', '')), /token/);
});

test('AUTH-1 keys that a token brings along, and extensions that it demands, are not followed', async () => {
  const thief = await newSigner('thief');
  const claims = claimsOf('ada', { 'acme/*': 'owner' });
  for (const header of [
    { jwk: thief.jwk },
    { jku: 'http://127.0.0.1:9/jwks' },
    { x5u: 'http://127.0.0.1:9/' },
  ])
    assert.match(await refusal(await thief.sign(claims, header)), /algorithm|key/);
  const parts = (await tokenOf('ada')).split('.');
  const header = Buffer.from('{"alg":"HS256","crit":["x"],"x":1}').toString('base64url');
  assert.match(await refusal([header, parts[1], parts[2]].join('.')), /token/);
});

test('AUTH-2 a token whose grants are wrong is refused whole', async () => {
  assert.match(await refusal(await tokenOf('ada', { 'acme/*': 'editor', '*': 'viewer' })), /pattern/);
  assert.match(await refusal(await tokenOf('ada', { 'acme/*': 'god' })), /role/);
  assert.match(await refusal(await tokenOf('ada', ['acme/*'])), /map/);
});

test('REVOKE-2 a token is good for a limited time after it was issued, whatever its end', async () => {
  const longestMs = 3_600_000;
  const at = (now: number) => identity({ longestMs, time: () => now * 1000 });
  const end = NOW + 1e6;
  const issued = await tokenOf('ada', {}, { iat: NOW, exp: end });
  const user = await at(NOW).identify(issued);
  assert.ok('sub' in user);
  assert.deepEqual([user.issuedAt, user.expiresAt], [NOW * 1000, (NOW + 3_600) * 1000 + 5_000]);
  assert.ok('sub' in (await at(NOW + 3_604).identify(issued)));
  assert.ok('code' in (await at(NOW + 3_605).identify(issued)));
  assert.ok('code' in (await at(NOW - 6).identify(issued)), 'it was issued in the future');
  const undated = await tokenOf('ada', {}, { exp: end });
  assert.ok('code' in (await at(end - 3_606).identify(undated)), 'its beginning is not known');
  const late = await at(end - 3_600).identify(undated);
  assert.ok('sub' in late);
  assert.equal(late.issuedAt, (end - 3_600) * 1000);
});

test('AUTH-1 a jti that cannot be stored makes the token invalid', async () => {
  for (const jti of [7, '', 'x'.repeat(256), 'a\nb', null])
    assert.ok('code' in (await identity().identify(await tokenOf('ada', {}, { jti }))), String(jti));
});
