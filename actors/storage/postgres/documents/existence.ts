// Deletes documents and brings them back. A deleted document keeps all its rows, and its name is free. Both are
// statements of the session that owns the document's shard: a session that is fenced, or that has handed the shard
// over, changes nothing.
//
// A transaction locks the document, then the session, in the order of all other transactions.
import type { Existence, SessionRef } from '../../store.ts';
import type { Sql, Transaction } from '../connection/connect.ts';
import { classify } from '../connection/errors.ts';

export interface NamedDocument {
  readonly org: string;
  readonly name: string;
  readonly shard: number;
}

/** The mark of the request, and its user, as far as it is known. */
export interface Change {
  readonly mark: string;
  readonly user: string | null;
}

interface Row {
  readonly id: number;
  readonly mark: string;
}

/** Implements the store's `remove`. */
export async function remove(
  sql: Sql,
  session: SessionRef,
  { org, name, shard }: NamedDocument,
  { mark, user }: Change,
  isTold: boolean,
): Promise<Existence> {
  return await sql.begin(async (tx): Promise<Existence> => {
    const [live] = await tx<Row[]>`
      SELECT id, mark FROM document WHERE org = ${org} AND name = ${name} AND deleted_at IS NULL FOR NO KEY UPDATE`;
    if (!(await mayChange(tx, session, shard))) return { type: 'fenced' };
    if (live === undefined) {
      const last = await lastDeleted(tx, org, name);
      return last?.mark === mark ? { type: 'changed', id: last.id } : { type: 'none' };
    }
    await tx`UPDATE document SET deleted_at = now(), mark = ${mark} WHERE id = ${live.id}`;
    if (isTold) await markDeleted(tx, session, live.id, user);
    return { type: 'changed', id: live.id };
  });
}

/** Implements the store's `bringBack`. */
export async function bringBack(
  sql: Sql,
  session: SessionRef,
  { org, name, shard }: NamedDocument,
  { mark, user }: Change,
  trashMs: number,
  isTold: boolean,
): Promise<Existence> {
  try {
    return await sql.begin(async (tx): Promise<Existence> => {
      const last = await lastDeleted(tx, org, name);
      if (!(await mayChange(tx, session, shard))) return { type: 'fenced' };
      const [live] = await tx<Row[]>`
        SELECT id, mark FROM document WHERE org = ${org} AND name = ${name} AND deleted_at IS NULL`;
      if (live !== undefined)
        return live.mark === mark ? { type: 'changed', id: live.id } : { type: 'exists' };
      if (last === undefined || last.ageMs > trashMs || last.erasing) return { type: 'none' };
      await tx`UPDATE document SET deleted_at = NULL, mark = ${mark} WHERE id = ${last.id}`;
      if (isTold) await markBroughtBack(tx, session, last.id, user);
      return { type: 'changed', id: last.id };
    });
  } catch (error) {
    if (classify(error) === 'duplicate') return { type: 'exists' };
    throw error;
  }
}

/** The deletion is told at once. The document may be erased before: the mark keeps its name. */
async function markDeleted(
  tx: Transaction,
  session: SessionRef,
  doc: number,
  user: string | null,
): Promise<void> {
  await tx`
    INSERT INTO change AS c (doc, session, due, deleted, told, org, name, deleted_at, deleted_by)
    SELECT d.id, ${session.id}, now(), true,
      coalesce((SELECT p.last FROM delta p WHERE p.doc = d.id ORDER BY p.first DESC LIMIT 1), 0), d.org, d.name,
      now(), ${user}
    FROM document d WHERE d.id = ${doc}
    ON CONFLICT (doc) DO UPDATE SET session = EXCLUDED.session, due = EXCLUDED.due, deleted = true,
      org = EXCLUDED.org, name = EXCLUDED.name, deleted_at = EXCLUDED.deleted_at, deleted_by = EXCLUDED.deleted_by`;
}

/**
 * A document that is back is told as created, after a deletion that was not told yet. If its first creation was not told
 * yet, that alone is told.
 */
async function markBroughtBack(
  tx: Transaction,
  session: SessionRef,
  doc: number,
  user: string | null,
): Promise<void> {
  await tx`
    INSERT INTO change AS c (doc, session, due, created, told, returned_at, returned_by)
    VALUES (${doc}, ${session.id}, now(), true,
      coalesce((SELECT p.last FROM delta p WHERE p.doc = ${doc} ORDER BY p.first DESC LIMIT 1), 0), now(), ${user})
    ON CONFLICT (doc) DO UPDATE SET session = EXCLUDED.session, due = EXCLUDED.due, created = true,
      deleted = c.deleted AND NOT (c.created AND c.returned_at IS NULL),
      returned_at = CASE WHEN c.created AND c.returned_at IS NULL THEN NULL ELSE EXCLUDED.returned_at END,
      returned_by = CASE WHEN c.created AND c.returned_at IS NULL THEN NULL ELSE EXCLUDED.returned_by END`;
}

/** The document of this name that was deleted last. It stays locked. */
async function lastDeleted(
  tx: Transaction,
  org: string,
  name: string,
): Promise<(Row & { readonly ageMs: number; readonly erasing: boolean }) | undefined> {
  const [last] = await tx<(Row & { ageMs: number; erasing: boolean })[]>`
    SELECT id, mark, erasing, (extract(epoch FROM now() - deleted_at) * 1000)::float8 AS "ageMs" FROM document
    WHERE org = ${org} AND name = ${name} AND deleted_at IS NOT NULL
    ORDER BY deleted_at DESC LIMIT 1 FOR NO KEY UPDATE`;
  return last;
}

/** True if the session owns the shard, and does so until the transaction ends. */
async function mayChange(tx: Transaction, session: SessionRef, shard: number): Promise<boolean> {
  const [owner] = await tx`
    SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced' FOR SHARE`;
  if (owner === undefined) return false;
  const [owned] = await tx`SELECT 1 FROM shard WHERE id = ${shard} AND owner = ${session.id} FOR SHARE`;
  return owned !== undefined;
}
