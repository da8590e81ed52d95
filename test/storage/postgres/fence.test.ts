// The two moments at which a fence can meet a batch: before the batch has locked its session's row, and
// after. A lock of a third party holds each moment still. Whichever lock the fence takes, the log that is
// there after the fence is final for the fenced session.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { fenceSelf } from '../../../actors/storage/postgres/session/session.ts';
import type { SessionRef } from '../../../actors/storage/store.ts';
import { createControlStore } from '../../../actors/storage/store-postgres.ts';
import { until } from '../../support/until.ts';
import { row } from '../contract/contract.ts';
import { database, document, headOf, openWorker, writeNameOf } from './support.ts';

/** Fencing another takes the row FOR UPDATE first; fencing oneself only updates it. */
const FENCERS = ['another session', 'itself'] as const;

for (const fencer of FENCERS) {
  void test(`fence by ${fencer}: waits for a batch in mid-statement, and counts it`, async (t) => {
    const { worker, name, doc, admin, holder, fence } = await setting(t, fencer);
    // The batch locks its session's row, and then waits for the key that it is to insert.
    await holder.unsafe('BEGIN');
    await holder`
      INSERT INTO delta (doc, first, last, epoch, session, batch, ops) VALUES (${doc}, 2, 2, 1, 0, 0, '')`;
    const append = worker.append([row(doc, 2)], new Map());
    await until(() => waits(admin, name));
    let headAtFence: number | undefined;
    const fenced = fence().then(async () => {
      headAtFence = await headOf(admin, doc);
    });
    await until(async () => headAtFence !== undefined || (await fencerWaits(admin)));
    await holder.unsafe('ROLLBACK');
    const outcome = await append;
    await fenced;
    assert.equal(await headOf(admin, doc), headAtFence, 'the batch landed after the fence');
    assert.equal(outcome.type, headAtFence === 2 ? 'committed' : 'fenced');
    assert.deepEqual(await worker.append([row(doc, 3)], new Map([[doc, 2]])), { type: 'fenced' });
  });

  void test(`fence by ${fencer}: a batch whose snapshot is older than the fence writes nothing`, async (t) => {
    const { worker, name, doc, admin, holder, fence } = await setting(t, fencer);
    // The statement takes its snapshot, in which the session is live, before the trigger waits, and its row
    // lock afterwards.
    await admin.unsafe(`
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
      CREATE TRIGGER wait BEFORE INSERT ON delta FOR EACH STATEMENT EXECUTE FUNCTION wait();`);
    await holder`SELECT pg_advisory_lock(1)`;
    const append = worker.append([row(doc, 2)], new Map());
    await until(() => waits(admin, name));
    await fence();
    await holder`SELECT pg_advisory_unlock(1)`;
    assert.deepEqual(await append, { type: 'fenced' });
    assert.equal(await headOf(admin, doc), 1);
  });
}

/** A session with a document of one version, and a function that fences the session. */
async function setting(t: TestContext, fencer: (typeof FENCERS)[number]) {
  const { url, admin } = await database(t);
  const { admin: holder } = await database(t, url);
  const { worker, session } = await openWorker(t, url, 1);
  const doc = await document(worker, 'd', 1);
  assert.equal((await worker.append([row(doc, 1)], new Map([[doc, 0]]))).type, 'committed');
  const fence = fencer === 'itself' ? await selfFence(t, url, session) : await otherFence(t, url, session);
  return { worker, name: await writeNameOf(admin, session.id), doc, admin, holder, fence };
}

async function otherFence(t: TestContext, url: string, session: SessionRef): Promise<() => Promise<void>> {
  const control = createControlStore({ url });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  return async () => assert.equal(await control.fence(me, { session: session.id }), true);
}

/** A store fences its own session only when nothing is under way. Here something is. */
async function selfFence(t: TestContext, url: string, session: SessionRef): Promise<() => Promise<void>> {
  const bigint = {
    to: 20,
    from: [20],
    serialize: (x: number) => String(x),
    parse: (x: string) => Number(x),
  };
  const sql = postgres(url, { max: 1, fetch_types: false, types: { bigint } });
  t.after(() => sql.end({ timeout: 1 }));
  return () => fenceSelf(sql, session);
}

async function waits(admin: postgres.Sql, name: string): Promise<boolean> {
  const found = await admin`
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ${name} AND wait_event_type = 'Lock'`;
  return found.length > 0;
}

async function fencerWaits(admin: postgres.Sql): Promise<boolean> {
  const found = await admin`
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
      AND (query LIKE '%troupe_fence(%' OR query LIKE '%fenced_by = id%')`;
  return found.length > 0;
}
