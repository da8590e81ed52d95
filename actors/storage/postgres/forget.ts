// Retention of what is remembered of clients. One is forgotten whole, when the last that it committed has been folded
// away: as long as a patch is in the kept log it must be known for committed when it is sent again. From then on
// the document says that it has forgotten some, so that nobody is told that he never committed.
import type { DocumentId } from '../store.ts';
import { type Transaction, textArray } from './connect.ts';
import { keptRuns } from './history.ts';
import { decodeRun } from './run.ts';

export interface Forgetting {
  readonly doc: DocumentId;
  /** Everything up to this version is folded away. */
  readonly floor: number;
  readonly olderThanMs: number;
  readonly limit: number;
}

/** Clients forgotten: `limit` at most. The transaction has the document locked: no snapshot is written meanwhile. */
export async function forgetClients(tx: Transaction, what: Forgetting): Promise<number> {
  const { doc, floor, olderThanMs, limit } = what;
  const [newest] = await tx<{ version: number }[]>`
    SELECT max(version) AS version FROM snapshot WHERE doc = ${doc} AND EXISTS (
      SELECT 1 FROM client_seq WHERE doc = ${doc} AND versions[1] <= ${floor}::bigint)
    HAVING max(version) IS NOT NULL`;
  if (newest === undefined) return 0;
  // Of what was committed above the newest snapshot client_seq does not know. Who commits for the first time
  // after this loses pairs that could be forgotten anyway.
  const back = await clientsAbove(tx, doc, newest.version);
  const [row] = await tx<{ forgotten: number }[]>`
    WITH gone AS MATERIALIZED (
      SELECT client FROM client_seq
      WHERE doc = ${doc} AND versions[1] <= ${floor}::bigint
        AND at <= now() - ${olderThanMs}::float8 * interval '1 ms'
        AND client <> ALL(${textArray(tx, [...back])})
      ORDER BY client LIMIT ${limit}),
    removed AS (
      DELETE FROM client_seq k USING gone WHERE k.doc = ${doc} AND k.client = gone.client RETURNING 1),
    told AS (
      UPDATE document SET forgotten = true WHERE id = ${doc} AND NOT forgotten AND EXISTS (SELECT 1 FROM removed))
    SELECT count(*) AS forgotten FROM removed`;
  return row?.forgotten ?? 0;
}

async function clientsAbove(tx: Transaction, doc: DocumentId, version: number): Promise<ReadonlySet<string>> {
  const clients = new Set<string>();
  for await (const runs of keptRuns(tx, doc, version, Number.MAX_SAFE_INTEGER)) {
    for (const { ops } of runs) for (const { client } of decodeRun(ops)) clients.add(client);
  }
  return clients;
}
