// Retention: folds old deltas away. A document's floor is its newest snapshot that is old enough and far
// enough behind the head; every version from the floor on stays readable, and the head stays always.
import type { DocumentId, SessionRef } from '../store.ts';
import type { Sql } from './connect.ts';

/** Documents looked up at once, and rows deleted in one statement. */
const DOCUMENTS = 100;
const ROWS = 2_000;

interface Candidate {
  doc: DocumentId;
  floor: number;
  head: number;
}

/** Deltas removed: about `limit` at most. 0 also where `session` is not live. */
export async function compact(
  sql: Sql,
  session: SessionRef,
  options: { readonly olderThanMs: number; readonly keepOps: number; readonly limit: number },
): Promise<number> {
  let removed = 0;
  for (const candidate of await candidates(sql, options)) {
    // From the bottom: while it lasts, what is left has no gap above its lowest version. `folded` rises at the end.
    for (let rows = ROWS; rows === ROWS; removed += rows) {
      if (removed >= options.limit) return removed;
      rows = await removeDeltas(sql, session, candidate, Math.min(ROWS, options.limit - removed));
      if (rows < ROWS && removed + rows >= options.limit) return removed + rows;
    }
    await raiseFloor(sql, session, candidate);
  }
  return removed;
}

function candidates(
  sql: Sql,
  { olderThanMs, keepOps }: { readonly olderThanMs: number; readonly keepOps: number },
): PromiseLike<Candidate[]> {
  return sql<Candidate[]>`
    SELECT d.id AS doc, f.version AS floor, h.version AS head
    FROM (SELECT doc, max(version) AS version FROM snapshot
      WHERE at <= now() - ${olderThanMs}::float8 * interval '1 ms' GROUP BY doc) s
    JOIN document d ON d.id = s.doc AND s.version > d.folded
    CROSS JOIN LATERAL (SELECT max(version) AS version FROM delta WHERE doc = d.id) h
    CROSS JOIN LATERAL (SELECT version FROM snapshot
      WHERE doc = d.id AND at <= now() - ${olderThanMs}::float8 * interval '1 ms'
        AND version <= h.version - ${keepOps}::bigint
      ORDER BY version DESC LIMIT 1) f
    WHERE f.version > d.folded LIMIT ${DOCUMENTS}`;
}

async function removeDeltas(
  sql: Sql,
  session: SessionRef,
  { doc, floor, head }: Candidate,
  limit: number,
): Promise<number> {
  const result = await sql`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE)
    DELETE FROM delta WHERE doc = ${doc} AND version < ${head} AND version <= (
        SELECT max(version) FROM (
          SELECT version FROM delta WHERE doc = ${doc} AND version <= ${floor} ORDER BY version LIMIT ${limit}) x)
      AND EXISTS (SELECT 1 FROM me)`;
  return result.count;
}

async function raiseFloor(sql: Sql, session: SessionRef, { doc, floor }: Candidate): Promise<void> {
  await sql`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE),
    older AS (DELETE FROM snapshot WHERE doc = ${doc} AND version < ${floor} AND EXISTS (SELECT 1 FROM me))
    UPDATE document SET folded = ${floor}
    WHERE id = ${doc} AND folded < ${floor} AND EXISTS (SELECT 1 FROM me)`;
}
