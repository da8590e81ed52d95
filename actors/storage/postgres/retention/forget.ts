// Retention of the memory of clients. A client is forgotten whole, when its last commit has been folded
// away: as long as one of its patches is in the kept log, a repeated submit must be recognised. From then
// on the document records that it has forgotten clients, so that no client is told that it never committed.
import type { DocumentId } from '../../store.ts';
import { type Transaction, textArray } from '../connection/connect.ts';
import { decodeRun } from '../connection/run.ts';
import { keptRuns } from '../documents/history.ts';

export interface Forgetting {
  readonly doc: DocumentId;
  /** Everything up to this version is folded away. */
  readonly floor: number;
  readonly olderThanMs: number;
  readonly limit: number;
}

/**
 * Forgets at most `limit` clients and returns their number. The transaction has the document locked, so no
 * snapshot is written meanwhile.
 */
export async function forgetClients(tx: Transaction, what: Forgetting): Promise<number> {
  const { doc, floor, olderThanMs, limit } = what;
  const [newest] = await tx<{ version: number }[]>`
    SELECT max(version) AS version FROM snapshot WHERE doc = ${doc} AND EXISTS (
      SELECT 1 FROM client_seq WHERE doc = ${doc} AND versions[1] <= ${floor}::bigint)
    HAVING max(version) IS NOT NULL`;
  if (newest === undefined) return 0;
  // client_seq does not know the commits above the newest snapshot. A client that commits again only after
  // this point loses pairs that could be forgotten anyway.
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
