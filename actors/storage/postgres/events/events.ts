// Statements that write events (the function troupe_tell of the migration 0014-event-order), read them, and remove old ones.
import {
  EVENT_TYPES,
  type EventBounds,
  type StoredEvent,
  TELL_AT_ONCE,
  type Telling,
} from '../../event-store.ts';
import type { DocumentId, SessionId } from '../../store.ts';
import { int8Array, type Sql, textArray } from '../connection/connect.ts';
import { decodeRun } from '../connection/run.ts';

export interface EventRow {
  id: number;
  doc: DocumentId;
  org: string;
  name: string;
  type: number;
  since: number;
  version: number;
  by: string | null;
  at: Date;
}

export async function tell(sql: Sql, skipped: readonly SessionId[]): Promise<Telling> {
  const [row] = await sql<{ chosen: number; taken: number; events: number }[]>`
    SELECT chosen, taken, events FROM troupe_tell(${int8Array(sql, skipped)}, ${TELL_AT_ONCE})`;
  if (row === undefined) throw new Error('troupe_tell returned nothing');
  const { chosen: session, taken: marks, events } = row;
  if (session === 0) return { type: 'nothing' };
  if (session < 0) return { type: 'busy' };
  return marks < 0 ? { type: 'locked', session } : { type: 'told', session, marks, events };
}

export async function bounds(sql: Sql): Promise<EventBounds> {
  const [row] = await sql<{ newest: number; pruned: number }[]>`SELECT id AS newest, pruned FROM event_head`;
  return row ?? { newest: 0, pruned: 0 };
}

export async function page(
  sql: Sql,
  after: number,
  limit: number,
  org: string | undefined,
): Promise<readonly StoredEvent[]> {
  const rows =
    org === undefined
      ? await sql<EventRow[]>`
          SELECT ${toldColumns(sql)} FROM event WHERE id > ${after} ORDER BY id LIMIT ${limit}`
      : await sql<EventRow[]>`
          SELECT ${toldColumns(sql)} FROM event
          WHERE org = ${org} AND id > ${after} ORDER BY id LIMIT ${limit}`;
  return rows.map(storedEvent);
}

/** The columns of an event as it is told. */
export const toldColumns = (sql: Sql) =>
  sql`id, doc, org, name, type, since, version, by_user AS by, coalesce(happened_at, at) AS at`;

export function storedEvent({ type, at, ...row }: EventRow): StoredEvent {
  return { ...row, type: typeOf(type), at: at.toISOString() };
}

export function typeOf(stored: number): StoredEvent['type'] {
  const type = EVENT_TYPES[stored - 1];
  if (type === undefined) throw new Error(`an event of type ${stored}, which this version does not know`);
  return type;
}

/** Bytes of log that are read for the users of one event. */
const USERS_BYTES = 1024 * 1024;

export async function usersOf(
  sql: Sql,
  doc: DocumentId,
  since: number,
  upTo: number,
): Promise<readonly string[]> {
  // The newest runs first, at least one.
  const rows = await sql<{ last: number; ops: Uint8Array }[]>`
    SELECT last, ops FROM (
      SELECT last, ops, sum(octet_length(ops)) OVER (ORDER BY first DESC) - octet_length(ops) AS before
      FROM delta WHERE doc = ${doc} AND first <= ${upTo} AND last > ${since}) r
    WHERE before < ${USERS_BYTES}::bigint ORDER BY last`;
  const users = new Set<string>();
  for (const { last, ops } of rows) {
    const patches = decodeRun(ops);
    for (const [index, { user }] of patches.entries()) {
      const version = last - patches.length + index + 1;
      if (version > since && version <= upTo) users.add(user);
    }
  }
  return [...users];
}

export async function prune(
  sql: Sql,
  keepMs: number,
  limit: number,
  endpoints: readonly string[],
): Promise<number> {
  // A range of ids, so that `pruned` is exact. The row of the newest event is locked as by troupe_tell.
  const [row] = await sql<{ removed: number }[]>`
    WITH head AS MATERIALIZED (SELECT pruned, id FROM event_head FOR UPDATE SKIP LOCKED),
    upto AS MATERIALIZED (
      SELECT max(e.id) AS id FROM (
        SELECT id, at FROM event WHERE id > (SELECT pruned FROM head) ORDER BY id LIMIT ${limit}) e
      WHERE e.at < now() - ${keepMs}::float8 * interval '1 ms'
        AND e.id <= coalesce((SELECT min(position) FROM webhook WHERE endpoint = ANY (${textArray(sql, endpoints)})), e.id)),
    moved AS (UPDATE event_head SET pruned = upto.id FROM upto WHERE upto.id IS NOT NULL),
    gone AS (DELETE FROM event WHERE id <= (SELECT id FROM upto) RETURNING 1)
    SELECT count(*) AS removed FROM gone`;
  return row?.removed ?? 0;
}
