// Statements about pins that operators set, and the shards of pinned organisations.
import type { PinRow } from '../../store.ts';
import { type Sql, textArray } from '../connection/connect.ts';

export async function pins(sql: Sql): Promise<readonly PinRow[]> {
  const rows = await sql<PinRow[]>`SELECT match, node, slot FROM pin ORDER BY at, match`;
  return [...rows];
}

export async function setPin(sql: Sql, { match, node, slot }: PinRow): Promise<void> {
  await sql`
    INSERT INTO pin (match, node, slot) VALUES (${match}, ${node}, ${slot})
    ON CONFLICT (match) DO UPDATE SET node = EXCLUDED.node, slot = EXCLUDED.slot, at = clock_timestamp()`;
}

/** True for the statement that removed the pin. A repeated call finds nothing. */
export async function removePin(sql: Sql, match: string): Promise<boolean> {
  const removed = await sql`DELETE FROM pin WHERE match = ${match} RETURNING 1`;
  return removed.length > 0;
}

/**
 * The query goes from shard to shard along the index, so its cost grows with the shards and not with the
 * documents.
 */
export async function orgShards(
  sql: Sql,
  orgs: readonly string[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const rows = await sql<{ org: string; shards: string }[]>`
    WITH RECURSIVE found AS (
      SELECT w.org, d.shard
      FROM (SELECT DISTINCT unnest(${textArray(sql, orgs)}) COLLATE "C" AS org) w CROSS JOIN LATERAL (
        SELECT shard FROM document WHERE org = w.org AND deleted_at IS NULL ORDER BY shard LIMIT 1) d
      UNION ALL
      SELECT f.org, d.shard FROM found f CROSS JOIN LATERAL (
        SELECT shard FROM document
        WHERE org = f.org AND shard > f.shard AND deleted_at IS NULL ORDER BY shard LIMIT 1) d)
    SELECT org, string_agg(shard::text, ',' ORDER BY shard) AS shards FROM found GROUP BY org`;
  return new Map(rows.map(({ org, shards }) => [org, shards.split(',').map(Number)]));
}
