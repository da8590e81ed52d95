// Statements about the owners of shards: the whole map, hand-off and adoption. claim.ts has the claim.
import type { Epoch, SessionId, SessionRef, ShardRow } from '../../store.ts';
import { int8Array, type Sql } from '../connection/connect.ts';

export async function shardMap(sql: Sql): Promise<readonly ShardRow[]> {
  const rows = await sql<ShardRow[]>`
    SELECT s.id AS shard, s.owner, s.epoch, o.state AS "ownerState"
    FROM shard s LEFT JOIN session o ON o.id = s.owner ORDER BY s.id`;
  return [...rows];
}

export async function orphans(sql: Sql): Promise<readonly number[]> {
  const rows = await sql<{ id: number }[]>`
    SELECT s.id FROM shard s LEFT JOIN session o ON o.id = s.owner
    WHERE s.owner IS NULL OR o.state = 'fenced' ORDER BY s.id`;
  return rows.map((row) => row.id);
}

interface Owned {
  readonly id: number;
  readonly epoch: Epoch;
}

/**
 * Changes nothing if `to` is not live or `me` is fenced. Both rows are locked in id order, as fencing does.
 */
export async function handOff(
  sql: Sql,
  me: SessionRef,
  shards: readonly number[],
  to: SessionId,
): Promise<readonly Owned[]> {
  return sql<Owned[]>`
    WITH ends AS MATERIALIZED (
      SELECT id FROM session
      WHERE (id = ${me.id} AND nonce = ${me.nonce} AND state <> 'fenced') OR (id = ${to} AND state = 'live')
      ORDER BY id FOR SHARE),
    mine AS MATERIALIZED (
      SELECT id FROM shard
      WHERE (SELECT count(*) FROM ends) = 2 AND id = ANY(${int8Array(sql, shards)}) AND owner = ${me.id}
      ORDER BY id FOR UPDATE)
    UPDATE shard s SET owner = ${to}, epoch = s.epoch + 1
    FROM mine WHERE s.id = mine.id RETURNING s.id, s.epoch`;
}

export async function ownedBy(
  sql: Sql,
  owner: SessionId,
  shards: readonly number[],
): Promise<readonly Owned[]> {
  return sql<Owned[]>`
    SELECT id, epoch FROM shard WHERE id = ANY(${int8Array(sql, shards)}) AND owner = ${owner} ORDER BY id`;
}

export async function adopt(
  sql: Sql,
  me: SessionRef,
  shards: readonly number[],
): Promise<ReadonlyMap<number, Epoch>> {
  const rows = await sql<Owned[]>`
    SELECT s.id, s.epoch FROM shard s JOIN session o ON o.id = s.owner
    WHERE s.id = ANY(${int8Array(sql, shards)})
      AND o.id = ${me.id} AND o.nonce = ${me.nonce} AND o.state <> 'fenced' ORDER BY s.id`;
  return epochs(rows);
}

export const epochs = (rows: readonly Owned[]): ReadonlyMap<number, Epoch> =>
  new Map(rows.map((row) => [row.id, row.epoch]));
