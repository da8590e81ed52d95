// Support for tests of races in PostgreSQL: a database with an observer's connection, a worker's store in it,
// a document. It asserts nothing about the stores.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import postgres from 'postgres';
import { writeName } from '../../../actors/storage/postgres/session/session.ts';
import type { DocumentId, WorkerStore } from '../../../actors/storage/store.ts';
import { createWorkerStore } from '../../../actors/storage/store-postgres.ts';
import { plain } from '../../support/creations.ts';
import { freshDatabase } from '../../support/postgres.ts';

/** Marks are due soon, and nobody tells them. */
const EVENTS_MS = 1_000;

/** A database of its own, or one more connection to `url`. */
export async function database(
  t: TestContext,
  url?: string,
): Promise<{ readonly url: string; readonly admin: postgres.Sql }> {
  url ??= await freshDatabase(t);
  const admin = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  return { url, admin };
}

export async function openWorker(t: TestContext, url: string, slot: number) {
  // Events as the product has them, so that every race is also one of marks.
  const worker = createWorkerStore({ url, eventsMs: EVENTS_MS });
  t.after(() => worker.abort());
  const session = await worker.open({ run: randomUUID(), node: 'node', slot });
  return { worker, session };
}

export async function document(worker: WorkerStore, name: string, shard: number): Promise<DocumentId> {
  await worker.claim([shard]);
  const made = await worker.create('org', name, shard, plain('json'));
  assert.ok(made);
  return made.row.id;
}

/** The name of the connection over which a session of this database writes its batches. */
export async function writeNameOf(admin: postgres.Sql, session: number): Promise<string> {
  const [row] = await admin<{ oid: number }[]>`
    SELECT oid::int FROM pg_database WHERE datname = current_database()`;
  assert.ok(row);
  return writeName(row.oid, session);
}

export async function headOf(admin: postgres.Sql, doc: DocumentId): Promise<number> {
  const [head] = await admin`SELECT coalesce(max(last), 0)::int AS version FROM delta WHERE doc = ${doc}`;
  return head?.version;
}
