// Writes a snapshot, and with it what its deltas say about the clients' seqs, in one statement: a
// snapshot that exists has its seqs, so the deltas below it may go.
import { type DocumentId, type Epoch, PAIRS, type SessionRef } from '../store.ts';
import type { Sql } from './connect.ts';

/** false: the session is fenced, the log has no such version of that epoch, or `previous` is not the newest snapshot. */
export async function writeSnapshot(
  sql: Sql,
  session: SessionRef,
  doc: DocumentId,
  version: number,
  epoch: Epoch,
  previous: number,
  state: Uint8Array,
): Promise<boolean> {
  const [row] = await sql<{ written: boolean }[]>`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced' FOR SHARE),
    newest AS (SELECT coalesce(max(version), 0) AS version FROM snapshot WHERE doc = ${doc}),
    made AS (
      INSERT INTO snapshot (doc, version, state) SELECT ${doc}::bigint, ${version}::bigint, ${state}::bytea
      WHERE EXISTS (SELECT 1 FROM me)
        AND EXISTS (SELECT 1 FROM newest n WHERE n.version = ${previous} AND n.version < ${version})
        AND EXISTS (SELECT 1 FROM delta WHERE doc = ${doc} AND version = ${version} AND epoch = ${epoch})
      ON CONFLICT DO NOTHING RETURNING 1),
    seqs AS (
      INSERT INTO client_seq AS k (doc, client, last_seq, seqs, versions)
      SELECT doc, client, max(seq), (array_agg(seq ORDER BY version DESC))[1:${PAIRS}::int],
        (array_agg(version ORDER BY version DESC))[1:${PAIRS}::int]
      FROM delta
      WHERE doc = ${doc} AND version > ${previous} AND version <= ${version} AND EXISTS (SELECT 1 FROM made)
      GROUP BY doc, client ORDER BY client
      ON CONFLICT (doc, client) DO UPDATE SET
        last_seq = greatest(k.last_seq, EXCLUDED.last_seq), at = now(),
        seqs = (EXCLUDED.seqs || k.seqs)[1:${PAIRS}::int],
        versions = (EXCLUDED.versions || k.versions)[1:${PAIRS}::int])
    SELECT EXISTS (SELECT 1 FROM me)
      AND (EXISTS (SELECT 1 FROM made) OR (SELECT n.version FROM newest n) >= ${version}) AS written`;
  return row?.written ?? false;
}
