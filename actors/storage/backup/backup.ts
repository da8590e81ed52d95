// Writes a whole database of Troupe as one stream of bytes, and restores it: all tables as PostgreSQL
// copies them, of one snapshot. The stream is read and written piece by piece, so memory holds about a row.
// backup-format.ts has its form.
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StartError } from '../../../config/fatal.ts';
import { migrate, pendingMigrations } from '../migrate.ts';
import { MIGRATIONS } from '../migrations/index.ts';
import { connect, type PostgresStoreOptions, type Sql } from '../postgres/connection/connect.ts';
import { end } from '../postgres/connection/pool.ts';
import { Servers } from '../postgres/connection/servers.ts';
import { renewHistory } from '../postgres/session/cluster.ts';
import { firstContact } from '../postgres/session/first-contact.ts';
import { StoreUnavailable } from '../store.ts';
import { type BackupSummary, type BackupTable, readBackup, writeBackup } from './backup-format.ts';

const NAME = 'troupe-backup';

/** Nodes may run meanwhile. `sink` gets the bytes; the caller ends it. */
export function backup(options: PostgresStoreOptions, sink: Writable): Promise<BackupSummary> {
  return withConnection(options, async (transaction, open) => {
    // The driver's own transaction is not used: if its connection is lost, it writes to a closed socket.
    await transaction.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // The transaction holds the snapshot and is idle meanwhile.
    await transaction`SET LOCAL idle_in_transaction_session_timeout = 0`;
    const [there] = await transaction<{ name: string | null; snapshot: string }[]>`
        SELECT to_regclass('troupe_migration')::text AS name, pg_export_snapshot() AS snapshot`;
    if (!there?.name) throw new StartError('there is no database of Troupe to back up');
    const { snapshot } = there;
    const tables = await tablesOf(transaction);
    const rows = await transaction<{ name: string }[]>`SELECT name FROM troupe_migration ORDER BY name`;
    const migrations = rows.map(({ name }) => name);
    return await writeBackup(sink, { migrations, tables, copy: (table) => copyOut(open, snapshot, table) });
  });
}

type Open = (onclose?: () => void) => Sql;

/**
 * Copies a table on a connection of its own. After a copy the driver may leave a socket paused for good,
 * and it does not tell the reader if the connection is lost.
 */
async function* copyOut(open: Open, snapshot: string, table: BackupTable): AsyncGenerator<Uint8Array> {
  let copy: Readable | undefined;
  // The driver reconnects by itself, and later rows would belong to another snapshot.
  let lost: StoreUnavailable | undefined;
  const sql = open(() => {
    lost ??= new StoreUnavailable(`the connection was lost while ${table.name} was copied`);
    copy?.destroy(lost);
  });
  try {
    await sql.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await sql.unsafe(`SET TRANSACTION SNAPSHOT '${snapshot}'`);
    copy = await sql`
      COPY (SELECT ${sql([...table.columns])} FROM ${sql(table.name)}) TO STDOUT (FORMAT binary)`.readable();
    yield* copy;
    if (lost !== undefined) throw lost;
  } finally {
    end(sql);
  }
}

/**
 * Restores into a database in which Troupe has nothing yet, all or nothing: if `source` is cut off or
 * changed, the tables stay empty. Then the history is renewed, as after every restore.
 */
export async function restore(
  options: PostgresStoreOptions,
  source: AsyncIterable<Uint8Array>,
): Promise<BackupSummary & { readonly history: string }> {
  return withConnection(options, async (_, open) => {
    // The driver reconnects by itself, and later statements would be outside of the transaction.
    let lost = false;
    const sql = open(() => {
      lost = true;
    });
    const demandConnection = (): void => {
      if (lost) throw new StoreUnavailable('the connection was lost in the restore');
    };
    try {
      return await restoreOver(sql, demandConnection, source);
    } finally {
      end(sql);
    }
  });
}

