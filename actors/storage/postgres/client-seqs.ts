// What a client has committed to a document: its pairs up to the newest snapshot from client_seq, and
// those after it from the log.
import { type DocumentId, PAIRS } from '../store.ts';
import type { Sql } from './connect.ts';

type Pair = readonly [seq: number, version: number];

export async function clientSeqs(
  sql: Sql,
  doc: DocumentId,
  client: string,
  upTo: number,
): Promise<{ lastSeq: number; pairs: readonly Pair[] } | undefined> {
  const [row] = await sql<
    {
      kept_last: number | null;
      kept_seqs: string | null;
      kept_versions: string | null;
      new_last: number | null;
      new_seqs: string | null;
      new_versions: string | null;
    }[]
  >`
    SELECT k.last_seq AS kept_last, k.seqs AS kept_seqs, k.versions AS kept_versions,
      n.last_seq AS new_last, n.seqs AS new_seqs, n.versions AS new_versions
    FROM (SELECT coalesce(max(version), 0) AS version FROM snapshot WHERE doc = ${doc}) s
    LEFT JOIN client_seq k ON k.doc = ${doc} AND k.client = ${client}
    CROSS JOIN LATERAL (
      SELECT max(seq) AS last_seq, (array_agg(seq ORDER BY version DESC))[1:${PAIRS}::int] AS seqs,
        (array_agg(version ORDER BY version DESC))[1:${PAIRS}::int] AS versions
      FROM delta WHERE doc = ${doc} AND client = ${client} AND version > s.version AND version <= ${upTo}) n`;
  if (!row) return undefined;
  const kept = pairsOf(row.kept_seqs, row.kept_versions);
  const known = kept.filter(([, version]) => version <= upTo);
  const pairs = [...pairsOf(row.new_seqs, row.new_versions), ...known].slice(0, PAIRS);
  // last_seq may be of a version above upTo only where pairs above it are.
  const keptLast = known.length === kept.length ? (row.kept_last ?? 0) : 0;
  const lastSeq = Math.max(row.new_last ?? 0, keptLast, ...pairs.map(([seq]) => seq));
  return pairs.length === 0 ? undefined : { lastSeq, pairs };
}

/** Clients in client_seq, in no order; undefined where they are more than `limit`. */
export async function clients(
  sql: Sql,
  doc: DocumentId,
  limit: number,
): Promise<readonly string[] | undefined> {
  const rows = await sql<{ client: string }[]>`
    SELECT client FROM client_seq WHERE doc = ${doc} LIMIT ${limit + 1}`;
  return rows.length > limit ? undefined : rows.map((row) => row.client);
}

/** Reads the document's kept log: for the rare seq that the pairs do not settle. */
export async function seqVersion(
  sql: Sql,
  doc: DocumentId,
  client: string,
  seq: number,
): Promise<number | undefined> {
  const [row] = await sql<{ version: number }[]>`
    SELECT version FROM delta WHERE doc = ${doc} AND client = ${client} AND seq = ${seq} LIMIT 1`;
  return row?.version;
}

function pairsOf(seqs: string | null, versions: string | null): Pair[] {
  const left = numbers(seqs);
  const right = numbers(versions);
  // Newest first, each version once: two snapshots written at the same time may both have brought it.
  const byVersion = new Map(left.map((seq, i): [number, number] => [right[i] ?? 0, seq]));
  return [...byVersion].sort((a, b) => b[0] - a[0]).map(([version, seq]): Pair => [seq, version]);
}

/** An int8[] as PostgreSQL writes it. */
const numbers = (literal: string | null): number[] =>
  literal === null || literal === '{}' ? [] : literal.slice(1, -1).split(',').map(Number);
