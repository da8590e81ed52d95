// Reads stretches of a document's log with the time of each patch, and finds the version of a moment.
import type { PastDocument, PastPatch } from '../../past-store.ts';
import type { DocumentId } from '../../store.ts';
import type { Reader } from '../connection/connect.ts';
import { decodeRun } from '../connection/run.ts';

/** Most runs per statement. */
const RUNS = 5_000;

interface TimedRun {
  readonly last: number;
  readonly at: number;
  readonly ops: Buffer;
}

/** Milliseconds since 1970, as an SQL expression. */
export const EPOCH_MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint`;

export async function patches(
  sql: Reader,
  doc: DocumentId,
  after: number,
  upTo: number,
  { limit, maxBytes }: { readonly limit: number; readonly maxBytes: number },
): Promise<readonly PastPatch[]> {
  if (upTo <= after) return [];
  // Without the bound of `limit`, PostgreSQL may read and sort the whole rest of the log for each page.
  const least = Math.min(upTo, after + limit);
  const runs = await sql<TimedRun[]>`
    SELECT last, at, ops FROM (
      SELECT first, last, ops, ${sql.unsafe(EPOCH_MS('at'))} AS at,
        sum(octet_length(ops)) OVER w - octet_length(ops) AS bytes,
        sum(last - first + 1) OVER w - (last - first + 1) - first_value(last - first + 1) OVER w AS patches
      FROM (
        SELECT first, last, at, ops FROM delta
        WHERE doc = ${doc} AND first <= ${least} AND first >= coalesce(
          (SELECT max(first) FROM delta WHERE doc = ${doc} AND first <= ${after}::bigint + 1), 0)
        ORDER BY first LIMIT ${Math.min(RUNS, limit + 1)}) x
      WINDOW w AS (ORDER BY first)) y
    WHERE bytes = 0 OR (bytes < ${maxBytes} AND patches < ${limit})
    ORDER BY first`;
  const found: PastPatch[] = [];
  let bytes = 0;
  for (const { last, at, ops } of runs) {
    const inRun = decodeRun(ops);
    const start = last - inRun.length + 1;
    for (let i = Math.max(0, after + 1 - start); i < inRun.length && start + i <= upTo; i++) {
      const patch = inRun[i];
      if (patch === undefined) break;
      bytes += patch.op.byteLength;
      if (found.length > 0 && (found.length >= limit || bytes > maxBytes)) return found;
      const { client, user, op } = patch;
      found.push({ version: start + i, client, user, at, op });
    }
  }
  return found;
}

/**
 * The times of runs rise with the versions, because the next batch of a document begins after the one before has
 * committed. So this is a binary search over the primary key.
 */
export async function versionAt(
  sql: Reader,
  { id, folded, head }: PastDocument,
  at: number,
): Promise<number> {
  // Every kept version up to `low` was written in time, and every version above `high` too late.
  let low = folded;
  let high = head;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [run] = await sql<{ first: number; last: number; at: number }[]>`
      SELECT first, last, ${sql.unsafe(EPOCH_MS('at'))} AS at FROM delta
      WHERE doc = ${id} AND first <= ${middle} ORDER BY first DESC LIMIT 1`;
    if (run === undefined || run.last < middle) low = middle;
    else if (run.at <= at) low = Math.min(run.last, head);
    else high = run.first - 1;
  }
  return low > folded ? low : 0;
}
