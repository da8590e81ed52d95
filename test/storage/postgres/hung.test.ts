// A database that hangs: calls end as unavailable in time, batches wait and land once, and every connection
// asks the server for its limits.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { connect } from '../../../actors/storage/postgres/connection/connect.ts';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { serversOf } from '../../../config/urls/postgres-url.ts';
import { plain } from '../../support/creations.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { until } from '../../support/until.ts';
import { row } from '../contract/contract.ts';
import { database } from './support.ts';

const PATIENCE = { answerTimeoutMs: 1_000, connectTimeoutMs: 1_000 };
/** Time for two attempts on a busy machine. */
const LIMIT = { timeout: 30_000 };

/** Asks again, as callers do: on a busy machine one attempt may end too early. */
async function untilAnswered(call: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await call();
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }
}

async function stage(t: TestContext) {
  const { url, admin } = await database(t);
  const proxy = await startSilentProxy(t, url);
  return { admin, proxy, options: { url: proxy.url, ...PATIENCE } };
}

test(
  'a hung database is unavailable to control plane, readers and folds, and is there again after it',
  LIMIT,
  async (t) => {
    const { proxy, options } = await stage(t);
    const control = createControlStore(options);
    t.after(() => control.close());
    const me = await control.openSession({ run: randomUUID(), node: 'a', slot: -1 });
    const worker = createWorkerStore(options);
    t.after(() => worker.abort());
    await worker.open({ run: randomUUID(), node: 'a', slot: 0 });
    await worker.claim([1]);
    const fold = createFoldStore({ ...options, run: randomUUID() });
    t.after(() => fold.close());
    await fold.read(1, 0);
    const calls = [
      () => control.sessions(),
      () => control.sessionState(me.id),
      () => control.fence(me, { run: randomUUID() }),
      () => worker.find('org', 'd'),
      () => worker.load([1]),
      () => worker.isLive(),
      () => worker.claim([2]),
      () => fold.read(1, 0),
    ];
    proxy.silence();
    await Promise.all(calls.map((call) => assert.rejects(call(), StoreUnavailable)));
    proxy.speak();
    await Promise.all(calls.map((call) => untilAnswered(call)));
  },
);

test('a database that takes connections and does not answer is unavailable', LIMIT, async (t) => {
  const { proxy, options } = await stage(t);
  proxy.silence();
  const control = createControlStore(options);
  t.after(() => control.close());
  await assert.rejects(control.sessions(), StoreUnavailable);
  await assert.rejects(
    control.listen({ onEvent: () => undefined, onGap: () => undefined }),
    StoreUnavailable,
  );
  const worker = createWorkerStore(options);
  t.after(() => worker.abort());
  await assert.rejects(worker.open({ run: randomUUID(), node: 'a', slot: 0 }), StoreUnavailable);
});

test('a batch waits while the database hangs, and lands once', LIMIT, async (t) => {
  const { admin, proxy, options } = await stage(t);
  const failures: number[] = [];
  let failed = (): void => undefined;
  const failedTwice = new Promise<void>((resolve) => {
    failed = resolve;
  });
  const worker = createWorkerStore({
    ...options,
    onProblem: (problem) => {
      if (problem.type === 'unavailable' && failures.push(problem.attempt) === 2) failed();
    },
  });
  t.after(() => worker.abort());
  await worker.open({ run: randomUUID(), node: 'a', slot: 0 });
  await worker.claim([1]);
  const doc = (await worker.create('org', 'd', 1, plain('json')))?.row.id ?? 0;
  assert.deepEqual(await worker.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'committed' });
  proxy.silence();
  let isSettled = false;
  const append = worker.append([row(doc, 2)], new Map()).finally(() => {
    isSettled = true;
  });
  await failedTwice;
  assert.equal(isSettled, false);
  proxy.speak();
  assert.deepEqual(await append, { type: 'committed' });
  const rows = await admin`SELECT version FROM patch WHERE doc = ${doc} ORDER BY version`;
  assert.deepEqual(
    rows.map(({ version }) => Number(version)),
    [1, 2],
  );
});

test('every connection says when the server is to end it', LIMIT, async (t) => {
  const url = await freshDatabase(t);
  const [server] = serversOf(url);
  assert.ok(server);
  const sql = connect({ url }, { server, name: 'troupe:test', max: 1, statementTimeoutMs: 1_234 });
  t.after(() => sql.end({ timeout: 1 }));
  const rows = await sql<{ name: string; setting: string }[]>`
    SELECT name, setting FROM pg_settings
    WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'tcp_user_timeout')
      OR name LIKE 'tcp_keepalives_%' ORDER BY name`;
  assert.deepEqual(Object.fromEntries(rows.map(({ name, setting }) => [name, Number(setting)])), {
    statement_timeout: 1_234,
    idle_in_transaction_session_timeout: 30_000,
    tcp_keepalives_idle: 10,
    tcp_keepalives_interval: 5,
    tcp_keepalives_count: 3,
    tcp_user_timeout: 30_000,
  });
});

test(
  'a statement that waits for a lock is ended by the server, and told as unavailable',
  LIMIT,
  async (t) => {
    const { admin, options } = await stage(t);
    const worker = createWorkerStore(options);
    t.after(() => worker.abort());
    await worker.open({ run: randomUUID(), node: 'a', slot: 0 });
    await admin.begin(async (sql) => {
      await sql`SELECT 1 FROM shard WHERE id = 1 FOR UPDATE`;
      await assert.rejects(worker.claim([1]), (error: unknown) => {
        assert.ok(error instanceof StoreUnavailable);
        assert.match(error.message, /statement timeout|no answer within/);
        return true;
      });
      // The server ends it by its own clock, perhaps after the worker has given up.
      await until(async () => {
        await sql`SELECT pg_stat_clear_snapshot()`;
        const waiting = await sql`
          SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        return waiting.length === 0;
      });
    });
    assert.deepEqual([...(await worker.claim([1])).keys()], [1]);
  },
);
