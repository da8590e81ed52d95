// Key sets: rotation, the keys that have left, unknown keys, and sets that somebody tampers with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JWK } from 'jose';
import { Jwks } from '../../../src/identity/tokens/jwks.ts';
import { TokenIdentity } from '../../../src/identity/tokens/tokens.ts';
import { claimsOf, newSigner } from '../../support/tokens.ts';

const MINUTE = 60_000;

/** A source of keys that the test changes, and an identity that reads it on the test's clock. */
async function startSource(...keys: JWK[]) {
  const state = {
    set: { keys } as unknown,
    now: 0,
    reads: 0,
    problems: [] as string[],
    hold: Promise.resolve(),
  };
  const jwks = new Jwks({
    source: {
      name: 'the test',
      isLocal: false,
      read: async () => {
        state.reads++;
        await state.hold;
        if (state.set instanceof Error) throw state.set;
        return state.set;
      },
    },
    now: () => state.now,
    cacheMs: 10 * MINUTE,
    retiredMs: 60 * MINUTE,
    onProblem: (message) => state.problems.push(message),
  });
  await jwks.start();
  const identity = new TokenIdentity(jwks, {
    issuer: null,
    audience: null,
    toleranceMs: 0,
    longestMs: Number.POSITIVE_INFINITY,
    time: Date.now,
  });
  const outcome = async (token: string): Promise<string> => {
    const found = await identity.identify(token);
    return 'sub' in found ? found.sub : found.code;
  };
  return { state, identity, outcome };
}

const ada = () => claimsOf('ada');

test('AUTH-3 tokens of every key of the set are taken, of each algorithm', async () => {
  const signers = await Promise.all(['RS256', 'PS384', 'ES512', 'EdDSA'].map((alg) => newSigner(alg, alg)));
  const { state, outcome } = await startSource(...signers.map(({ jwk }) => jwk));
  for (const signer of signers) assert.equal(await outcome(await signer.sign(ada())), 'ada');
  assert.equal(state.reads, 1);
});

test('AUTH-3 a new key is found by the first token that names it', async () => {
  const [old, fresh] = await Promise.all([newSigner('old'), newSigner('fresh')]);
  const { state, outcome } = await startSource(old.jwk);
  state.now = MINUTE;
  state.set = { keys: [fresh.jwk] };
  assert.equal(await outcome(await fresh.sign(ada())), 'ada');
  assert.equal(state.reads, 2);
});

test('AUTH-3 a key that has left is good until its tokens have run out, and then no more', async () => {
  const [old, fresh] = await Promise.all([newSigner('old'), newSigner('fresh')]);
  const { state, outcome } = await startSource(old.jwk);
  state.now = MINUTE;
  state.set = { keys: [fresh.jwk] };
  assert.equal(await outcome(await fresh.sign(ada())), 'ada');
  const token = await old.sign(ada());
  assert.equal(await outcome(token), 'ada');
  state.now = 61 * MINUTE - 1;
  assert.equal(await outcome(token), 'ada');
  state.now = 61 * MINUTE + 1;
  assert.notEqual(await outcome(token), 'ada');
});

test('AUTH-3 keys without a name rotate, too', async () => {
  const [old, fresh] = await Promise.all([newSigner(undefined), newSigner(undefined)]);
  const { state, outcome } = await startSource(old.jwk);
  state.now = MINUTE;
  state.set = { keys: [fresh.jwk] };
  assert.equal(await outcome(await fresh.sign(ada())), 'ada');
  assert.equal(await outcome(await old.sign(ada())), 'ada');
});

test('AUTH-3 a set that is old is read again in the background, and a key that replaces another of its name counts', async () => {
  const [old, fresh] = await Promise.all([newSigner('same'), newSigner('same')]);
  const { state, outcome } = await startSource(old.jwk);
  state.now = 11 * MINUTE;
  state.set = { keys: [fresh.jwk] };
  assert.equal(await outcome(await old.sign(ada())), 'ada');
  assert.equal(state.reads, 2);
  assert.equal(await outcome(await fresh.sign(ada())), 'ada');
  assert.equal(state.reads, 2);
});

