// Statements that find a document with the reach of its history, its snapshots, and its known authors.
import type { PastDocument, PastSnapshot } from '../../past-store.ts';
import type { DocumentId } from '../../store.ts';
import type { Reader, Sql } from '../connection/connect.ts';
import { kindOfNumber } from '../documents/document.ts';
import { historyTag } from '../session/session.ts';
import { EPOCH_MS } from './patches.ts';

export type DocumentKey = { readonly org: string; readonly name: string } | { readonly id: DocumentId };

export async function pastDocument(sql: Sql, key: DocumentKey): Promise<PastDocument | undefined> {
  const isMeant = 'id' in key ? sql`d.id = ${key.id}` : sql`d.org = ${key.org} AND d.name = ${key.name}`;
  const [row] = await sql<
    {
      id: DocumentId;
      kind: number;
      folded: number;
      createdAt: number;
      head: number | null;
      history: string | null;
    }[]
  >`
    SELECT d.id, d.kind, d.folded, ${sql.unsafe(EPOCH_MS('d.created_at'))} AS "createdAt",
      (SELECT last FROM delta WHERE doc = d.id ORDER BY first DESC LIMIT 1) AS head,
      (SELECT history FROM cluster) AS history
    FROM document d WHERE ${isMeant} AND deleted_at IS NULL`;
  if (row === undefined) return undefined;
  const { id, folded, createdAt, head } = row;
  const tag = historyTag(row.history);
  const history = id.toString(36) + (tag === '' ? '' : `-${tag}`);
  return { id, kind: kindOfNumber(id, row.kind), history, folded, head: head ?? 0, createdAt };
}

export async function snapshotAt(
  sql: Reader,
  doc: DocumentId,
  upTo: number,
): Promise<PastSnapshot | undefined> {
  const [row] = await sql<{ folded: number; version: number | null; state: Buffer | null }[]>`
    SELECT d.folded, s.version, s.state FROM document d LEFT JOIN LATERAL (
      (SELECT version, state FROM snapshot WHERE doc = ${doc} AND version <= ${upTo} ORDER BY version DESC LIMIT 1)
      UNION ALL
      (SELECT version, state FROM named_version WHERE doc = ${doc} AND version <= ${upTo}
        AND (version > d.folded OR version = ${upTo}) ORDER BY version DESC LIMIT 1)
      ORDER BY version DESC LIMIT 1) s ON true
    WHERE d.id = ${doc}`;
  if (row === undefined) return undefined;
  if (row.version !== null && row.state !== null) return { version: row.version, state: row.state };
  return row.folded === 0 ? { version: 0, state: undefined } : undefined;
}

export async function keptAuthors(
  sql: Reader,
  doc: DocumentId,
  history: string,
  upTo: number,
): Promise<{ readonly version: number; readonly state: Uint8Array } | undefined> {
  const [row] = await sql<{ version: number; state: Buffer }[]>`
    SELECT version, state FROM known_authors WHERE doc = ${doc} AND history = ${history} AND version <= ${upTo}`;
  return row;
}

export async function authorsVersion(sql: Reader, doc: DocumentId, history: string): Promise<number> {
  const [row] = await sql<{ version: number }[]>`
    SELECT version FROM known_authors WHERE doc = ${doc} AND history = ${history}`;
  return row?.version ?? 0;
}

export async function keepAuthors(
  sql: Sql,
  doc: DocumentId,
  history: string,
  version: number,
  state: Uint8Array,
): Promise<void> {
  await sql`
    INSERT INTO known_authors AS k (doc, version, history, state)
    SELECT id, ${version}::bigint, ${history}, ${state}::bytea FROM document WHERE id = ${doc} FOR KEY SHARE
    ON CONFLICT (doc) DO UPDATE SET version = EXCLUDED.version, history = EXCLUDED.history, state = EXCLUDED.state
      WHERE k.history <> EXCLUDED.history OR k.version < EXCLUDED.version`;
}
