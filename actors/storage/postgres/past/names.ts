// Statements about named versions. The content of a named version is stored with the name.
import type { NamedVersion } from '../../past-store.ts';
import type { DocumentId } from '../../store.ts';
import type { Reader, Sql } from '../connection/connect.ts';
import { codeOf } from '../connection/errors.ts';
import { EPOCH_MS } from './patches.ts';

const COLUMNS = `name, version, usr AS "user", ${EPOCH_MS('at')} AS at`;

export async function names(
  sql: Reader,
  doc: DocumentId,
  after: string,
  limit: number,
): Promise<readonly NamedVersion[]> {
  const rows = await sql<NamedVersion[]>`
    SELECT ${sql.unsafe(COLUMNS)} FROM named_version WHERE doc = ${doc} AND name > ${after}
    ORDER BY name LIMIT ${limit}`;
  return [...rows];
}

export async function nameOf(sql: Reader, doc: DocumentId, name: string): Promise<NamedVersion | undefined> {
  const [row] = await sql<NamedVersion[]>`
    SELECT ${sql.unsafe(COLUMNS)} FROM named_version WHERE doc = ${doc} AND name = ${name}`;
  return row;
}

/** PostgreSQL's code when the document is gone. */
const NO_DOCUMENT = '23503';

/** Two callers at once may bring a document a few names above `most`. */
export async function putName(
  sql: Sql,
  doc: DocumentId,
  { name, version, user }: Pick<NamedVersion, 'name' | 'version' | 'user'>,
  state: Uint8Array,
  most: number,
): Promise<{ readonly named: NamedVersion; readonly created: boolean } | 'full' | 'gone'> {
  try {
    const [row] = await sql<(NamedVersion & { created: boolean })[]>`
      INSERT INTO named_version (doc, name, version, usr, state)
      SELECT ${doc}::bigint, ${name}, ${version}::bigint, ${user}, ${state}::bytea
      WHERE EXISTS (SELECT 1 FROM named_version WHERE doc = ${doc} AND name = ${name})
        OR (SELECT count(*) FROM named_version WHERE doc = ${doc}) < ${most}
      ON CONFLICT (doc, name) DO UPDATE
        SET version = EXCLUDED.version, usr = EXCLUDED.usr, at = now(), state = EXCLUDED.state
      RETURNING ${sql.unsafe(COLUMNS)}, xmax = 0 AS created`;
    if (row === undefined) return 'full';
    const { created, ...named } = row;
    return { named, created };
  } catch (error) {
    if (codeOf(error) === NO_DOCUMENT) return 'gone';
    throw error;
  }
}

export async function removeName(sql: Sql, doc: DocumentId, name: string): Promise<boolean> {
  const rows = await sql`DELETE FROM named_version WHERE doc = ${doc} AND name = ${name} RETURNING 1`;
  return rows.length > 0;
}
