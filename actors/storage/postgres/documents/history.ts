// Reads stretches of a document's log: bounded by bytes, or through to the end in chunks.
import type { DocumentId, StoredDelta } from '../../store.ts';
import type { Sql, Transaction } from '../connection/connect.ts';
import { deltasOf, type StoredRun } from '../connection/run.ts';

/** Most patches per answer (plus a run), so that a stretch of tiny patches is bounded too. */
const PATCHES = 10_000;
/** Most runs per statement. */
const RUNS = 1_000;
const CHUNK_BYTES = 1_048_576;

/**
 * Deltas in (after, upTo] from the start, at least one. Empty if version `after` + 1 is no longer in the
 * log.
 */
export async function history(
  sql: Sql,
  doc: DocumentId,
  after: number,
  upTo: number,
  maxBytes: number,
): Promise<readonly StoredDelta[]> {
  const found: StoredDelta[] = [];
  let bytes = 0;
  for await (const runs of chunks(after, upTo, (from) => readRuns(sql, doc, from, upTo, maxBytes, 1))) {
    for (const delta of runs.flatMap((run) => deltasOf(run, after, upTo))) {
      bytes += delta.op.byteLength;
      const over = found.length > 0 && (bytes > maxBytes || found.length === PATCHES);
      if (over || delta.version !== after + 1 + found.length) return found;
      found.push(delta);
    }
  }
  return found;
}

/**
 * The kept log in (after, upTo] in whole encoded runs, chunk after chunk. A chunk is read when it is asked
 * for. The reader must detect gaps.
 */
export function keptRuns(
  sql: Sql | Transaction,
  doc: DocumentId,
  after: number,
  upTo: number,
): AsyncGenerator<readonly StoredRun[]> {
  return chunks(after, upTo, (from) => readRuns(sql, doc, from, upTo, CHUNK_BYTES, 0));
}

/** Yields the runs that have versions in (after, upTo], each once. */
async function* chunks(
  after: number,
  upTo: number,
  read: (after: number) => PromiseLike<readonly StoredRun[]>,
): AsyncGenerator<readonly StoredRun[]> {
  let from = after;
  while (from < upTo) {
    const base = from;
    const runs = (await read(base)).filter((run) => run.last > base);
    const last = runs.at(-1);
    if (last === undefined) return;
    from = last.last;
    yield runs;
  }
}

/**
 * Reads runs from the one that has `after` + 1, if it exists: always the next run, and others as long as
 * they fit.
 */
function readRuns(
  sql: Sql | Transaction,
  doc: DocumentId,
  after: number,
  upTo: number,
  maxBytes: number,
  /** With 1, nothing is returned if `after` is below the versions that were folded away. */
  fromFloor: 0 | 1,
): PromiseLike<readonly StoredRun[]> {
  return sql<StoredRun[]>`
    SELECT first, last, epoch, ops FROM (
      SELECT first, last, epoch, ops,
        sum(octet_length(ops)) OVER w - octet_length(ops) - first_value(octet_length(ops)) OVER w AS before
      FROM (
        SELECT first, last, epoch, ops FROM delta
        WHERE doc = ${doc} AND first <= ${upTo} AND first >= coalesce(
            (SELECT max(first) FROM delta WHERE doc = ${doc} AND first <= ${after}::bigint + 1), 0)
          AND ${after}::bigint >= (SELECT folded FROM document WHERE id = ${doc}) * ${fromFloor}::int
        ORDER BY first LIMIT ${RUNS}) x
      WINDOW w AS (ORDER BY first)) y
    WHERE before < ${maxBytes}
    ORDER BY first`;
}
