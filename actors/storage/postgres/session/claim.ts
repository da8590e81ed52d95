// Claims shards by compare and set on the owner, and raises the epoch by one.
import type { Epoch, SessionRef } from '../../store.ts';
import { int8Array, type Sql } from '../connection/connect.ts';

/**
 * Gives shards without an owner, or with a fenced one, to `session`, if it is live. Shards that it owns
 * already are returned unchanged, so that a claim whose answer was lost can be made again.
 */
export async function claim(
  sql: Sql,
  session: SessionRef,
  shards: readonly number[],
): Promise<ReadonlyMap<number, Epoch>> {
  if (shards.length === 0) return new Map();
  const won = await sql<{ id: number; epoch: Epoch }[]>`
    WITH me AS MATERIALIZED (
      SELECT id FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE),
    free AS MATERIALIZED (
      SELECT s.id FROM shard s
      WHERE EXISTS (SELECT 1 FROM me) AND s.id = ANY(${int8Array(sql, shards)})
        AND (s.owner IS NULL OR s.owner = ${session.id}
          OR EXISTS (SELECT 1 FROM session o WHERE o.id = s.owner AND o.state = 'fenced'))
      ORDER BY s.id FOR UPDATE OF s)
    UPDATE shard s SET owner = ${session.id},
      epoch = s.epoch + CASE WHEN s.owner = ${session.id} THEN 0 ELSE 1 END
    FROM free WHERE s.id = free.id RETURNING s.id, s.epoch`;
  return new Map(won.map((row) => [row.id, row.epoch]));
}
