// Statements for the messages of webhooks: made from events, taken by one node for a time, confirmed, tried again, parked.
import type { WebhookMessage, WebhookRow } from '../../event-store.ts';
import { type Sql, textArray } from '../connection/connect.ts';
import { type EventRow, toldColumns, typeOf } from './events.ts';

/** Events that become messages in one statement. */
const QUEUED_AT_ONCE = 500;

export async function addEndpoint(sql: Sql, endpoint: string): Promise<void> {
  await sql`
    INSERT INTO webhook (endpoint, position) SELECT ${endpoint}, id FROM event_head ON CONFLICT DO NOTHING`;
}

/**
 * A message of the same document and type that no receiver has confirmed is brought up to date: also one that is being sent,
 * which is then sent once more. One that was parked is tried again from now on.
 */
export async function queue(sql: Sql, endpoint: string, likes: readonly string[]): Promise<boolean> {
  const [row] = await sql<{ moved: number }[]>`
    WITH mine AS MATERIALIZED (
      SELECT position FROM webhook WHERE endpoint = ${endpoint} FOR UPDATE SKIP LOCKED),
    fresh AS MATERIALIZED (
      SELECT ${toldColumns(sql)} FROM event WHERE id > (SELECT position FROM mine) ORDER BY id LIMIT ${QUEUED_AT_ONCE}),
    moved AS (
      UPDATE webhook SET position = (SELECT max(id) FROM fresh)
      WHERE endpoint = ${endpoint} AND EXISTS (SELECT 1 FROM fresh) RETURNING 1),
    newest AS (
      SELECT DISTINCT ON (doc, type) doc, type, id, org, name, version, by, at,
        min(since) OVER (PARTITION BY doc, type) AS since
      FROM fresh WHERE org || '/' || name LIKE ANY (${textArray(sql, likes)}) ORDER BY doc, type, id DESC),
    made AS (
      INSERT INTO webhook_message AS w (endpoint, doc, type, event, org, name, since, version, by_user, at)
      SELECT ${endpoint}, doc, type, id, org, name, since, version, by, at FROM newest
      ON CONFLICT (endpoint, doc, type) DO UPDATE SET event = EXCLUDED.event, version = EXCLUDED.version,
        by_user = EXCLUDED.by_user, at = EXCLUDED.at, since = least(w.since, EXCLUDED.since), parked_at = NULL,
        queued_at = CASE WHEN w.parked_at IS NULL THEN w.queued_at ELSE now() END,
        next_at = CASE WHEN w.parked_at IS NULL THEN w.next_at ELSE now() END)
    SELECT count(*) AS moved FROM moved`;
  return (row?.moved ?? 0) > 0;
}

interface MessageRow extends Omit<EventRow, 'id'> {
  event: number;
  attempts: number;
}

export async function take(
  sql: Sql,
  endpoint: string,
  limit: number,
  leaseMs: number,
): Promise<readonly WebhookMessage[]> {
  // The endpoint of `e` is written so that no index of endpoints serves: without statistics of the table PostgreSQL would
  // take one for it, and read all messages of the endpoint for each message.
  const rows = await sql<MessageRow[]>`
    UPDATE webhook_message m
    SET attempts = m.attempts + 1, next_at = now() + ${leaseMs}::float8 * interval '1 ms',
      leased_until = now() + ${leaseMs}::float8 * interval '1 ms'
    FROM (
      SELECT doc, type FROM webhook_message w
      WHERE endpoint = ${endpoint} AND parked_at IS NULL AND next_at <= now() AND NOT EXISTS (
        SELECT 1 FROM webhook_message e WHERE e.endpoint || '' = w.endpoint AND e.org = w.org AND e.name = w.name
          AND e.parked_at IS NULL AND (e.event < w.event OR (e.event > w.event AND e.leased_until > now())))
      ORDER BY next_at LIMIT ${limit} FOR UPDATE SKIP LOCKED) due
    WHERE m.endpoint = ${endpoint} AND m.doc = due.doc AND m.type = due.type
    RETURNING m.doc, m.type, m.event, m.org, m.name, m.since, m.version, m.by_user AS by, m.at, m.attempts`;
  return rows.map(message);
}

const message = ({ type, at, ...row }: MessageRow): WebhookMessage => ({
  ...row,
  type: typeOf(type),
  at: at.toISOString(),
});

/** The stored number of a type. */
const TYPES = { created: 1, changed: 2, deleted: 3 } as const;

export async function delivered(
  sql: Sql,
  endpoint: string,
  { doc, type, event, version }: WebhookMessage,
): Promise<void> {
  await sql`
    WITH gone AS (
      DELETE FROM webhook_message
      WHERE endpoint = ${endpoint} AND doc = ${doc} AND type = ${TYPES[type]} AND event = ${event})
    UPDATE webhook_message SET attempts = 0, next_at = now(), queued_at = now(), leased_until = NULL, problem = NULL, since = ${version}
    WHERE endpoint = ${endpoint} AND doc = ${doc} AND type = ${TYPES[type]} AND event > ${event}`;
}

export async function failed(
  sql: Sql,
  endpoint: string,
  { doc, type }: WebhookMessage,
  how: { readonly problem: string; readonly againMs: number; readonly retryForMs: number },
): Promise<boolean> {
  const [row] = await sql<{ isParked: boolean }[]>`
    UPDATE webhook_message SET problem = ${how.problem}, leased_until = NULL,
      next_at = now() + ${how.againMs}::float8 * interval '1 ms',
      parked_at = CASE WHEN queued_at <= now() - ${how.retryForMs}::float8 * interval '1 ms' THEN now() END
    WHERE endpoint = ${endpoint} AND doc = ${doc} AND type = ${TYPES[type]}
    RETURNING parked_at IS NOT NULL AS "isParked"`;
  return row?.isParked ?? false;
}

export async function waiting(sql: Sql, limit: number): Promise<readonly WebhookRow[]> {
  const rows = await sql<
    (MessageRow & { endpoint: string; next: Date; parked: Date | null; problem: string | null })[]
  >`
    SELECT endpoint, doc, type, event, org, name, since, version, by_user AS by, at, attempts, problem, next_at AS next,
      parked_at AS parked
    FROM webhook_message ORDER BY parked_at NULLS LAST, queued_at LIMIT ${limit}`;
  return rows.map(({ endpoint, next, parked, problem, ...row }) => ({
    ...message(row),
    endpoint,
    problem,
    nextAt: next.toISOString(),
    parkedAt: parked === null ? null : parked.toISOString(),
  }));
}

export async function parkedCount(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    SELECT count(*) AS count FROM webhook_message WHERE parked_at IS NOT NULL`;
  return row?.count ?? 0;
}

export async function retry(sql: Sql, endpoint: string | undefined): Promise<number> {
  const rows = await sql`
    UPDATE webhook_message SET parked_at = NULL, queued_at = now(), next_at = now(), attempts = 0
    WHERE parked_at IS NOT NULL AND (${endpoint === undefined} OR endpoint = ${endpoint ?? ''})`;
  return rows.count;
}
