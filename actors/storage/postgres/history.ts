// Reads a stretch of a document's log, bounded by bytes.
import type { DocumentId, StoredDelta } from '../store.ts';
import type { Sql } from './connect.ts';

/** Rows per statement at most, so that a stretch of tiny patches stays bounded too. */
const ROWS = 10_000;

/** Deltas in (after, upTo] from the start, at least one; empty where `after` + 1 is not there any more. */
export async function history(
  sql: Sql,
  doc: DocumentId,
  after: number,
  upTo: number,
  maxBytes: number,
): Promise<readonly StoredDelta[]> {
  const rows = await sql<StoredDelta[]>`
    SELECT version, epoch, client, seq, op FROM (
      SELECT version, epoch, client, seq, op, sum(octet_length(op)) OVER (ORDER BY version) AS bytes FROM (
        SELECT version, epoch, client, seq, op FROM delta
        WHERE doc = ${doc} AND version > ${after} AND version <= ${upTo}
          AND ${after}::bigint >= (SELECT folded FROM document WHERE id = ${doc})
        ORDER BY version LIMIT ${ROWS}) x) y
    WHERE bytes <= ${maxBytes} OR version = ${after}::bigint + 1
    ORDER BY version`;
  return rows[0]?.version === after + 1
    ? rows.map(({ version, epoch, client, seq, op }) => ({ version, epoch, client, seq, op }))
    : [];
}
