// Lists documents by name. Every part is a look-up in an index: the names by ranges, and for each document of the page
// its newest run and its newest snapshot. So a page costs what it shows, however many documents there are.
import type { ListedDocument, ListOptions } from '../../store.ts';
import { type Reader, textArray } from '../connection/connect.ts';
import { kindOfNumber } from './document.ts';

interface Row extends Omit<ListedDocument, 'kind' | 'createdAt' | 'updatedAt' | 'deletedAt'> {
  readonly kind: number;
  /** ms since 1970 */
  readonly created: number;
  readonly updated: number;
  readonly deleted: number | null;
}

/** Behind every name that begins with a prefix: names are ASCII. */
const BEHIND = '\x7f';

/** Implements the store's `list`. */
export async function list(
  sql: Reader,
  org: string,
  { ranges, after, limit, isDeleted }: ListOptions,
): Promise<readonly ListedDocument[]> {
  if (ranges.length === 0) return [];
  const froms = textArray(
    sql,
    ranges.map(({ from }) => from),
  );
  const uptos = textArray(
    sql,
    ranges.map(({ from, isPrefix }) => (isPrefix ? from + BEHIND : from)),
  );
  const name = after?.name ?? '';
  const id = after?.id ?? 0;
  const page = isDeleted
    ? sql`SELECT * FROM document WHERE org = ${org} AND deleted_at IS NOT NULL AND NOT erasing
        AND name >= r.from_name AND name <= r.upto_name AND (name, id) > (${name}, ${id}::bigint)
        ORDER BY name, id LIMIT ${limit}`
    : sql`SELECT * FROM document WHERE org = ${org} AND deleted_at IS NULL
        AND name >= r.from_name AND name <= r.upto_name AND name > ${name}
        ORDER BY name LIMIT ${limit}`;
  const rows = await sql<Row[]>`
    SELECT d.id, d.name, d.kind, d.created_by AS "createdBy",
      coalesce(l.last, s.version, 0) AS version,
      coalesce(s.bytes, 0) + coalesce(b.bytes, 0) AS bytes,
      (extract(epoch FROM d.created_at) * 1000)::float8 AS created,
      (extract(epoch FROM coalesce(l.at, d.created_at)) * 1000)::float8 AS updated,
      (extract(epoch FROM d.deleted_at) * 1000)::float8 AS deleted
    FROM (SELECT p.* FROM unnest(${froms}, ${uptos}) WITH ORDINALITY r(from_name, upto_name, place)
      CROSS JOIN LATERAL (${page}) p ORDER BY r.place, p.name, p.id LIMIT ${limit}) d
    LEFT JOIN LATERAL (SELECT last, at FROM delta WHERE doc = d.id ORDER BY first DESC LIMIT 1) l ON true
    LEFT JOIN LATERAL (SELECT version, octet_length(state) AS bytes FROM snapshot
      WHERE doc = d.id ORDER BY version DESC LIMIT 1) s ON true
    LEFT JOIN LATERAL (SELECT sum(octet_length(ops)) AS bytes FROM delta
      WHERE doc = d.id AND first > coalesce(s.version, 0)) b ON true
    ORDER BY d.name, d.id`;
  return rows.map(({ kind, created, updated, deleted, ...rest }) => ({
    ...rest,
    kind: kindOfNumber(rest.id, kind),
    createdAt: new Date(created),
    updatedAt: new Date(updated),
    deletedAt: deleted === null ? null : new Date(deleted),
  }));
}
