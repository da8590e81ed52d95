// The token by which a node lets itself in for its test at the start.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SelfIdentity } from '../../src/identity/self-identity.ts';
import { secretKey } from '../../src/identity/tokens/token-keys.ts';
import { TokenIdentity } from '../../src/identity/tokens/tokens.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';

const users = new TokenIdentity(secretKey(TOKEN_SECRET), {
  issuer: null,
  audience: null,
  toleranceMs: 0,
  longestMs: Number.POSITIVE_INFINITY,
  time: Date.now,
});
const subOf = async (identity: SelfIdentity, token: string | undefined): Promise<string> => {
  const found = await identity.identify(token);
  return 'sub' in found ? found.sub : found.code;
};

test('AUTH-1 the token of a node opens one document, as a viewer, until its test has ended', async () => {
  const identity = new SelfIdentity(users, 'troupe/self-test');
  const user = await identity.identify(identity.token);
  assert.ok('sub' in user);
  assert.deepEqual(
    ['troupe/self-test', 'troupe/self-test2', 'acme/plan'].map((doc) => user.roleIn(doc)),
    ['viewer', undefined, undefined],
  );
  assert.equal(user.isAdmin, false);
  for (const token of [undefined, '', identity.token.slice(1), `${identity.token}x`, 'é'.repeat(43)])
    assert.equal(await subOf(identity, token), 'unauthenticated');
  assert.equal(await subOf(new SelfIdentity(users, 'a/b'), identity.token), 'unauthenticated');
  assert.equal(await subOf(identity, await tokenOf('ada')), 'ada', 'users come in as always');
  assert.deepEqual([identity.isOwn(identity.token), identity.isOwn(await tokenOf('ada'))], [true, false]);
  identity.end();
  assert.equal(identity.isOwn(identity.token), false);
  assert.equal(await subOf(identity, identity.token), 'unauthenticated');
  assert.equal(await subOf(identity, await tokenOf('ada')), 'ada');
});
