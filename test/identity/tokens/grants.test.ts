// The grants of a token: which patterns there are, and which of them decides.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Grants } from '../../../src/identity/tokens/grants.ts';

function read(claim: unknown): Grants {
  const grants = Grants.read(claim);
  assert.ok(grants instanceof Grants, String(grants));
  return grants;
}

test('AUTH-2 the most specific pattern decides, whether it raises or lowers, in any order', () => {
  const entries = [
    ['acme/*', 'editor'],
    ['acme/plan', 'viewer'],
    ['acme/plan-*', 'commenter'],
    ['acme/plan-b*', 'owner'],
    ['other/x', 'owner'],
  ];
  for (const order of [entries, entries.toReversed()]) {
    const grants = read(Object.fromEntries(order));
    assert.equal(grants.roleIn('acme/notes'), 'editor');
    assert.equal(grants.roleIn('acme/plan'), 'viewer');
    assert.equal(grants.roleIn('acme/plan2'), 'editor');
    assert.equal(grants.roleIn('acme/plan-a'), 'commenter');
    assert.equal(grants.roleIn('acme/plan-'), 'commenter');
    assert.equal(grants.roleIn('acme/plan-b'), 'owner');
    assert.equal(grants.roleIn('acme/plan-b1'), 'owner');
    assert.equal(grants.roleIn('other/x'), 'owner');
    assert.equal(grants.roleIn('other/y'), undefined);
    assert.equal(grants.roleIn('acm/notes'), undefined);
    assert.equal(grants.roleIn('acme2/notes'), undefined);
  }
});

test('AUTH-2 without grants there is no right', () => {
  for (const claim of [undefined, {}]) assert.equal(read(claim).roleIn('acme/plan'), undefined);
});

test('AUTH-2 a claim with one wrong entry grants nothing', () => {
  for (const pattern of [
    '*',
    '*/*',
    '*/plan',
    'acme',
    'acme/',
    'ac*',
    'ac*/plan',
    'acme/a*b',
    'acme/**',
    'acme/*/x',
  ])
    assert.match(String(Grants.read({ 'acme/notes': 'viewer', [pattern]: 'owner' })), /pattern/, pattern);
  for (const pattern of [
    '',
    '/',
    '/x',
    'Acme/plan',
    'acme/a/b',
    'acme/..',
    'acme/a b',
    'acme/\u0000',
    '__proto__',
  ])
    assert.match(
      String(Grants.read(JSON.parse(`{${JSON.stringify(pattern)}: "owner"}`))),
      /pattern/,
      pattern,
    );
  for (const role of ['admin', 'Owner', '', 'none', null, 1, true, ['owner'], {}, 'constructor'])
    assert.match(String(Grants.read({ 'acme/plan': role })), /role/, String(role));
  for (const claim of [null, 'acme/*', 1, ['acme/*'], true])
    assert.match(String(Grants.read(claim)), /no|not a map/, String(claim));
});

test('AUTH-2 names that objects have by themselves are organisations like any other', () => {
  const grants = read({ 'constructor/*': 'viewer' });
  assert.equal(grants.roleIn('constructor/x'), 'viewer');
  assert.equal(grants.roleIn('acme/constructor'), undefined);
  assert.equal(grants.roleIn('tostring/x'), undefined);
});