test('AUTH-4 a flood of unknown keys reads the set once, and is told to come again', async () => {
  const [good, thief] = await Promise.all([newSigner('good'), newSigner('thief')]);
  const { state, identity, outcome } = await startSource(good.jwk);
  state.now = MINUTE;
  const tokens = await Promise.all(
    Array.from({ length: 200 }, (_, i) => thief.sign(ada(), { kid: `kid-${i}` })),
  );
  const outcomes = await Promise.all(tokens.map(outcome));
  assert.equal(state.reads, 2);
  assert.ok(!outcomes.includes('ada'));
  // Tokens that waited for that read are known to be wrong.
  assert.ok(outcomes.includes('unauthenticated'));
  assert.deepEqual(await identity.identify(tokens[0]), {
    code: 'unavailable',
    message: 'the key of this token is not known yet',
    retryAfterMs: 10_000,
  });
  assert.equal(await outcome(await good.sign(ada())), 'ada', 'good tokens are taken meanwhile');
  assert.equal(state.reads, 2);
});

test('AUTH-4 wrong signatures under a known name read nothing', async () => {
  const [good, thief] = await Promise.all([newSigner('good'), newSigner('good')]);
  const { state, outcome } = await startSource(good.jwk);
  state.now = MINUTE;
  for (let i = 0; i < 20; i++) assert.equal(await outcome(await thief.sign(ada())), 'unauthenticated');
  assert.equal(state.reads, 1);
});

test('AUTH-4 with the source out of reach known keys stay good, and unknown ones are unavailable', async () => {
  const [good, fresh] = await Promise.all([newSigner('good'), newSigner('fresh')]);
  const { state, outcome } = await startSource(good.jwk);
  for (const broken of [
    new Error('down'),
    null,
    {},
    { keys: {} },
    { keys: [] },
    { keys: [{ kty: 'oct', k: 'AAAA' }] },
  ]) {
    state.now += 30 * MINUTE;
    state.set = broken;
    assert.equal(await outcome(await good.sign(ada())), 'ada');
    assert.equal(await outcome(await fresh.sign(ada())), 'unavailable');
  }
  assert.equal(state.problems.length, 6);
});

test('AUTH-4 before the first set has been read tokens are unavailable, and good as soon as it has', async () => {
  const good = await newSigner('good');
  const { state, outcome } = await startSource();
  assert.equal(await outcome(await good.sign(ada())), 'unavailable');
  state.set = { keys: [good.jwk] };
  state.now = 10_001;
  assert.equal(await outcome(await good.sign(ada())), 'ada');
});

test('AUTH-1 a shared secret, a private key or a short key in the set verifies nothing', async () => {
  const good = await newSigner('good', 'RS256');
  const text = new TextEncoder().encode(JSON.stringify(good.jwk));
  const secret = { kty: 'oct', kid: 'secret', alg: 'HS256', k: Buffer.from(text).toString('base64url') };
  const short = { kty: 'RSA', kid: 'short', e: 'AQAB', n: Buffer.alloc(64, 0xff).toString('base64url') };
  const { outcome } = await startSource(good.jwk, secret, short, { ...good.jwk, kid: 'private', d: 'AAAA' });
  const { SignJWT } = await import('jose');
  // The confusion of a public key with a secret: HS256 with everything an attacker knows of the key.
  for (const key of [
    text,
    new TextEncoder().encode(good.jwk.n),
    Buffer.from(good.jwk.n ?? '', 'base64url'),
  ]) {
    for (const kid of ['good', 'secret']) {
      const token = await new SignJWT(ada()).setProtectedHeader({ alg: 'HS256', kid }).sign(key);
      assert.equal(await outcome(token), 'unauthenticated');
    }
  }
  assert.equal(await outcome(await good.sign(ada(), { kid: 'private' })), 'unavailable');
  assert.equal(await outcome(await good.sign(ada())), 'ada');
});

test('AUTH-1 a key of one algorithm does not verify another, and one for encryption verifies nothing', async () => {
  const [good, other] = await Promise.all([newSigner('k', 'RS256'), newSigner('e', 'ES256')]);
  const { outcome } = await startSource({ ...good.jwk, alg: 'PS256' }, { ...other.jwk, use: 'enc' });
  assert.notEqual(await outcome(await good.sign(ada())), 'ada');
  assert.notEqual(await outcome(await other.sign(ada())), 'ada');
});
