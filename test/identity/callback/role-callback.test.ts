// The service that decides about roles, with answers and a time that the test controls: who is asked for what and how
// often, and what is known while it is silent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoleCallback, type RoleQuestion } from '../../../src/identity/callback/role-callback.ts';
import { EVERYONE, type RoleAnswer, type User } from '../../../src/identity/user.ts';

const CACHE_MS = 1_000;
const ada: User = { ...EVERYONE, sub: 'ada', claims: { sub: 'ada', team: 'x', iat: 1, exp: 2, jti: 'a' } };

function start(concurrency = 2) {
  let now = 0;
  const asked: { question: RoleQuestion; answer: (value: unknown) => void; fail: (error: Error) => void }[] =
    [];
  const states: (string | undefined)[] = [];
  const callback = new RoleCallback({
    ask: (question) =>
      new Promise((answer, fail) => {
        asked.push({ question, answer, fail });
      }),
    cacheMs: CACHE_MS,
    concurrency,
    now: () => now,
    onState: (problem) => void states.push(problem),
  });
  const roleIn = async (doc: string, user = ada): Promise<RoleAnswer> => {
    const answer = await callback.decidesFor(user).roleIn(doc);
    assert.ok(typeof answer === 'object' || answer === 'unavailable');
    return answer;
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { callback, asked, states, roleIn, pass };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
const roleOf = async (answer: Promise<RoleAnswer>): Promise<unknown> => {
  const found = await answer;
  return found === 'unavailable' ? found : found.role;
};

test('AUTH-8 the service is asked with user, document and claims, and its answer counts until the cache ends', async () => {
  const { asked, roleIn, pass } = start();
  const first = roleOf(roleIn('acme/x'));
  assert.deepEqual(asked[0]?.question, { sub: 'ada', doc: 'acme/x', claims: ada.claims });
  asked[0]?.answer({ role: 'editor' });
  assert.equal(await first, 'editor');
  pass(CACHE_MS - 1);
  assert.equal(await roleOf(roleIn('acme/x')), 'editor');
  assert.equal(asked.length, 1);
  pass(1);
  const second = roleOf(roleIn('acme/x'));
  assert.equal(asked.length, 2);
  asked[1]?.answer({ role: null });
  assert.equal(await second, undefined);
});

test('AUTH-8 the same question is asked once at a time, and a renewed token of the user asks nothing new', async () => {
  const { asked, roleIn } = start();
  const renewed: User = { ...ada, claims: { ...ada.claims, iat: 3, exp: 4, jti: 'b' } };
  const other: User = { ...ada, claims: { ...ada.claims, team: 'y' } };
  const answers = [roleIn('acme/x'), roleIn('acme/x', renewed)];
  assert.equal(asked.length, 1);
  asked[0]?.answer({ role: 'viewer' });
  await Promise.all(answers);
  await roleIn('acme/x', renewed);
  assert.equal(asked.length, 1);
  for (const [doc, user] of [
    ['acme/x', other],
    ['acme/y', ada],
    ['acme/x', { ...ada, sub: 'bob' }],
  ] as const) {
    const before: number = asked.length;
    const answer = roleIn(doc, user);
    assert.equal(asked.length, before + 1);
    asked[before]?.answer({ role: null });
    await answer;
  }
});

test('AUTH-8 only so many questions are under way, and the others keep their order', async () => {
  const { asked, roleIn } = start(2);
  const answers = [1, 2, 3, 4, 5].map((n) => roleIn(`acme/${n}`));
  await turn();
  assert.equal(asked.length, 2);
  asked[1]?.fail(new Error('no'));
  await turn();
  assert.deepEqual(
    asked.map(({ question }) => question.doc),
    ['acme/1', 'acme/2', 'acme/3'],
  );
  for (let i = 0; i < 5; i++) {
    asked[i]?.answer({ role: 'viewer' });
    await turn();
  }
  assert.deepEqual(await Promise.all(answers.map(roleOf)), [
    'viewer',
    'unavailable',
    'viewer',
    'viewer',
    'viewer',
  ]);
});

test('AUTH-9 an answer that is none is no right and no refusal, and both changes of state are told once', async () => {
  const { asked, roleIn, states } = start();
  for (const wrong of [undefined, null, {}, { role: 'admin' }, { role: undefined }, [], 'editor']) {
    const answer = roleOf(roleIn('acme/x'));
    asked.at(-1)?.answer(wrong);
    assert.equal(await answer, 'unavailable', JSON.stringify(wrong));
  }
  assert.equal(states.length, 1);
  assert.match(String(states[0]), /has no role/);
  const answer = roleOf(roleIn('acme/x'));
  asked.at(-1)?.answer({ role: 'owner' });
  assert.equal(await answer, 'owner');
  assert.deepEqual(states.slice(1), [undefined]);
});

test('AUTH-10 a recheck forgets the answers that it means, and one that was asked for before it', async () => {
  const { callback, asked, roleIn } = start(10);
  const bob: User = { ...ada, sub: 'bob' };
  const known = async (): Promise<void> => {
    const before = asked.length;
    const answers = [roleIn('acme/x'), roleIn('acme/y'), roleIn('acme/x', bob), roleIn('other/x')];
    await turn();
    for (const { answer } of asked.slice(before)) answer({ role: 'editor' });
    await Promise.all(answers);
  };
  await known();
  for (const [recheck, asksAgain] of [
    [{ org: 'acme', doc: 'x', sub: 'ada' }, 1],
    [{ org: 'acme', doc: 'x', sub: undefined }, 2],
    [{ org: 'acme', doc: undefined, sub: 'ada' }, 2],
    [{ org: 'acme', doc: undefined, sub: undefined }, 3],
    [{ org: 'acm', doc: undefined, sub: undefined }, 0],
  ] as const) {
    const before = asked.length;
    callback.forget(recheck);
    await known();
    assert.equal(asked.length - before, asksAgain, JSON.stringify(recheck));
  }
  const old = roleIn('acme/z');
  await turn();
  callback.forget({ org: 'acme', doc: 'z', sub: undefined });
  asked.at(-1)?.answer({ role: 'owner' });
  await old;
  const before = asked.length;
  const fresh = roleOf(roleIn('acme/z'));
  assert.equal(asked.length, before + 1);
  asked.at(-1)?.answer({ role: 'viewer' });
  assert.equal(await fresh, 'viewer');
});
