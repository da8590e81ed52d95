// Retention of what is remembered of clients. One is forgotten whole, when the last that it committed has been folded
// away: as long as a patch is in the kept log it must be known for committed when it is sent again. From then on
// the document says that it has forgotten some, so that nobody is told that he never committed.
import type { DocumentId, SessionRef } from '../store.ts';
import { type Sql, textArray } from './connect.ts';
import { keptRuns } from './history.ts';
import { decodeRun } from './run.ts';

export interface Forgetting {
  readonly doc: DocumentId;
  /** Everything up to this version is folded away. */
  readonly floor: number;
  readonly olderThanMs: number;
  readonly limit: number;
}

/** Clients forgotten: `limit` at most. 0 also where `session` is not live. */
export async function forgetClients(sql: Sql, session: SessionRef, what: Forgetting): Promise<number> {
  const { doc, floor, olderThanMs, limit } = what;
  const [newest] = await sql<{ version: number }[]>`
    SELECT max(version) AS version FROM snapshot WHERE doc = ${doc} AND EXISTS (
      SELECT 1 FROM client_seq WHERE doc = ${doc} AND versions[1] <= ${floor}::bigint)
    HAVING max(version) IS NOT NULL`;
  if (newest === undefined) return 0;
  // Of what was committed above the newest snapshot client_seq does not know. A snapshot that is made meanwhile
  // tells it; who commits for the first time after this loses pairs that could be forgotten anyway.
  const back = await clientsAbove(sql, doc, newest.version);
  return await sql.begin(async (tx) => {
    // As whoever writes a snapshot: first the document, then the session.
    await tx`SELECT 1 FROM document WHERE id = ${doc} FOR NO KEY UPDATE`;
    const [row] = await tx<{ forgotten: number }[]>`
      WITH me AS MATERIALIZED (
        SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE),
      gone AS MATERIALIZED (
        SELECT client FROM client_seq
        WHERE doc = ${doc} AND versions[1] <= ${floor}::bigint
          AND at <= now() - ${olderThanMs}::float8 * interval '1 ms'
          AND client <> ALL(${textArray(tx, [...back])}) AND EXISTS (SELECT 1 FROM me)
        ORDER BY client LIMIT ${limit}),
      removed AS (
        DELETE FROM client_seq k USING gone WHERE k.doc = ${doc} AND k.client = gone.client RETURNING 1),
      told AS (
        UPDATE document SET forgotten = true
        WHERE id = ${doc} AND NOT forgotten AND EXISTS (SELECT 1 FROM removed))
      SELECT count(*) AS forgotten FROM removed`;
    return row?.forgotten ?? 0;
  });
}

async function clientsAbove(sql: Sql, doc: DocumentId, version: number): Promise<ReadonlySet<string>> {
  const clients = new Set<string>();
  for await (const runs of keptRuns(sql, doc, version, Number.MAX_SAFE_INTEGER)) {
    for (const { ops } of runs) for (const { client } of decodeRun(ops)) clients.add(client);
  }
  return clients;
}
