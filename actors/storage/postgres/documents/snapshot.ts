// Writes a snapshot together with the clients' seqs from its deltas, in one statement: a snapshot in the
// store has its seqs, so the deltas below it may be removed. The same transaction removes the older
// snapshots that this one makes superfluous.
import { type NewSnapshot, PAIRS, type SessionRef } from '../../store.ts';
import { EMPTY_DOCUMENT, type SnapshotPlace, superfluous, THINNING_WINDOW } from '../../thinning.ts';
import { int8Array, numbers, type Sql, type Transaction, textArray } from '../connection/connect.ts';

/** Implements the store's `writeSnapshot`. */
export async function writeSnapshot(sql: Sql, session: SessionRef, snapshot: NewSnapshot): Promise<boolean> {
  const { doc } = snapshot;
  // The lock lets one writer at a time write snapshots of a document, and each sees the result of the one
  // before. The writers may be two sessions.
  return await sql.begin(async (tx) => {
    const [document] = await tx<{ folded: number }[]>`
      SELECT folded FROM document WHERE id = ${doc} FOR NO KEY UPDATE`;
    const inserted = await insertSnapshot(tx, session, snapshot);
    if (!inserted.made) return inserted.stored;
    // The session's row stays locked until the end, so a fenced session removes nothing.
    const gone = superfluous(placesOf(inserted, snapshot, document?.folded ?? 0));
    if (gone.length > 0)
      await tx`DELETE FROM snapshot WHERE doc = ${doc} AND version = ANY(${int8Array(tx, gone)})`;
    return true;
  });
}

/**
 * The snapshots to judge. A snapshot that was written before places were counted cannot be judged; the
 * sweep counts its place.
 */
function placesOf(
  { versions, sizes, logged }: Inserted,
  { version, previous, state, logged: added }: NewSnapshot,
  folded: number,
): SnapshotPlace[] {
  const newestFirst = numbers(versions);
  const bytes = numbers(sizes);
  const at = numbers(logged);
  const places: SnapshotPlace[] = [];
  for (const [i, older] of newestFirst.entries()) {
    if ((at[i] ?? -1) < 0) break;
    places.unshift({ version: older, bytes: bytes[i] ?? 0, logged: at[i] ?? 0 });
  }
  const isWhole = places.length === newestFirst.length && newestFirst.length < THINNING_WINDOW;
  if (folded === 0 && isWhole) places.unshift(EMPTY_DOCUMENT);
  const before = places.at(-1);
  if (before === undefined || before.version !== previous) return [];
  return [...places, { version, bytes: state.byteLength, logged: before.logged + added }];
}

interface Inserted {
  /** The store has this snapshot or a newer one. */
  readonly stored: boolean;
  /** This call wrote the snapshot. */
  readonly made: boolean;
  /** The earlier snapshots, newest first; null if there were none. `logged` is -1 if it is not known. */
  readonly versions: string | null;
  readonly sizes: string | null;
  readonly logged: string | null;
}

async function insertSnapshot(
  sql: Transaction,
  session: SessionRef,
  { doc, version, epoch, previous, logged, state, clients }: NewSnapshot,
): Promise<Inserted> {
  const [row] = await sql<Inserted[]>`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced' FOR SHARE),
    before AS MATERIALIZED (
      SELECT version, octet_length(state) AS size, logged FROM snapshot
      WHERE doc = ${doc} ORDER BY version DESC LIMIT ${THINNING_WINDOW}),
    newest AS (SELECT coalesce(max(version), 0) AS version FROM before),
    made AS (
      INSERT INTO snapshot (doc, version, state, logged)
      SELECT ${doc}::bigint, ${version}::bigint, ${state}::bytea, ${logged}::bigint + CASE
        WHEN ${previous}::bigint = 0 THEN 0 ELSE (SELECT logged FROM before WHERE version = ${previous}) END
      WHERE EXISTS (SELECT 1 FROM me)
        AND EXISTS (SELECT 1 FROM newest n WHERE n.version = ${previous} AND n.version < ${version})
        AND (SELECT last >= ${version} AND epoch = ${epoch} FROM delta
          WHERE doc = ${doc} AND first <= ${version} ORDER BY first DESC LIMIT 1)
      ON CONFLICT DO NOTHING RETURNING 1),
    seqs AS (
      INSERT INTO client_seq AS k (doc, client, usr, last_seq, seqs, versions)
      SELECT ${doc}::bigint, c, u, l, s::bigint[], v::bigint[]
      FROM unnest(
        ${textArray(
          sql,
          clients.map(({ client }) => client),
        )},
        ${textArray(
          sql,
          clients.map(({ user }) => user),
        )},
        ${int8Array(
          sql,
          clients.map(({ lastSeq }) => lastSeq),
        )},
        ${textArray(
          sql,
          clients.map(({ pairs }) => arrayText(pairs.map(([seq]) => seq))),
        )},
        ${textArray(
          sql,
          clients.map(({ pairs }) => arrayText(pairs.map(([, at]) => at))),
        )}) x(c, u, l, s, v)
      WHERE EXISTS (SELECT 1 FROM made) ORDER BY c
      ON CONFLICT (doc, client) DO UPDATE SET
        last_seq = greatest(k.last_seq, EXCLUDED.last_seq), usr = EXCLUDED.usr, at = now(),
        seqs = (EXCLUDED.seqs || k.seqs)[1:${PAIRS}::int],
        versions = (EXCLUDED.versions || k.versions)[1:${PAIRS}::int])
    SELECT EXISTS (SELECT 1 FROM me)
        AND (EXISTS (SELECT 1 FROM made) OR (SELECT n.version FROM newest n) >= ${version}) AS stored,
      EXISTS (SELECT 1 FROM made) AS made, b.*
    FROM (SELECT array_agg(version)::text AS versions, array_agg(size)::text AS sizes,
      array_agg(coalesce(logged, -1))::text AS logged FROM before) b`;
  return row ?? { stored: false, made: false, versions: null, sizes: null, logged: null };
}

/** The literal of an int8[]. */
const arrayText = (numbers: readonly number[]): string => `{${numbers.join()}}`;
