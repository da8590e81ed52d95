// Nodes with the rights that docs/operations.md lists, with the rights of another node's role, and without
// rights.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { createControlStore } from '../../../actors/storage/store-postgres.ts';
import { run } from '../../../src/cli/cli.ts';
import { startTestNode } from '../../support/node.ts';
import { type OrdinaryDatabase, ordinaryDatabase } from '../../support/postgres.ts';
import { WireClient } from '../../support/wire-client.ts';
import { refusedStart } from '../refused-start.ts';

const LIMIT = { timeout: 120_000 };

test('a node runs, commits and takes over with the rights that the guide lists', LIMIT, async (t) => {
  const database = await migrated(t);
  await grant(database);
  const storage = { storageUrl: database.other, storage: { migrate: false } };
  const first = await startTestNode(t, storage);
  await edits(t, first.socketUrl);
  // The second node fences the first.
  const second = await startTestNode(t, storage);
  assert.match((await first.failed).message, /taken over|another node|fenced/i);
  await edits(t, second.socketUrl);
});

test('without pending migrations storage.migrate needs no right to create', LIMIT, async (t) => {
  const database = await migrated(t);
  await grant(database);
  const { socketUrl } = await startTestNode(t, { storageUrl: database.other });
  await edits(t, socketUrl);
});

test('a right that is missing is one line with the object and the GRANT', LIMIT, async (t) => {
  const database = await migrated(t);
  const { exitCode, message } = await refusedStart(database.other, 'storage.migrate=false');
  assert.equal(exitCode, 1);
  assert.match(
    message,
    /^a right is missing in PostgreSQL: permission denied for table \S+\. Run as its owner: GRANT SELECT, INSERT, UPDATE, DELETE ON \S+ TO [^\n]+$/,
  );
  const empty = await ordinaryDatabase(t);
  const { code, stderr } = await migrate(empty.other);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^troupe: a right is missing in PostgreSQL: permission denied for schema public\. Run as its owner: GRANT USAGE, CREATE ON SCHEMA public TO [^\n]+\n$/,
  );
});

test(
  'a schema that the role may not use is told as a missing right, not as missing migrations',
  LIMIT,
  async (t) => {
    const database = await migrated(t);
    const sql = postgres(database.admin, { max: 1 });
    await sql`REVOKE USAGE ON SCHEMA public FROM PUBLIC`;
    await sql.end();
    for (const migrate of ['true', 'false']) {
      const { exitCode, message } = await refusedStart(database.other, `storage.migrate=${migrate}`);
      assert.equal(exitCode, 1);
      assert.match(
        message,
        /^a right is missing in PostgreSQL: [^\n]+ Run as its owner: GRANT USAGE ON SCHEMA public TO [^\n]+$/,
      );
    }
  },
);

test('a schema that the migrating role may not use is told with the GRANT', LIMIT, async (t) => {
  const database = await ordinaryDatabase(t);
  const sql = postgres(database.admin, { max: 1 });
  await sql`REVOKE ALL ON SCHEMA public FROM PUBLIC`;
  await sql.end();
  const { code, stderr } = await migrate(database.other);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^troupe: PostgreSQL has no schema that the role of storage\.url may use: [^\n]+ GRANT USAGE, CREATE ON SCHEMA public TO [^\n]+\n$/,
  );
});

async function migrated(t: TestContext): Promise<OrdinaryDatabase> {
  const database = await ordinaryDatabase(t);
  const control = createControlStore({ url: database.owner });
  await control.migrate();
  await control.close();
  return database;
}

/** Runs the statements of the guide as the owner. */
async function grant({ owner, other }: OrdinaryDatabase): Promise<void> {
  const guide = await readFile('docs/operations.md', 'utf8');
  const [, statements = ''] = /grants:begin[^\n]*\n```sql\n(.*?)```/s.exec(guide) ?? [];
  assert.match(statements, /GRANT/);
  const sql = postgres(owner, { max: 1, onnotice: () => undefined });
  await sql.unsafe(statements.replaceAll('troupe_node', new URL(other).username));
  await sql.end();
}

async function edits(t: TestContext, socketUrl: string): Promise<void> {
  const client = await WireClient.connect(t, socketUrl, { client: `client-${randomUUID()}` });
  client.send({ type: 'open', doc: 'acme/plan', kind: 'json' });
  await client.next('opened');
  client.send({ type: 'submit', doc: 'acme/plan', seq: 1, op: [{ op: 'add', path: '/a', value: 1 }] });
  await client.next('commit');
}

/** Runs `troupe migrate` in this process. */
async function migrate(databaseUrl: string): Promise<{ code: number; stderr: string }> {
  let stderr = '';
  const code = await run(['migrate', '--set', `storage.url=${databaseUrl}`], {
    stdout: { write: () => true },
    stderr: { write: (text: string) => (stderr += text) },
    env: {},
  });
  return { code, stderr };
}
