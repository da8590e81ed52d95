// Statements that find documents by name and create them. The log has their content.

import type { KindName } from '../../../../protocol/messages.ts';
import type { Creation, DocumentId, DocumentRow, SessionRef } from '../../store.ts';
import { type Sql, textArray } from '../connection/connect.ts';
import { encodeRun } from '../connection/run.ts';
import { sessionState } from '../session/session.ts';

/** Stored numbers of the kinds. A number is never given to another kind. */
const KINDS: Readonly<Record<KindName, number>> = { json: 1, 'rich-text': 2, yjs: 3 };
const KIND_NAMES = new Map<number, KindName>([
  [KINDS.json, 'json'],
  [KINDS['rich-text'], 'rich-text'],
  [KINDS.yjs, 'yjs'],
]);

interface Row {
  id: DocumentId;
  kind: number;
  folded: number;
  creation: string;
}

export async function find(sql: Sql, org: string, name: string): Promise<DocumentRow | undefined> {
  const [row] = await sql<Row[]>`
    SELECT id, kind, folded, creation FROM document WHERE org = ${org} AND name = ${name} AND deleted_at IS NULL`;
  return row && documentRow(row);
}

/** The rows come in the order of the names. */
export async function findAll(
  sql: Sql,
  names: readonly (readonly [org: string, name: string])[],
): Promise<readonly (DocumentRow | undefined)[]> {
  const orgs = textArray(
    sql,
    names.map(([org]) => org),
  );
  const rests = textArray(
    sql,
    names.map(([, name]) => name),
  );
  // With LIMIT the index is used for each name, regardless of the planner's estimate of the table.
  const rows = await sql<(Row & { place: number })[]>`
    SELECT n.place, d.id, d.kind, d.folded, d.creation FROM unnest(${orgs}, ${rests}) WITH ORDINALITY n(org, name, place)
    CROSS JOIN LATERAL (SELECT id, kind, folded, creation FROM document
      WHERE org = n.org AND name = n.name AND deleted_at IS NULL LIMIT 1) d`;
  const found = new Map(rows.map((row) => [row.place, documentRow(row)]));
  return names.map((_, at) => found.get(at + 1));
}

export interface NewDocument {
  readonly id: DocumentId;
  readonly org: string;
  readonly name: string;
  readonly shard: number;
  readonly creation: Creation;
}

/** The first patch belongs to no batch of the session. Batches are numbered from 1. */
const NO_BATCH = 0;

/**
 * Creates the document, with its first patch, if its name is free, or returns the existing one. Undefined if the
 * session is fenced or does not own the shard. `isTold`: marks it,
 * so that its creation is told as an event. 'again' if it lost a race or the id is taken: call it again with another id.
 */
export async function create(
  sql: Sql,
  session: SessionRef,
  document: NewDocument,
  isTold: boolean,
): Promise<{ row: DocumentRow; created: boolean } | 'again' | undefined> {
  const { id, org, name, shard, creation } = document;
  const { kind, user, mark, first } = creation;
  const run = first && encodeRun([{ ...first, user }]);
  const [row] = await sql<(Row & { created: boolean })[]>`
    WITH me AS MATERIALIZED (
      SELECT 1 FROM session WHERE id = ${session.id} AND nonce = ${session.nonce} AND state <> 'fenced' FOR SHARE),
    owned AS MATERIALIZED (SELECT epoch FROM shard WHERE id = ${shard} AND owner = ${session.id} FOR SHARE),
    made AS (
      INSERT INTO document (id, org, name, shard, kind, created_by, creation)
      SELECT ${id}::bigint, ${org}, ${name}, ${shard}::int, ${KINDS[kind]}::smallint, ${user}, ${mark}
      WHERE EXISTS (SELECT 1 FROM me) AND EXISTS (SELECT 1 FROM owned)
      ON CONFLICT DO NOTHING RETURNING id, kind, folded, creation),
    logged AS (
      INSERT INTO delta (doc, first, last, epoch, session, batch, ops)
      SELECT m.id, 1, 1, o.epoch, ${session.id}, ${NO_BATCH}, ${run ?? null}::bytea
      FROM made m CROSS JOIN owned o WHERE ${run !== undefined}),
    marked AS (
      INSERT INTO change (doc, session, due, created)
      SELECT id, ${session.id}::bigint, clock_timestamp(), true FROM made WHERE ${isTold}::boolean)
    SELECT id, kind, folded, creation, true AS created FROM made
    UNION ALL
    SELECT id, kind, folded, creation, false FROM document
    WHERE org = ${org} AND name = ${name} AND deleted_at IS NULL AND EXISTS (SELECT 1 FROM me)`;
  if (row) return { row: documentRow(row), created: row.created };
  if ((await sessionState(sql, session.id)) === 'fenced') return undefined;
  const [owned] = await sql`SELECT 1 FROM shard WHERE id = ${shard} AND owner = ${session.id}`;
  return owned ? 'again' : undefined;
}

const documentRow = ({ id, kind, folded, creation }: Row): DocumentRow => ({
  id,
  kind: kindOfNumber(id, kind),
  folded,
  creation,
});

/** Throws if this version does not know the stored number of the document's kind. */
export function kindOfNumber(id: DocumentId, number: number): KindName {
  const kind = KIND_NAMES.get(number);
  if (kind === undefined)
    throw new Error(`document ${id} has kind ${number}, which this version does not know`);
  return kind;
}
