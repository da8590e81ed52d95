// Snapshots of earlier versions of Troupe do not have their place in the log, so writing the next snapshot
// removes none of them. This file counts their places, a few in a step, and then removes the superfluous
// ones.
import type { DocumentId, SessionRef } from '../../store.ts';
import { EMPTY_DOCUMENT, type SnapshotPlace, superfluous } from '../../thinning.ts';
import { int8Array, type Transaction } from '../connection/connect.ts';

/** Most places counted in one step. Each reads the sizes of the log between two snapshots. */
const COUNTED = 20;

interface Snapshot {
  readonly version: number;
  readonly bytes: number;
  readonly logged: number | null;
}

/**
 * True if there was something to do; there may then be more. Counts at most `limit` snapshots of one
 * document.
 */
export async function countSnapshots(
  tx: Transaction,
  session: SessionRef,
  limit: number,
): Promise<boolean | 'fenced'> {
  const [uncounted] = await tx<{ doc: DocumentId }[]>`
    SELECT doc FROM snapshot WHERE logged IS NULL ORDER BY doc LIMIT 1`;
  if (uncounted === undefined) return false;
  const { doc } = uncounted;
  const [document] = await tx<{ folded: number }[]>`
    SELECT folded FROM document WHERE id = ${doc} FOR NO KEY UPDATE`;
  const [live] = await tx`
    SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state = 'live' FOR SHARE`;
  if (live === undefined) return 'fenced';
  const folded = document?.folded ?? 0;
  const most = Math.min(COUNTED, limit);
  // The query starts from the last counted snapshot, so that each step continues the one before.
  const snapshots = await tx<Snapshot[]>`
    SELECT version, octet_length(state) AS bytes, logged FROM snapshot
    WHERE doc = ${doc} AND version >= coalesce((SELECT max(version) FROM snapshot WHERE doc = ${doc}
      AND logged IS NOT NULL AND version < (SELECT min(version) FROM snapshot WHERE doc = ${doc} AND logged IS NULL)), 0)
    ORDER BY version LIMIT ${most + 2}`;
  let before = { version: folded, logged: 0 };
  let counted = 0;
  for (const { version, logged } of snapshots) {
    if (logged === null && counted++ >= most) return true;
    before = { version, logged: logged ?? (await count(tx, doc, before, version)) };
  }
  await thin(tx, doc, folded);
  return true;
}

async function count(
  tx: Transaction,
  doc: DocumentId,
  before: { readonly version: number; readonly logged: number },
  version: number,
): Promise<number> {
  const [row] = await tx<{ logged: number }[]>`
    UPDATE snapshot SET logged = ${before.logged}::bigint + (SELECT coalesce(sum(octet_length(ops)), 0)
      FROM delta WHERE doc = ${doc} AND last > ${before.version} AND last <= ${version})
    WHERE doc = ${doc} AND version = ${version} RETURNING logged`;
  return row?.logged ?? before.logged;
}

async function thin(tx: Transaction, doc: DocumentId, folded: number): Promise<void> {
  const places = await tx<SnapshotPlace[]>`
    SELECT version, octet_length(state) AS bytes, logged FROM snapshot
    WHERE doc = ${doc} AND logged IS NOT NULL ORDER BY version`;
  const gone = superfluous(folded === 0 ? [EMPTY_DOCUMENT, ...places] : places);
  if (gone.length > 0)
    await tx`DELETE FROM snapshot WHERE doc = ${doc} AND version = ANY(${int8Array(tx, gone)})`;
}
