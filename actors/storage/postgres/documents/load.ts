// Reads documents as a snapshot and the log after it, at one moment, so that compaction removes nothing
// between the two. One document is read by a statement that names it, whose plan covers two partitions
// instead of all. Many are read by one statement, which stops when the answer has no room for more.
import { checkComplete } from '../../log.ts';
import { type DocumentId, type LoadedDocument, READ_TOGETHER, type StoredDelta } from '../../store.ts';
import { int8Array, numbers, type Sql } from '../connection/connect.ts';
import { deltasOf, type StoredRun } from '../connection/run.ts';

/** Implements the store's `load`. */
export async function load(
  sql: Sql,
  ids: readonly DocumentId[],
  maxBytes = Number.MAX_SAFE_INTEGER,
): Promise<readonly LoadedDocument[]> {
  const [id] = ids;
  if (id === undefined) return [];
  if (ids.length === 1) return [await loadOne(sql, id, Number.MAX_SAFE_INTEGER)];
  return loadSome(sql, ids.slice(0, READ_TOGETHER), maxBytes);
}

/**
 * One document at version `upTo`. Rejects with LogGap, also if that version is folded away or was never
 * reached.
 */
export async function loadAt(sql: Sql, id: DocumentId, upTo: number): Promise<LoadedDocument> {
  return checkComplete(await loadOne(sql, id, upTo), upTo);
}

/**
 * A document in one row, because each row costs the driver more than its content: lists of PostgreSQL, and
 * the bytes of all runs.
 */
interface Whole {
  readonly doc: DocumentId;
  /** Both null if there is no snapshot. */
  readonly version: number | null;
  readonly state: Buffer | null;
  /** All null if no run follows. */
  readonly firsts: string | null;
  readonly lasts: string | null;
  readonly epochs: string | null;
  readonly lengths: string | null;
  readonly ops: Buffer | null;
}

async function loadSome(
  sql: Sql,
  ids: readonly DocumentId[],
  maxBytes: number,
): Promise<readonly LoadedDocument[]> {
  // PostgreSQL knows the sizes of values without reading them, so finding the number of documents that fit
  // costs no reading. The runs begin with the one that has the snapshot's version, because the snapshot may
  // have been taken inside it.
  const rows = await sql<Whole[]>`
    SELECT y.doc, y.version, y.state, z.* FROM (
      SELECT d.id AS doc, d.place, s.version, s.state, x.floor,
        sum(coalesce(octet_length(s.state), 0) + x.bytes) OVER (ORDER BY d.place) AS bytes
      FROM unnest(${int8Array(sql, ids)}) WITH ORDINALITY d(id, place)
      LEFT JOIN LATERAL (SELECT version, state FROM snapshot
        WHERE doc = d.id ORDER BY version DESC LIMIT 1) s ON true
      CROSS JOIN LATERAL (SELECT f.floor, (SELECT coalesce(sum(octet_length(ops)), 0) FROM delta
          WHERE doc = d.id AND last > coalesce(s.version, 0) AND first >= f.floor) AS bytes
        FROM (SELECT coalesce((SELECT first FROM delta
          WHERE doc = d.id AND first <= s.version + 1 ORDER BY first DESC LIMIT 1), 0) AS floor OFFSET 0) f) x) y
    CROSS JOIN LATERAL (
      SELECT array_agg(first)::text AS firsts, array_agg(last)::text AS lasts, array_agg(epoch)::text AS epochs,
        array_agg(octet_length(ops))::text AS lengths, string_agg(ops, ''::bytea) AS ops
      FROM (SELECT first, last, epoch, ops FROM delta
        WHERE doc = y.doc AND last > coalesce(y.version, 0) AND first >= y.floor ORDER BY first) r) z
    WHERE y.bytes <= ${maxBytes} OR y.place = 1 ORDER BY y.place`;
  return rows.map((row) => {
    const snapshotVersion = row.version ?? 0;
    const deltas = deltasOfRuns(row, snapshotVersion);
    return checkComplete({ id: row.doc, snapshotVersion, snapshot: row.state ?? undefined, deltas });
  });
}

function deltasOfRuns({ ops, ...lists }: Whole, after: number): StoredDelta[] {
  if (ops === null) return [];
  const [firsts, lasts, epochs] = [numbers(lists.firsts), numbers(lists.lasts), numbers(lists.epochs)];
  const deltas: StoredDelta[] = [];
  let start = 0;
  for (const [at, length] of numbers(lists.lengths).entries()) {
    const run = {
      first: firsts[at] ?? 0,
      last: lasts[at] ?? 0,
      epoch: epochs[at] ?? 0,
      ops: ops.subarray(start, start + length),
    };
    for (const delta of deltasOf(run, after, Number.MAX_SAFE_INTEGER)) deltas.push(delta);
    start += length;
  }
  return deltas;
}

/** The row of the snapshot comes first, if there is one; its `ops` are null. */
type Row = { readonly version: number; readonly state: Buffer; readonly ops: null } | StoredRun;

async function loadOne(sql: Sql, id: DocumentId, highest: number): Promise<LoadedDocument> {
  const rows = await sql<Row[]>`
    WITH s AS MATERIALIZED (SELECT version, state FROM snapshot
      WHERE doc = ${id} AND version <= ${highest} ORDER BY version DESC LIMIT 1)
    SELECT version, state, 0::bigint AS first, 0::bigint AS last, 0::bigint AS epoch, NULL::bytea AS ops FROM s
    UNION ALL
    SELECT 0, NULL, first, last, epoch, ops FROM delta
    WHERE doc = ${id} AND last > coalesce((SELECT version FROM s), 0) AND first <= ${highest}
      AND first >= coalesce((SELECT max(p.first) FROM delta p
        WHERE p.doc = ${id} AND p.first <= coalesce((SELECT version FROM s), 0) + 1), 0)
    ORDER BY first`;
  let snapshotVersion = 0;
  let snapshot: Buffer | undefined;
  const deltas: StoredDelta[] = [];
  for (const row of rows) {
    if (row.ops === null) {
      snapshotVersion = row.version;
      snapshot = row.state;
    } else for (const delta of deltasOf(row, snapshotVersion, highest)) deltas.push(delta);
  }
  return checkComplete({ id, snapshotVersion, snapshot, deltas });
}