async function restoreOver(
  sql: Sql,
  demandConnection: () => void,
  source: AsyncIterable<Uint8Array>,
): Promise<BackupSummary & { readonly history: string }> {
  const file = await readBackup(source);
  const known: readonly string[] = MIGRATIONS.map(({ name }) => name);
  const [foreign] = file.migrations.filter((name) => !known.includes(name));
  if (foreign !== undefined)
    throw new StartError(`the backup is of a later version of Troupe: its schema has ${foreign}`);
  await demandEmpty(sql);
  await migrate(sql, file.migrations.at(-1));
  const applied = known.filter((name) => !file.migrations.includes(name));
  const pending = await pendingMigrations(sql);
  if (applied.some((name) => !pending.includes(name)))
    throw new StartError(
      'the schema of the database is later than that of the backup: restore into an empty database',
    );
  await sql.unsafe('BEGIN');
  await demandEmpty(sql);
  const tables = await tablesOf(sql);
  const names = new Map(tables.map((table) => [table.name, table]));
  await sql`TRUNCATE ${sql.unsafe(tables.map(({ name }) => quoted(name)).join())}`;
  const done = await file.read(async (table, chunks) => {
    const own = names.get(table.name);
    if (own === undefined || table.columns.some((column) => !own.columns.includes(column)))
      throw new StartError(`the backup has a table or column that the schema lacks: ${table.name}`);
    demandConnection();
    const copy = await sql`
          COPY ${sql(table.name)} (${sql([...table.columns])}) FROM STDIN (FORMAT binary)`.writable();
    await pipeline(chunks, copy);
  });
  await raiseSequences(sql, tables);
  const history = await renewHistory(sql);
  demandConnection();
  await sql.unsafe('COMMIT');
  await migrate(sql);
  return { ...done, history };
}

/** `open` makes further connections to the same server. The caller ends them. */
async function withConnection<T>(
  options: PostgresStoreOptions,
  work: (sql: Sql, open: Open) => Promise<T>,
): Promise<T> {
  const servers = new Servers(options.url);
  for (let attempt = 1; ; attempt++) {
    const server = servers.current;
    try {
      await firstContact(options, servers);
    } catch (error) {
      if (error instanceof StartError || attempt >= servers.count) throw error;
      continue;
    }
    const open: Open = (onclose) =>
      connect(options, {
        server,
        name: NAME,
        max: 1,
        statementTimeoutMs: 0,
        ...(onclose === undefined ? {} : { onclose }),
      });
    const sql = open();
    try {
      return await work(sql, open);
    } finally {
      end(sql);
    }
  }
}

/** Lists the tables, each with its columns in their order. Partitions are read through their table. */
async function tablesOf(sql: Sql): Promise<readonly BackupTable[]> {
  const rows = await sql<{ name: string; columns: string }[]>`
    SELECT c.relname AS name, json_agg(a.attname ORDER BY a.attnum)::text AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('session'))
      AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'troupe_migration'
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.oid, c.relname ORDER BY c.relname`;
  return rows.map(({ name, columns }) => ({ name, columns: JSON.parse(columns) }));
}

/** Throws StartError if a node has ever run on the database. */
async function demandEmpty(sql: Sql): Promise<void> {
  const [there] = await sql<{ name: string | null }[]>`SELECT to_regclass('session')::text AS name`;
  if (!there?.name) return;
  const [found] = await sql<{ used: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM session) OR EXISTS (SELECT 1 FROM document) AS used`;
  if (found?.used)
    throw new StartError('the database is not empty: create another one, and restore into that');
}

/** Raises each sequence above the restored numbers. */
async function raiseSequences(sql: Sql, tables: readonly BackupTable[]): Promise<void> {
  for (const { name, columns } of tables) {
    for (const column of columns) {
      const [row] = await sql<{ sequence: string | null }[]>`
        SELECT pg_get_serial_sequence(${quoted(name)}, ${column}) AS sequence`;
      if (!row?.sequence) continue;
      await sql`SELECT setval(${row.sequence}, (SELECT coalesce(max(${sql(column)}), 0) + 1 FROM ${sql(name)}))`;
    }
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
