// Changes of rights on a real database: what is written is read by every node, once, in time, and after a restart.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { systemClock } from '../../../actors/clock.ts';
import { RightsNews } from '../../../src/identity/changes/rights-news.ts';
import type { RightsChange } from '../../../src/identity/store.ts';
import { PostgresIdentityStore } from '../../../src/identity/store-postgres.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

const MINUTE = 60_000;
const ALL: readonly RightsChange[] = [
  { kind: 'user', sub: 'ada "x", \\', beforeMs: 1_790_000_000_123 },
  { kind: 'token', tokenId: 'token-1' },
  { kind: 'login', login: 'ab'.repeat(32) },
  { kind: 'recheck', org: 'acme', doc: undefined, sub: undefined },
  { kind: 'recheck', org: 'acme', doc: 'plan', sub: 'ada' },
];

async function start(t: TestContext) {
  const url = await freshDatabase(t);
  const store = new PostgresIdentityStore({ url });
  const sql = postgres(url, { max: 1, fetch_types: false });
  t.after(() => Promise.all([store.close(), sql.end()]));
  const node = async (looksItself = true) => {
    const came: RightsChange[] = [];
    const problems: string[] = [];
    const looks: (() => void)[] = [];
    const news = new RightsNews({
      store,
      clock: {
        ...systemClock,
        every: (ms, run) => {
          assert.ok(ms <= 2_000, 'with Redis away changes are known within 5 s');
          looks.push(run);
          return looksItself ? systemClock.every(ms, run) : () => undefined;
        },
      },
      onChange: (change) => void came.push(change),
      onProblem: (message) => void problems.push(message),
    });
    await news.start();
    t.after(() => news.stop());
    return { news, came, problems, look: () => looks[0]?.() };
  };
  return { store, sql, node };
}

test('REVOKE-1 a node that starts has all changes that stand, in the form in which they were made', async (t) => {
  const { store, node } = await start(t);
  for (const change of ALL) await store.addChange(change, MINUTE);
  await store.addChange({ kind: 'token', tokenId: 'past' }, 0);
  assert.deepEqual((await node()).came, ALL);
});

test('REVOKE-3 with a hint, and without one at the next look, each node takes each change once', async (t) => {
  const { store, node } = await start(t);
  const [hinted, looking] = [await node(false), await node(false)];
  for (const change of ALL) {
    await store.addChange(change, MINUTE);
    hinted.news.hint();
  }
  await until(() => hinted.came.length === ALL.length);
  looking.look();
  await until(() => looking.came.length === ALL.length);
  looking.look();
  hinted.news.hint();
  await store.addChange({ kind: 'token', tokenId: 'last' }, MINUTE);
  looking.look();
  hinted.look();
  await until(() => looking.came.length > ALL.length && hinted.came.length > ALL.length);
  for (const { came } of [hinted, looking]) assert.deepEqual(came.slice(0, -1), ALL);
});

test('REVOKE-3 a node takes its own change at once, and not again when it reads it', async (t) => {
  const { store, node } = await start(t);
  const { news, came, look } = await node(false);
  const added = await store.addChange({ kind: 'token', tokenId: 'own' }, MINUTE);
  news.take(added);
  assert.deepEqual(came, [{ kind: 'token', tokenId: 'own' }]);
  await store.addChange({ kind: 'token', tokenId: 'another' }, MINUTE);
  for (const length of [2, 3]) {
    look();
    await until(() => came.length === length);
    await store.addChange({ kind: 'token', tokenId: 'last' }, MINUTE);
  }
  assert.deepEqual(
    came.map((change) => change.kind === 'token' && change.tokenId),
    ['own', 'another', 'last'],
  );
});

test('REVOKE-3 a change that becomes visible behind later ones is not missed', async (t) => {
  const { store, sql, node } = await start(t);
  const { came, look } = await node(false);
  await sql.begin(async (late) => {
    await late`INSERT INTO rights_change (kind, subject, keep_until) VALUES ('token', 'late', now() + interval '1 min')`;
    await store.addChange({ kind: 'token', tokenId: 'early' }, MINUTE);
    look();
    await until(() => came.length === 1);
  });
  look();
  await until(() => came.length === 2);
  assert.deepEqual(came, [
    { kind: 'token', tokenId: 'early' },
    { kind: 'token', tokenId: 'late' },
  ]);
});

test('REVOKE-3 more changes than a page are read in order', async (t) => {
  const { sql, node } = await start(t);
  const { came, look } = await node(false);
  await sql`INSERT INTO rights_change (kind, subject, keep_until)
    SELECT 'token', n::text, now() + interval '1 min' FROM generate_series(1, 12001) n`;
  look();
  await until(() => came.length >= 12001);
  const ids = came.map((change) => (change.kind === 'token' ? Number(change.tokenId) : 0));
  assert.deepEqual(
    ids,
    ids.map((_, at) => at + 1),
  );
});

test('REVOKE-2 rows that concern nobody any more are swept, and no others', async (t) => {
  const { store, sql } = await start(t);
  await store.addChange({ kind: 'token', tokenId: 'past' }, 0);
  await store.addChange({ kind: 'token', tokenId: 'standing' }, MINUTE);
  const spans = { freshMs: MINUTE, idleMs: MINUTE, lifeMs: MINUTE };
  for (const id of ['aa', 'bb'])
    await store.createLogin({ id, secret: Buffer.of(1), sub: id, claims: '{}' }, spans, 9);
  await sql`UPDATE login SET idle_until = now() - interval '1 s' WHERE sub = 'aa'`;
  assert.equal(await store.sweep(1), 2);
  assert.equal(await store.sweep(1), 0);
  assert.deepEqual([...(await sql`SELECT subject FROM rights_change`)], [{ subject: 'standing' }]);
  assert.deepEqual([...(await sql`SELECT sub FROM login`)], [{ sub: 'bb' }]);
});
