// One slice of the sweep over all documents: it applies retention, and does the remaining work for
// snapshots of earlier versions. A slice is one transaction that holds the row of the pass, so one node at
// a time sweeps. If the slice or its node ends, any other node goes on. A slice is bounded in patches,
// clients, documents and time.
//
// A transaction locks the row of the pass, then documents, then its session, in the order of all other
// transactions.
import { PASS_SHARE, type SessionRef, type SweepOptions, type SweepSlice } from '../../store.ts';
import type { Sql, Transaction } from '../connection/connect.ts';
import { clearDocument, raiseFloor } from './compact.ts';
import { countSnapshots } from './count-snapshots.ts';

/** Most documents that a slice looks at. */
const DOCUMENTS = 500;

interface Pass {
  readonly doc: number;
  readonly isDue: boolean;
}

export async function sweep(sql: Sql, session: SessionRef, options: SweepOptions): Promise<SweepSlice> {
  return await sql.begin(async (tx) => {
    const [pass] = await tx<Pass[]>`
      SELECT doc, doc > 0 OR due <= clock_timestamp() AS "isDue" FROM sweep FOR UPDATE SKIP LOCKED`;
    if (pass === undefined) return { type: 'busy' };
    const counted = await countSnapshots(tx, session, options.limit);
    if (counted === 'fenced') return { type: 'fenced' };
    if (counted) return { type: 'more', removed: 0 };
    if (options.retention === null || !pass.isDue) return { type: 'idle' };
    return await retain(tx, session, pass, options);
  });
}

async function retain(
  tx: Transaction,
  session: SessionRef,
  { doc: after }: Pass,
  { retention, limit, sliceMs, everyMs }: SweepOptions,
): Promise<SweepSlice> {
  if (retention === null) return { type: 'idle' };
  const look = Math.min(DOCUMENTS, limit);
  const page = await tx<{ doc: number; floor: number | null; cleared: number; folded: number }[]>`
    SELECT d.id AS doc, d.cleared, d.folded, f.version AS floor
    FROM (SELECT id, folded, cleared FROM document WHERE id > ${after} ORDER BY id LIMIT ${look}) d
    LEFT JOIN LATERAL (SELECT s.version FROM snapshot s WHERE s.doc = d.id AND s.version > d.folded
        AND s.at <= now() - ${retention.olderThanMs}::float8 * interval '1 ms'
        AND s.version <= ${retention.keepOps}::bigint * -1
          + (SELECT last FROM delta WHERE doc = d.id ORDER BY first DESC LIMIT 1)
      ORDER BY s.version DESC LIMIT 1) f ON true
    ORDER BY d.id`;
  let removed = 0;
  let done = after;
  for (const { doc, floor, cleared, folded } of page) {
    if (floor !== null || cleared < folded) {
      const state = await lock(tx, session, doc);
      if (state === undefined) return { type: 'fenced' };
      // The versions that are already folded away are removed before more are folded.
      if (state.cleared === state.folded && floor !== null && floor > state.folded) {
        await raiseFloor(tx, doc, floor);
        state.folded = floor;
      }
      const step = await clearDocument(tx, {
        doc,
        floor: state.folded,
        olderThanMs: retention.olderThanMs,
        limit: limit - removed,
      });
      removed += step.removed;
      if (step.more) break;
    }
    done = doc;
    if (removed >= limit || (await tookMs(tx)) > sliceMs) break;
  }
  const last = page.at(-1)?.doc;
  const isOver = last === undefined || (done === last && page.length < look);
  // A pass that takes long is followed by a longer pause.
  if (isOver)
    await tx`UPDATE sweep SET doc = 0, due = clock_timestamp() + greatest(${everyMs}::float8 * interval '1 ms',
      CASE WHEN ${after}::bigint > 0 THEN ${PASS_SHARE}::int * (clock_timestamp() - began) ELSE '0' END)`;
  else await tx`UPDATE sweep SET doc = ${done}, began = CASE WHEN doc > 0 THEN began ELSE now() END`;
  return { type: isOver ? 'done' : 'more', removed };
}

/**
 * Undefined if the session is not live; it then never will be. Otherwise the session stays live until the
 * transaction ends.
 */
async function lock(
  tx: Transaction,
  session: SessionRef,
  doc: number,
): Promise<{ folded: number; cleared: number } | undefined> {
  const [document] = await tx<{ folded: number; cleared: number }[]>`
    SELECT folded, cleared FROM document WHERE id = ${doc} FOR NO KEY UPDATE`;
  const [live] = await tx`
    SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE`;
  return live && document;
}

async function tookMs(tx: Transaction): Promise<number> {
  const [took] = await tx<{ ms: number }[]>`
    SELECT (extract(epoch FROM clock_timestamp() - now()) * 1000)::int AS ms`;
  return took?.ms ?? 0;
}
