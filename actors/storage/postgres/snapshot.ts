// Writes a snapshot, and with it what its deltas say about the clients' seqs, in one statement: a
// snapshot that exists has its seqs, so the deltas below it may go.
import { type NewSnapshot, PAIRS, type SessionRef } from '../store.ts';
import { int8Array, type Sql, type Transaction, textArray } from './connect.ts';

/** As the store's. */
export async function writeSnapshot(
  sql: Sql,
  session: SessionRef,
  { doc, version, epoch, previous, state, clients }: NewSnapshot,
): Promise<boolean> {
  // One at a time for a document, each seeing what the one before has written: they may come from two sessions.
  return await sql.begin(async (tx) => {
    await tx`SELECT 1 FROM document WHERE id = ${doc} FOR NO KEY UPDATE`;
    return await insertSnapshot(tx, session, { doc, version, epoch, previous, state, clients });
  });
}

async function insertSnapshot(
  sql: Transaction,
  session: SessionRef,
  { doc, version, epoch, previous, state, clients }: NewSnapshot,
): Promise<boolean> {
  const [row] = await sql<{ written: boolean }[]>`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced' FOR SHARE),
    newest AS (SELECT coalesce(max(version), 0) AS version FROM snapshot WHERE doc = ${doc}),
    made AS (
      INSERT INTO snapshot (doc, version, state) SELECT ${doc}::bigint, ${version}::bigint, ${state}::bytea
      WHERE EXISTS (SELECT 1 FROM me)
        AND EXISTS (SELECT 1 FROM newest n WHERE n.version = ${previous} AND n.version < ${version})
        AND (SELECT last >= ${version} AND epoch = ${epoch} FROM delta
          WHERE doc = ${doc} AND first <= ${version} ORDER BY first DESC LIMIT 1)
      ON CONFLICT DO NOTHING RETURNING 1),
    seqs AS (
      INSERT INTO client_seq AS k (doc, client, last_seq, seqs, versions)
      SELECT ${doc}::bigint, c, l, s::bigint[], v::bigint[]
      FROM unnest(
        ${textArray(
          sql,
          clients.map(({ client }) => client),
        )},
        ${int8Array(
          sql,
          clients.map(({ lastSeq }) => lastSeq),
        )},
        ${textArray(
          sql,
          clients.map(({ pairs }) => arrayText(pairs.map(([seq]) => seq))),
        )},
        ${textArray(
          sql,
          clients.map(({ pairs }) => arrayText(pairs.map(([, at]) => at))),
        )}) x(c, l, s, v)
      WHERE EXISTS (SELECT 1 FROM made) ORDER BY c
      ON CONFLICT (doc, client) DO UPDATE SET
        last_seq = greatest(k.last_seq, EXCLUDED.last_seq), at = now(),
        seqs = (EXCLUDED.seqs || k.seqs)[1:${PAIRS}::int],
        versions = (EXCLUDED.versions || k.versions)[1:${PAIRS}::int])
    SELECT EXISTS (SELECT 1 FROM me)
      AND (EXISTS (SELECT 1 FROM made) OR (SELECT n.version FROM newest n) >= ${version}) AS written`;
  return row?.written ?? false;
}

/** As an int8[]. */
const arrayText = (numbers: readonly number[]): string => `{${numbers.join()}}`;
