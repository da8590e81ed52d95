// Statements about sessions: opened, looked at, ended. Fencing another is fence.ts's.
import type { SessionId, SessionIdentity, SessionRef } from '../store.ts';
import type { Sql } from './connect.ts';

export type SessionState = 'live' | 'draining' | 'fenced';

/** Names of a session's backends: the write connection, and the pool beside it. */
export const writeName = (id: SessionId): string => `troupe:${id}`;
export const poolName = (id: SessionId): string => `troupe:${id}:pool`;
/** The folding connections of a node's run. */
export const foldName = (run: string): string => `troupe:fold:${run}`;

export async function insertSession(sql: Sql, identity: SessionIdentity): Promise<SessionRef> {
  const [row] = await sql<SessionRef[]>`
    INSERT INTO session (run, node, slot) VALUES (${identity.run}, ${identity.node}, ${identity.slot})
    RETURNING id, nonce`;
  if (!row) throw new Error('INSERT INTO session returned nothing');
  return { id: row.id, nonce: row.nonce };
}

export async function sessionState(sql: Sql, id: SessionId): Promise<SessionState | undefined> {
  const [row] = await sql<{ state: SessionState }[]>`SELECT state FROM session WHERE id = ${id}`;
  return row?.state;
}

export async function foreignSessions(
  sql: Sql,
  run: string,
): Promise<readonly { id: SessionId; run: string; node: string; slot: number }[]> {
  const rows = await sql<{ id: SessionId; run: string; node: string; slot: number }[]>`
    SELECT id, run, node, slot FROM session WHERE state <> 'fenced' AND run <> ${run} ORDER BY id`;
  return [...rows];
}

/** A session may fence itself whenever nothing of it is in flight: its shards are then free. */
export async function fenceSelf(sql: Sql, session: SessionRef): Promise<void> {
  await sql`
    UPDATE session SET state = 'fenced', fenced_by = id, fenced_at = clock_timestamp()
    WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced'`;
}
