// Two databases of Troupe on one PostgreSQL server. Session ids begin at 1 in each, so the sessions of both
// have the same ids. Fences and terminations of one database must not touch a connection of the other.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { freshDatabase, ordinaryDatabase } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { row } from '../contract/contract.ts';
import { database, document, writeNameOf } from './support.ts';

void test('neighbours: under one role nothing of the other database is ended', async (t) => {
  const [ours, theirs] = [await freshDatabase(t), await freshDatabase(t)];
  await leavesTheNeighbourAlone(t, ours, theirs);
});

void test('neighbours: under two roles neither is hindered by what it may not end', async (t) => {
  const [ours, theirs] = [await ordinaryDatabase(t), await ordinaryDatabase(t)];
  for (const { owner } of [ours, theirs]) {
    const control = createControlStore({ url: owner });
    await control.migrate();
    await control.close();
  }
  await leavesTheNeighbourAlone(t, ours.owner, theirs.owner);
});

void test('neighbours: names of connections stay within the 63 bytes of PostgreSQL', async (t) => {
  const { url, admin } = await database(t);
  // The largest id that a session may have: ids stay within 53 bits.
  await admin`SELECT setval(pg_get_serial_sequence('session', 'id'), 9007199254740990)`;
  const run = randomUUID();
  const { session } = await running(t, url, run);
  const name = await writeNameOf(admin, session.id);
  const known = (await backends(admin)).map((backend) => backend.name);
  for (const whole of [name, `${name}:pool`, `troupe:fold:${run}`]) assert.ok(known.includes(whole), whole);
});

/** Kills a connection of our database, and fences a session of it that a stopped process holds. */
async function leavesTheNeighbourAlone(t: TestContext, ours: string, theirs: string): Promise<void> {
  const run = randomUUID();
  const us = await running(t, ours, run);
  // The run's id is random in each database. Equal ids must do no harm either.
  const they = await running(t, theirs, run);
  assert.deepEqual(us.session.id, they.session.id, 'the sessions have the same id');
  const before = await backends(they.admin);
  assert.ok(before.length >= 3, 'the neighbour has connections to write, to read and to fold');

  const name = await writeNameOf(us.admin, us.session.id);
  await us.admin`
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = ${name}`;
  assert.deepEqual(await us.worker.append([row(us.doc, 2)], new Map([[us.doc, 1]])), { type: 'committed' });

  const stopped = postgres(ours, {
    max: 1,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: name },
  });
  t.after(() => stopped.end({ timeout: 0 }));
  await stopped.unsafe('BEGIN');
  await stopped`SELECT 1 FROM session WHERE id = ${us.session.id} FOR SHARE`;
  const control = createControlStore({ url: ours });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  assert.equal(await control.fence(me, { run }), true);
  await until(async () => (await backends(us.admin)).every(({ name: left }) => left !== name));

  assert.deepEqual(await backends(they.admin), before);
  assert.deepEqual(await control.connectedRuns(), new Set());
  assert.deepEqual(await they.worker.append([row(they.doc, 2)], new Map()), { type: 'committed' });
}

/** A worker that has committed, and a folding connection of its run. */
async function running(t: TestContext, url: string, run: string) {
  const { admin } = await database(t, url);
  const worker = createWorkerStore({ url });
  t.after(() => worker.abort());
  const session = await worker.open({ run, node: 'node', slot: 0 });
  const doc = await document(worker, 'd', 1);
  assert.equal((await worker.append([row(doc, 1)], new Map([[doc, 0]]))).type, 'committed');
  const fold = createFoldStore({ url, run });
  t.after(() => fold.close());
  await fold.read(doc, 1);
  return { worker, session, doc, admin };
}

/** The backends of the nodes, without those of observers. */
async function backends(admin: postgres.Sql): Promise<readonly { pid: number; name: string }[]> {
  const rows = await admin<{ pid: number; name: string }[]>`
    SELECT pid, application_name AS name FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'troupe:%' ORDER BY pid`;
  return [...rows];
}
