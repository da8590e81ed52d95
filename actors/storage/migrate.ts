// Applies migrations in order, each in a transaction of its own, under a lock that all nodes share. It
// never undoes one. A database with migrations that this program does not know is left alone.
import { StartError } from '../../config/fatal.ts';
import { MIGRATIONS } from './migrations/index.ts';
import type { Sql } from './postgres/connection/connect.ts';

/** Any number that nothing else in the database locks: 'troupe' in ASCII. */
const LOCK = 0x74_72_6f_75_70_65;

/**
 * Returns the names of the migrations that were applied now. Several nodes may call it at once. With
 * `last`, none after it is applied.
 */
export async function migrate(sql: Sql, last?: string): Promise<readonly string[]> {
  // A role that may only read and write the tables needs no rights if nothing is to be done.
  if ((await pendingMigrations(sql)).length === 0) return [];
  const applied: string[] = [];
  for (const migration of MIGRATIONS) {
    await sql.begin(async (transaction) => {
      await transaction`SELECT pg_advisory_xact_lock(${LOCK})`;
      await transaction`CREATE TABLE IF NOT EXISTS troupe_migration (
        name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`;
      const [known] = await transaction`SELECT 1 FROM troupe_migration WHERE name = ${migration.name}`;
      if (known) return;
      await transaction.unsafe(migration.up);
      await transaction`INSERT INTO troupe_migration (name) VALUES (${migration.name})`;
      applied.push(migration.name);
    });
    if (migration.name === last) break;
  }
  return applied;
}

export async function pendingMigrations(sql: Sql): Promise<readonly string[]> {
  const [table] = await sql<{ name: string | null }[]>`SELECT to_regclass('troupe_migration')::text AS name`;
  if (!table?.name) {
    await refuseHiddenSchema(sql);
    return MIGRATIONS.map((migration) => migration.name);
  }
  const rows = await sql<{ name: string }[]>`SELECT name FROM troupe_migration`;
  const known = new Set(rows.map((row) => row.name));
  return MIGRATIONS.map((migration) => migration.name).filter((name) => !known.has(name));
}

/** A schema of the search path that the role may not use looks like one without tables. */
async function refuseHiddenSchema(sql: Sql): Promise<void> {
  const [hidden] = await sql<{ schema: string }[]>`
    SELECT quote_ident(n.nspname) AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'troupe_migration' AND NOT has_schema_privilege(n.oid, 'USAGE')
      AND n.nspname = ANY (regexp_split_to_array(
        replace(replace(current_setting('search_path'), '"', ''), '$user', current_user), ' *, *'))
    LIMIT 1`;
  if (hidden === undefined) return;
  throw new StartError(
    `a right is missing in PostgreSQL: the role of storage.url may not use the schema ${hidden.schema}, which has the tables. Run as its owner: GRANT USAGE ON SCHEMA ${hidden.schema} TO that role; docs/operations.md lists all rights`,
  );
}
