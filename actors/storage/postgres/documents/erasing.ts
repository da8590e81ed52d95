// Removes the rows of deleted documents for good. First the document is marked, which nothing takes back; then its rows
// go in slices, each in a transaction of its own, the row of `document` last. Any node can go on where another one has
// stopped.
import type { DocumentId } from '../../store.ts';
import type { Sql, Transaction } from '../connection/connect.ts';

/** Rows that a slice removes of a table. A row of the log may have 64 KiB. */
const SLICE_ROWS = 2_000;
/** The stored type of the event that tells the deletion itself. */
const DELETED = 3;

/** Marks all deleted documents of this name. Returns them. */
export async function markErasing(sql: Sql, org: string, name: string): Promise<readonly DocumentId[]> {
  const rows = await sql<{ id: DocumentId }[]>`
    UPDATE document SET erasing = true WHERE org = ${org} AND name = ${name} AND deleted_at IS NOT NULL RETURNING id`;
  return rows.map(({ id }) => id);
}

/** Marks documents that were deleted longer than `trashMs` ago. Returns those that are to be erased, at most twice `limit`. */
export async function markExpired(sql: Sql, trashMs: number, limit: number): Promise<readonly DocumentId[]> {
  // The conditions stand twice, because a document may be brought back meanwhile.
  const rows = await sql<{ id: DocumentId }[]>`
    UPDATE document SET erasing = true
    WHERE id = ANY(ARRAY(
      (SELECT id FROM document WHERE deleted_at <= now() - ${trashMs}::float8 * interval '1 ms'
        ORDER BY deleted_at LIMIT ${limit})
      UNION (SELECT id FROM document WHERE erasing ORDER BY id LIMIT ${limit})))
      AND (erasing OR deleted_at <= now() - ${trashMs}::float8 * interval '1 ms')
    RETURNING id`;
  return rows.map(({ id }) => id);
}

/** Removes a slice of a marked document's rows. True if that was the last one. */
export async function eraseSlice(sql: Sql, doc: DocumentId): Promise<boolean> {
  return await sql.begin(async (tx) => {
    const [marked] = await tx`SELECT 1 FROM document WHERE id = ${doc} AND erasing FOR UPDATE`;
    if (marked === undefined) return true;
    for (const remove of TABLES) if ((await remove(tx, doc)) >= SLICE_ROWS) return false;
    // A mark that is due keeps the name until the deletion is told, and goes then.
    await tx`DELETE FROM change WHERE doc = ${doc} AND due IS NULL`;
    await tx`DELETE FROM document WHERE id = ${doc}`;
    return true;
  });
}

/**
 * The tables that may have many rows of a document. All others refer to `document` and go with its row. Each removes a slice, and tells
 * how many rows it had.
 */
const TABLES: readonly ((tx: Transaction, doc: DocumentId) => Promise<number>)[] = [
  async (tx, doc) =>
    (
      await tx`DELETE FROM delta WHERE doc = ${doc} AND first = ANY(ARRAY(
        SELECT first FROM delta WHERE doc = ${doc} ORDER BY first LIMIT ${SLICE_ROWS}))`
    ).count,
  async (tx, doc) =>
    (
      await tx`DELETE FROM snapshot WHERE doc = ${doc} AND version = ANY(ARRAY(
        SELECT version FROM snapshot WHERE doc = ${doc} ORDER BY version LIMIT ${SLICE_ROWS}))`
    ).count,
  async (tx, doc) =>
    (
      await tx`DELETE FROM event WHERE id = ANY(ARRAY(
        SELECT id FROM event WHERE doc = ${doc} AND type <> ${DELETED} ORDER BY id LIMIT ${SLICE_ROWS}))`
    ).count,
  async (tx, doc) => (await tx`DELETE FROM webhook_message WHERE doc = ${doc} AND type <> ${DELETED}`).count,
  async (tx, doc) =>
    (
      await tx`DELETE FROM client_seq WHERE doc = ${doc} AND client = ANY(ARRAY(
        SELECT client FROM client_seq WHERE doc = ${doc} ORDER BY client LIMIT ${SLICE_ROWS}))`
    ).count,
];
