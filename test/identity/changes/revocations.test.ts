// The revocations that a node knows, at a time that the test controls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Revocations } from '../../../src/identity/changes/revocations.ts';
import type { RightsChange } from '../../../src/identity/store.ts';
import { EVERYONE, type User } from '../../../src/identity/user.ts';
import { endsUser } from '../../../src/identity/users.ts';

const MINUTE = 60_000;
const ada: User = { ...EVERYONE, sub: 'ada', issuedAt: 1_000, tokenId: 'token-1', login: 'login-1' };

const CASES: readonly (readonly [change: RightsChange, user: User, isRevoked: boolean])[] = [
  [{ kind: 'user', sub: 'ada', beforeMs: 1_001 }, ada, true],
  [{ kind: 'user', sub: 'ada', beforeMs: 1_000 }, ada, false],
  [{ kind: 'user', sub: 'eve', beforeMs: 2_000 }, ada, false],
  [{ kind: 'token', tokenId: 'token-1' }, ada, true],
  [{ kind: 'token', tokenId: 'token-2' }, ada, false],
  [{ kind: 'token', tokenId: 'undefined' }, { ...ada, tokenId: undefined }, false],
  [{ kind: 'login', login: 'login-1' }, ada, true],
  [{ kind: 'login', login: 'login-2' }, ada, false],
  [{ kind: 'login', login: 'undefined' }, { ...ada, login: undefined }, false],
  [{ kind: 'recheck', org: 'acme', doc: undefined, sub: 'ada' }, ada, false],
];

test('REVOKE-1 a revocation ends the tokens that it names, for new sockets and for open ones alike', () => {
  for (const [change, user, isRevoked] of CASES) {
    const known = new Revocations(() => 0);
    known.take(change, MINUTE);
    assert.equal(known.isRevoked(user), isRevoked, JSON.stringify(change));
    assert.equal(endsUser(change, user), isRevoked, JSON.stringify(change));
  }
});

test('REVOKE-1 of two revocations of a user the later time counts, in whichever order they come', () => {
  for (const order of [
    [500, 2_000],
    [2_000, 500],
  ]) {
    const known = new Revocations(() => 0);
    for (const beforeMs of order) known.take({ kind: 'user', sub: 'ada', beforeMs }, MINUTE);
    assert.ok(known.isRevoked(ada));
  }
});

test('REVOKE-2 revocations that concern no token any more leave memory', () => {
  let now = 0;
  const known = new Revocations(() => now);
  for (let i = 0; i < 10_000; i++) {
    now += 1_000;
    known.take({ kind: 'token', tokenId: `t${i}` }, MINUTE);
    known.take({ kind: 'user', sub: `u${i}`, beforeMs: 1 }, MINUTE);
    known.take({ kind: 'login', login: `l${i}` }, MINUTE);
    assert.ok(known.size < 1_500, String(known.size));
  }
});
