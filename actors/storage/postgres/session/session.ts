// Statements that open, read and end sessions. fence.ts fences other sessions.
import {
  type OpenedSession,
  RunFenced,
  type SessionId,
  type SessionIdentity,
  type SessionRef,
  type SessionRow,
  type SessionState,
} from '../../store.ts';
import type { Sql } from '../connection/connect.ts';

/**
 * Names of a session's backends: the write connection, and the pool beside it. Session ids begin at 1 in
 * each database, so the oid of the database is part of the name. PostgreSQL cuts names after 63 bytes; the
 * longest of these names has 48.
 */
export const writeName = (database: number, id: SessionId): string => `troupe:${database}:${id}`;
export const poolName = (database: number, id: SessionId): string => `troupe:${database}:${id}:pool`;
/** Name of the folding connections of a node's run. */
export const foldName = (run: string): string => `troupe:fold:${run}`;

/** The oid of the connected database, as an SQL expression. */
export const DATABASE_OID = `(SELECT oid::bigint FROM pg_database WHERE datname = current_database())`;

/**
 * Holds the cluster's row meanwhile, so a renewal of the history waits and then fences this session too. It holds the control
 * sessions of the run too: a fence that is under way is waited for. Rejects with RunFenced.
 */
export async function insertSession(
  sql: Sql,
  identity: SessionIdentity & { readonly address?: string },
): Promise<{ readonly session: OpenedSession; readonly database: number }> {
  const { run, node, slot, address = null } = identity;
  const [row] = await sql<{ id: SessionId; nonce: string; history: string | null; database: number }[]>`
    WITH here AS MATERIALIZED (SELECT history FROM cluster FOR SHARE),
    control AS MATERIALIZED (SELECT state FROM session WHERE run = ${run}::uuid AND slot = -1 FOR SHARE),
    made AS (
      INSERT INTO session (run, node, slot, address)
      SELECT ${run}::uuid, ${node}::text, ${slot}::int, ${address}::text FROM here
      WHERE NOT EXISTS (SELECT 1 FROM control WHERE state = 'fenced') RETURNING id, nonce)
    SELECT made.id, made.nonce, here.history, ${sql.unsafe(DATABASE_OID)} AS database FROM made, here`;
  if (!row) throw new RunFenced(`the run ${run} has been fenced`);
  const { id, nonce, history, database } = row;
  return { session: { id, nonce, historyTag: historyTag(history) }, database };
}

/** The first 48 bits of the uuid are random, so two renewals of one backup give different tags. */
export const historyTag = (history: string | null): string =>
  history === null ? '' : history.replaceAll('-', '').slice(0, 12);

export async function sessionState(sql: Sql, id: SessionId): Promise<SessionState | undefined> {
  const [row] = await sql<{ state: SessionState }[]>`SELECT state FROM session WHERE id = ${id}`;
  return row?.state;
}

/**
 * Implements the worker store's `isLive`. It reads without a lock: a lock that waited for a synchronous
 * standby would leave a backend on the server with each attempt.
 */
export async function isLive(sql: Sql, me: SessionRef): Promise<boolean> {
  const rows = await sql`
    SELECT 1 FROM session WHERE id = ${me.id} AND nonce = ${me.nonce} AND state <> 'fenced'`;
  return rows.length > 0;
}

export async function foreignSessions(
  sql: Sql,
  run: string,
): Promise<readonly { id: SessionId; run: string; node: string; slot: number }[]> {
  const rows = await sql<{ id: SessionId; run: string; node: string; slot: number }[]>`
    SELECT id, run, node, slot FROM session WHERE state <> 'fenced' AND run <> ${run} ORDER BY id`;
  return [...rows];
}

export async function sessions(sql: Sql): Promise<readonly SessionRow[]> {
  const rows = await sql<SessionRow[]>`
    SELECT id, run, node, slot, state, address FROM session WHERE state <> 'fenced' ORDER BY id`;
  return [...rows];
}

export async function connectedRuns(sql: Sql): Promise<ReadonlySet<string>> {
  const rows = await sql<{ run: string }[]>`
    SELECT DISTINCT s.run FROM session s JOIN pg_stat_activity a
      ON a.datname = current_database()
        AND a.application_name IN ('troupe:' || a.datid || ':' || s.id, 'troupe:' || a.datid || ':' || s.id || ':pool')
    WHERE s.state <> 'fenced'`;
  return new Set(rows.map(({ run }) => run));
}

/** Locks rows in id order, as fencing does. False if `me` is fenced. */
export async function drainRun(sql: Sql, me: SessionRef): Promise<boolean> {
  const [row] = await sql<{ open: boolean }[]>`
    WITH own AS MATERIALIZED (
      SELECT id, nonce FROM session
      WHERE run = (SELECT run FROM session WHERE id = ${me.id}) AND state <> 'fenced' ORDER BY id FOR UPDATE),
    me AS (SELECT 1 FROM own WHERE id = ${me.id} AND nonce = ${me.nonce}),
    changed AS (
      UPDATE session s SET state = 'draining' FROM own
      WHERE s.id = own.id AND s.state = 'live' AND EXISTS (SELECT 1 FROM me))
    SELECT EXISTS (SELECT 1 FROM me) AS open`;
  return row?.open ?? false;
}

/** A session may fence itself when nothing of it is in flight. Its shards are then free. */
export async function fenceSelf(sql: Sql, session: SessionRef): Promise<void> {
  await sql`
    UPDATE session SET state = 'fenced', fenced_by = id, fenced_at = clock_timestamp()
    WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced'`;
}
