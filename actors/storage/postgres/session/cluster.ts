// Statements about the database as a whole: its timeline, its history after a restore, its connections.
import type { ConnectionBudget } from '../../store.ts';
import type { Sql } from '../connection/connect.ts';
import { readTimeline } from '../connection/servers.ts';
import { historyTag } from './session.ts';

/**
 * Implements the store's `timeline`. The connection reported its timeline to the database when it was
 * proved (`Servers`).
 */
export async function timeline(sql: Sql): Promise<{ timeline: number; highest: number }> {
  const now = await readTimeline(sql);
  await sql`
    WITH here AS (SELECT current_setting('synchronous_standby_names') <> ''
      AND current_setting('synchronous_commit') IN ('on', 'remote_apply') AS synchronous)
    UPDATE cluster c SET synchronous = here.synchronous FROM here WHERE c.synchronous <> here.synchronous`;
  const [row] = await sql<{ timeline: number }[]>`SELECT timeline FROM cluster`;
  return { timeline: now, highest: Math.max(now, row?.timeline ?? 0) };
}

/** A dump restored elsewhere begins at a lower timeline, so the recorded timeline is set to the server's. */
export async function renewHistory(sql: Sql): Promise<string> {
  const now = await readTimeline(sql);
  const [row] = await sql<{ history: string }[]>`SELECT troupe_renew_history(${now}) AS history`;
  if (!row) throw new Error('troupe_renew_history returned nothing');
  return historyTag(row.history);
}

/**
 * An ordinary user sees other users' backends without their type. A backend with a user and a database is a
 * client (or works for one). reserved_connections came with PostgreSQL 16.
 */
export async function connectionBudget(sql: Sql): Promise<ConnectionBudget> {
  const [row] = await sql<ConnectionBudget[]>`
    SELECT current_setting('max_connections')::int AS max,
      current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
      count(*)::int AS used,
      (count(*) FILTER (WHERE datname = current_database() AND application_name LIKE 'troupe:%'))::int AS ours
    FROM pg_stat_activity
    WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'`;
  if (!row) throw new Error('pg_stat_activity returned nothing');
  return row;
}
