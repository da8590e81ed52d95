// `troupe token`: the token that it prints lets its user in, and a node's rules hold for it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../src/cli/cli.ts';
import { secretKey } from '../../src/identity/tokens/token-keys.ts';
import { TokenIdentity } from '../../src/identity/tokens/tokens.ts';
import { TOKEN_SECRET } from '../support/tokens.ts';

/** Runs the command, with the secret from the environment. */
async function troupeToken(args: readonly string[], env = { TROUPE_AUTH_JWT_SECRET: TOKEN_SECRET }) {
  let out = '';
  let err = '';
  const code = await run(['token', ...args], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env,
  });
  return { code, out, err };
}

test('AUTH-1 a printed token has the user, the grants, the name and the time that were asked for', async () => {
  const { code, out } = await troupeToken([
    ...['ada', '--grant', 'acme/*=editor', '--grant', 'acme/plan=viewer', '--name', 'Ada L.', '--admin'],
    ...['--expires', '15m', '--set', 'auth.jwt.issuer=me', '--set', 'auth.jwt.audience=you'],
  ]);
  assert.equal(code, 0);
  const identity = new TokenIdentity(secretKey(TOKEN_SECRET), {
    issuer: 'me',
    audience: 'you',
    toleranceMs: 0,
    longestMs: Number.POSITIVE_INFINITY,
    time: Date.now,
  });
  const user = await identity.identify(out.trim());
  assert.ok('sub' in user, JSON.stringify(user));
  assert.deepEqual([user.sub, user.name, user.isAdmin], ['ada', 'Ada L.', true]);
  assert.deepEqual(
    [user.roleIn('acme/plan'), user.roleIn('acme/x'), user.roleIn('b/x')],
    ['viewer', 'editor', undefined],
  );
  const leftMs = user.expiresAt - Date.now();
  assert.ok(leftMs > 14 * 60_000 && leftMs <= 15 * 60_000 + 1000, String(leftMs));
});

test('AUTH-2 a wrong grant, and a missing secret, are refused with one line, and no token is printed', async () => {
  for (const [args, env, reason] of [
    [['ada', '--grant', '*=editor'], undefined, /pattern/],
    [['ada', '--grant', 'acme/*=god'], undefined, /role/],
    [['ada', '--grant', 'acme/*'], undefined, /PATTERN=ROLE/],
    [['ada'], { TROUPE_AUTH_JWT_SECRET: '' }, /auth\.jwt\.secret, which is not set/],
  ] as const) {
    const { code, out, err } = await troupeToken(args, env);
    assert.notEqual(code, 0);
    assert.equal(out, '');
    assert.match(err, reason);
  }
});
