// Retention: folds old deltas away, and then forgets the clients of whom nothing else is left (forget.ts). A
// document's floor is its newest snapshot that is old enough and far enough behind the head; every version from the floor on stays readable, and the head stays always.
//
// Runs that are folded away whole are deleted. One that is only in part keeps its row and key, and its patches
// from there on; so the head's run is always there: a batch proves itself by it, and a writer that is a
// batch behind meets its key.
import type { DocumentId, SessionRef } from '../store.ts';
import type { Sql } from './connect.ts';
import { forgetClients } from './forget.ts';
import { countOfRun, decodeRun, encodeRun, RUN_HEADER_BYTES } from './run.ts';

/** Documents looked up at once, and runs deleted in one statement. */
const DOCUMENTS = 100;
const RUNS = 2_000;

interface Candidate {
  doc: DocumentId;
  floor: number;
  head: number;
}

/** Deltas removed and clients forgotten: about `limit` at most. 0 also where `session` is not live. */
export async function compact(
  sql: Sql,
  session: SessionRef,
  options: { readonly olderThanMs: number; readonly keepOps: number; readonly limit: number },
): Promise<number> {
  let removed = 0;
  for (const candidate of await candidates(sql, options)) {
    // From the bottom: while it lasts, what is left has no gap above its lowest version. `folded` rises at the end.
    for (let more = true; more; ) {
      if (removed >= options.limit) return removed;
      const step = await removeDeltas(sql, session, candidate, options.limit - removed);
      removed += step.removed;
      if (step.stop) return removed;
      more = step.more;
    }
    if (removed >= options.limit) return removed;
    const { doc, floor } = candidate;
    const limit = options.limit - removed;
    removed += await forgetClients(sql, session, { doc, floor, olderThanMs: options.olderThanMs, limit });
    if (removed >= options.limit) return removed;
    await raiseFloor(sql, session, candidate);
  }
  return removed;
}

function candidates(
  sql: Sql,
  { olderThanMs, keepOps }: { readonly olderThanMs: number; readonly keepOps: number },
): PromiseLike<Candidate[]> {
  return sql<Candidate[]>`
    SELECT d.id AS doc, f.version AS floor, h.version AS head
    FROM (SELECT doc, max(version) AS version FROM snapshot
      WHERE at <= now() - ${olderThanMs}::float8 * interval '1 ms' GROUP BY doc) s
    JOIN document d ON d.id = s.doc AND s.version > d.folded
    CROSS JOIN LATERAL (SELECT last AS version FROM delta WHERE doc = d.id ORDER BY first DESC LIMIT 1) h
    CROSS JOIN LATERAL (SELECT version FROM snapshot
      WHERE doc = d.id AND at <= now() - ${olderThanMs}::float8 * interval '1 ms'
        AND version <= h.version - ${keepOps}::bigint
      ORDER BY version DESC LIMIT 1) f
    WHERE f.version > d.folded LIMIT ${DOCUMENTS}`;
}

interface Step {
  /** Patches. */
  readonly removed: number;
  /** Other runs at or below the floor are left. */
  readonly more: boolean;
  /** The limit is reached, or somebody else is at it: the floor must not rise. */
  readonly stop: boolean;
}

/** One statement's worth: runs from the bottom, or the start of one. */
async function removeDeltas(
  sql: Sql,
  session: SessionRef,
  { doc, floor, head }: Candidate,
  limit: number,
): Promise<Step> {
  const runs = await sql<{ first: number; last: number; header: Buffer }[]>`
    SELECT first, last, substring(ops, 1, ${RUN_HEADER_BYTES}::int) AS header FROM delta
    WHERE doc = ${doc} AND first <= ${floor} ORDER BY first LIMIT ${RUNS}`;
  const end = Math.min(floor, head - 1);
  let whole = 0;
  let deleteTo = 0;
  for (const { first, last, header } of runs) {
    const lowest = last - countOfRun(header) + 1;
    if (last <= end && whole + last - lowest + 1 <= limit) {
      whole += last - lowest + 1;
      deleteTo = first;
      continue;
    }
    const patches = Math.min(last - lowest + 1, end - lowest + 1, limit - whole);
    if (patches <= 0) break;
    // What is whole goes first; then this one is the lowest.
    if (whole > 0) break;
    const cut = await cutRun(sql, session, doc, { first, last }, lowest + patches);
    return { removed: cut ? patches : 0, more: cut, stop: !cut || patches === limit };
  }
  if (whole === 0) return { removed: 0, more: false, stop: false };
  const removed = await deleteRuns(sql, session, doc, deleteTo);
  return { removed: removed ? whole : 0, more: removed, stop: !removed || whole === limit };
}

async function deleteRuns(sql: Sql, session: SessionRef, doc: DocumentId, to: number): Promise<boolean> {
  const result = await sql`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE)
    DELETE FROM delta WHERE doc = ${doc} AND first <= ${to} AND EXISTS (SELECT 1 FROM me)`;
  return result.count > 0;
}

/** Takes the patches below `lowest` off a run. false: the session is fenced, or another took some off meanwhile. */
async function cutRun(
  sql: Sql,
  session: SessionRef,
  doc: DocumentId,
  { first, last }: { readonly first: number; readonly last: number },
  lowest: number,
): Promise<boolean> {
  const [run] = await sql<{ ops: Buffer }[]>`SELECT ops FROM delta WHERE doc = ${doc} AND first = ${first}`;
  if (!run) return false;
  // Counted from the end: the start may be gone since the run was looked at, the end stays as it is.
  const patches = decodeRun(run.ops);
  const kept = last - lowest + 1;
  if (patches.length <= kept) return false;
  const rest = encodeRun(patches.slice(patches.length - kept));
  const result = await sql`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE)
    UPDATE delta SET ops = ${rest} WHERE doc = ${doc} AND first = ${first} AND ops = ${run.ops}
      AND EXISTS (SELECT 1 FROM me)`;
  return result.count > 0;
}

async function raiseFloor(sql: Sql, session: SessionRef, { doc, floor }: Candidate): Promise<void> {
  await sql`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE),
    older AS (DELETE FROM snapshot WHERE doc = ${doc} AND version < ${floor} AND EXISTS (SELECT 1 FROM me))
    UPDATE document SET folded = ${floor}
    WHERE id = ${doc} AND folded < ${floor} AND EXISTS (SELECT 1 FROM me)`;
}
