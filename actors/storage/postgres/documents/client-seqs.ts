// The seqs that a client has committed to a document: its pairs up to the newest snapshot come from
// client_seq, and later pairs from the log.
import {
  type ClientSeqs,
  type DocumentId,
  type KnownClients,
  PAIRS,
  SEQ_PAGE_BYTES,
  type SeqPage,
} from '../../store.ts';
import { int8Array, numbers, type Sql } from '../connection/connect.ts';
import { pairsOfRun, type StoredRun } from '../connection/run.ts';

/** Most rows of a page, for tiny patches. */
const SEQ_PAGE_RUNS = 1_000;

type Pair = readonly [seq: number, version: number];

/** The row of the pairs up to the newest snapshot comes first, then one row for each run above it. */
interface Kept {
  readonly base: number;
  readonly forgotten: boolean;
  readonly last_seq: number | null;
  readonly usr: string | null;
  readonly seqs: string | null;
  readonly versions: string | null;
}
type Row = (Kept & { readonly ops: null }) | StoredRun;

export async function clientSeqs(
  sql: Sql,
  doc: DocumentId,
  client: string,
  upTo: number,
): Promise<ClientSeqs | undefined> {
  // One statement reads at one moment. With two statements a new snapshot between them could move pairs
  // from the log to client_seq. A run with a patch of the client contains its name, so most runs of a
  // crowded document are not transferred.
  const rows = await sql<Row[]>`
    WITH s AS (SELECT coalesce(max(version), 0) AS base FROM snapshot WHERE doc = ${doc})
    SELECT s.base, coalesce((SELECT forgotten FROM document WHERE id = ${doc}), false) AS forgotten, k.last_seq, k.usr, k.seqs, k.versions,
      0::bigint AS first, 0::bigint AS last, 0::bigint AS epoch, NULL::bytea AS ops
    FROM s LEFT JOIN client_seq k ON k.doc = ${doc} AND k.client = ${client}
    UNION ALL
    SELECT s.base, NULL, NULL, NULL, NULL, NULL, r.first, r.last, r.epoch, r.ops
    FROM s CROSS JOIN LATERAL (SELECT first, last, epoch, ops FROM delta
      WHERE doc = ${doc} AND position(${Buffer.from(client)}::bytea IN ops) > 0
        AND last > s.base AND first <= ${upTo} AND first >= coalesce(
        (SELECT max(p.first) FROM delta p WHERE p.doc = ${doc} AND p.first <= s.base + 1), 0)) r
    ORDER BY first`;
  let kept: Kept = { base: 0, forgotten: false, last_seq: null, usr: null, seqs: null, versions: null };
  const found: Pair[] = [];
  let foundLast = 0;
  let foundUser = '';
  for (const row of rows) {
    if (row.ops === null) {
      kept = row;
      continue;
    }
    const ofRun = pairsOfRun(row, client, upTo);
    for (const pair of ofRun.pairs) {
      if (pair[1] <= kept.base) continue;
      foundUser = ofRun.user;
      found.push(pair);
      foundLast = Math.max(foundLast, pair[0]);
    }
  }
  const before = pairsOf(kept.seqs, kept.versions);
  const known = before.filter(([, version]) => version <= upTo);
  const pairs = [...found.reverse(), ...known].slice(0, PAIRS);
  // last_seq can belong to a version above upTo only if there are pairs above upTo.
  const keptLast = known.length === before.length ? (kept.last_seq ?? 0) : 0;
  const lastSeq = Math.max(foundLast, keptLast, ...pairs.map(([seq]) => seq));
  const user = foundUser || (kept.usr ?? '');
  if (pairs.length > 0) return { lastSeq, pairs, user };
  // If the client has pairs above `upTo`, it has not been forgotten.
  return kept.forgotten && before.length === 0 ? { lastSeq: null, pairs, user: '' } : undefined;
}

/**
 * Implements the store's `clients`. It reads at one moment, so no client is neither listed nor counted as
 * forgotten.
 */
export async function clients(sql: Sql, doc: DocumentId, limit: number): Promise<KnownClients> {
  const rows = await sql<{ client: string | null; forgotten: boolean }[]>`
    SELECT k.client, coalesce(d.forgotten, false) AS forgotten
    FROM (SELECT 1) one LEFT JOIN document d ON d.id = ${doc}
    LEFT JOIN (SELECT client FROM client_seq WHERE doc = ${doc} LIMIT ${limit + 1}) k ON true`;
  const clients = rows.map((row) => row.client).filter((client) => client !== null);
  return {
    clients: clients.length > limit ? undefined : clients,
    someForgotten: rows[0]?.forgotten ?? false,
  };
}

/** Implements `clients` for many documents. */
export async function clientsOfAll(
  sql: Sql,
  docs: readonly DocumentId[],
  limit: number,
): Promise<readonly KnownClients[]> {
  const rows = await sql<{ doc: DocumentId; client: string | null; forgotten: boolean }[]>`
    SELECT d.id AS doc, k.client, coalesce(f.forgotten, false) AS forgotten FROM unnest(${int8Array(sql, docs)}) d(id)
    LEFT JOIN document f ON f.id = d.id
    LEFT JOIN LATERAL (SELECT client FROM client_seq WHERE doc = d.id LIMIT ${limit + 1}) k ON true`;
  const found = new Map<DocumentId, { clients: string[]; someForgotten: boolean }>();
  for (const { doc, client, forgotten } of rows) {
    const known = found.get(doc) ?? { clients: [], someForgotten: forgotten };
    if (client !== null) known.clients.push(client);
    found.set(doc, known);
  }
  return docs.map((doc) => {
    const { clients = [], someForgotten = false } = found.get(doc) ?? {};
    return { clients: clients.length > limit ? undefined : clients, someForgotten };
  });
}

/** Implements the store's `seqPage`. Runs without the client stay in the database. */
export async function seqPage(
  sql: Sql,
  doc: DocumentId,
  client: string,
  upTo: number,
  bytes = SEQ_PAGE_BYTES,
): Promise<SeqPage> {
  const runs = await sql<(Omit<StoredRun, 'ops'> & { readonly ops: Buffer | null })[]>`
    SELECT first, last, 0::bigint AS epoch,
      CASE WHEN position(${Buffer.from(client)}::bytea IN ops) > 0 THEN ops END AS ops
    FROM (
      SELECT first, last, ops, sum(octet_length(ops)) OVER (ORDER BY first DESC) - octet_length(ops) AS before
      FROM (SELECT first, last, ops FROM delta
        WHERE doc = ${doc} AND first <= ${upTo} ORDER BY first DESC LIMIT ${SEQ_PAGE_RUNS}) x) y
    WHERE before < ${bytes} ORDER BY first DESC`;
  const pairs = runs.flatMap(({ ops, ...run }) =>
    ops === null ? [] : pairsOfRun({ ...run, ops }, client, upTo).pairs.reverse(),
  );
  return { from: runs.at(-1)?.first ?? 1, pairs };
}

function pairsOf(seqs: string | null, versions: string | null): Pair[] {
  const left = numbers(seqs);
  const right = numbers(versions);
  // Newest first, each version once: two snapshots written at the same time may both have brought a pair.
  const byVersion = new Map(left.map((seq, i): [number, number] => [right[i] ?? 0, seq]));
  return [...byVersion].sort((a, b) => b[0] - a[0]).map(([version, seq]): Pair => [seq, version]);
}
