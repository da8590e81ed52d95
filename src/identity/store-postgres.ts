// The identity store in PostgreSQL, on connections of its own, so that logins never wait behind the control plane.
import type { PostgresStoreOptions, Sql } from '../../actors/storage/postgres/connection/connect.ts';
import { Pool } from '../../actors/storage/postgres/connection/pool.ts';
import { Servers } from '../../actors/storage/postgres/connection/servers.ts';
import {
  type ChangePage,
  type ChangePlace,
  type IdentityStore,
  type LoginRow,
  type LoginSpans,
  type LoginTimes,
  type NewLogin,
  type RightsChange,
  type Rotation,
  type StoredChange,
  TOLD_FOR_MS,
} from './store.ts';

/** Connections of an identity store. */
export const IDENTITY_CONNECTIONS = 2;

export class PostgresIdentityStore implements IdentityStore {
  readonly #pool: Pool;
  readonly #servers: Servers;

  constructor(options: PostgresStoreOptions) {
    this.#servers = new Servers(options.url, options.lowestTimeline);
    this.#pool = new Pool(options, this.#servers, 'troupe:identity', IDENTITY_CONNECTIONS);
  }

  createLogin(login: NewLogin, spans: LoginSpans, most: number): Promise<LoginTimes> {
    const { freshMs, idleMs, lifeMs } = spans;
    return this.#pool.run('createLogin', async (sql) => {
      const rows = await sql<LoginTimes[]>`
        WITH ended AS (
          DELETE FROM login WHERE id IN (
            SELECT id FROM login WHERE sub = ${login.sub} AND id <> ${bytes(login.id)}
            ORDER BY began DESC, id OFFSET ${most - 1})
          RETURNING id),
        told AS (
          INSERT INTO rights_change (kind, subject, keep_until)
          SELECT 'login', encode(id, 'hex'), clock_timestamp() + ${span(TOLD_FOR_MS)}::interval FROM ended)
        INSERT INTO login (id, secret, sub, claims, fresh_until, idle_until)
        VALUES (${bytes(login.id)}, ${Buffer.from(login.secret)}, ${login.sub}, ${login.claims},
          clock_timestamp() + ${span(Math.min(freshMs, lifeMs))}::interval,
          clock_timestamp() + ${span(Math.min(idleMs, lifeMs))}::interval)
        ON CONFLICT (id) DO UPDATE SET sub = login.sub
        RETURNING ${times(sql)}`;
      return only(rows);
    });
  }

  findLogin(id: string): Promise<LoginRow | undefined> {
    return this.#pool.run('findLogin', async (sql) => {
      const [row] = await sql<StoredLogin[]>`
        SELECT secret, former, salt, sub, claims, ${times(sql)},
          ${ms(sql, 'clock_timestamp() - rotated')} AS "rotatedAgoMs",
          ${ms(sql, 'clock_timestamp() - began')} AS "ageMs"
        FROM login WHERE id = ${bytes(id)} AND idle_until > clock_timestamp()`;
      if (row === undefined) return undefined;
      const { former, salt, rotatedAgoMs, ...rest } = row;
      return {
        ...rest,
        former: former ?? undefined,
        salt: salt ?? undefined,
        rotatedAgoMs: rotatedAgoMs ?? undefined,
      };
    });
  }

  rotateLogin(rotation: Rotation, { freshMs, idleMs, lifeMs }: LoginSpans): Promise<LoginTimes | undefined> {
    const { id, shown, next, salt } = rotation;
    return this.#pool.run('rotateLogin', async (sql) => {
      const [row] = await sql<LoginTimes[]>`
        UPDATE login SET secret = ${Buffer.from(next)}, former = secret, salt = ${Buffer.from(salt)},
          rotated = clock_timestamp(),
          fresh_until = least(clock_timestamp() + ${span(freshMs)}::interval, began + ${span(lifeMs)}::interval),
          idle_until = least(clock_timestamp() + ${span(idleMs)}::interval, began + ${span(lifeMs)}::interval)
        WHERE id = ${bytes(id)} AND secret = ${Buffer.from(shown)} AND idle_until > clock_timestamp()
          AND began + ${span(lifeMs)}::interval > clock_timestamp()
        RETURNING ${times(sql)}`;
      return row;
    });
  }

  endLogin(id: string): Promise<boolean> {
    return this.#pool.run('endLogin', async (sql) => {
      const rows = await sql`
        WITH ended AS (DELETE FROM login WHERE id = ${bytes(id)} RETURNING id)
        INSERT INTO rights_change (kind, subject, keep_until)
        SELECT 'login', encode(id, 'hex'), clock_timestamp() + ${span(TOLD_FOR_MS)}::interval FROM ended
        RETURNING 1`;
      return rows.length > 0;
    });
  }

  async addChange(change: RightsChange, keepMs: number): Promise<StoredChange> {
    const { kind, subject, beforeMs, org, doc } = columnsOf(change);
    return this.#pool.run('addChange', async (sql) => {
      const rows = await sql<StoredRow[]>`
        INSERT INTO rights_change (kind, subject, before, org, doc, keep_until)
        VALUES (${kind}, ${subject}, to_timestamp(${beforeMs}::float8 / 1000), ${org}, ${doc},
          clock_timestamp() + ${span(keepMs)}::interval)
        RETURNING ${columns(sql)}`;
      return only(pageOf(rows, 1).changes);
    });
  }

  standingChanges(after: ChangePlace | undefined, limit: number): Promise<ChangePage> {
    return this.#pool.run('standingChanges', async (sql) => {
      const rows = await sql<StoredRow[]>`
        SELECT ${columns(sql)} FROM rights_change
        WHERE keep_until > clock_timestamp() AND (at, id) > ${place(sql, after)}
        ORDER BY at, id LIMIT ${limit}`;
      return pageOf(rows, limit);
    });
  }

  recentChanges(agoMs: number, after: ChangePlace | undefined, limit: number): Promise<ChangePage> {
    return this.#pool.run('recentChanges', async (sql) => {
      const rows = await sql<StoredRow[]>`
        SELECT ${columns(sql)} FROM rights_change
        WHERE at > clock_timestamp() - ${span(agoMs)}::interval AND (at, id) > ${place(sql, after)}
        ORDER BY at, id LIMIT ${limit}`;
      return pageOf(rows, limit);
    });
  }

  sweep(limit: number): Promise<number> {
    return this.#pool.run('sweep', async (sql) => {
      const logins = await sql`
        DELETE FROM login WHERE id IN (SELECT id FROM login WHERE idle_until < clock_timestamp()
          LIMIT ${limit} FOR UPDATE SKIP LOCKED)`;
      const changes = await sql`
        DELETE FROM rights_change WHERE id IN (SELECT id FROM rights_change
          WHERE keep_until < clock_timestamp() LIMIT ${limit} FOR UPDATE SKIP LOCKED)`;
      return logins.count + changes.count;
    });
  }

  refuseBelow(timeline: number): void {
    this.#servers.refuseBelow(timeline);
    this.#pool.recheck();
  }

  close(): Promise<void> {
    return this.#pool.close(CLOSE_MS);
  }
}

/** Longest wait for statements under way when the store is closed. */
const CLOSE_MS = 1_000;

type StoredLogin = Omit<LoginRow, 'former' | 'salt' | 'rotatedAgoMs'> & {
  readonly former: Uint8Array | null;
  readonly salt: Uint8Array | null;
  readonly rotatedAgoMs: number | null;
};

interface StoredRow {
  readonly id: number;
  readonly place: string;
  readonly kind: RightsChange['kind'];
  readonly subject: string | null;
  readonly beforeMs: number | null;
  readonly org: string | null;
  readonly doc: string | null;
  readonly keepMs: number;
}

/** An interval. */
const span = (ms: number): string => `${ms} milliseconds`;

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

const ms = (sql: Sql, interval: string) => sql.unsafe(`(extract(epoch FROM ${interval}) * 1000)::float8`);

const times = (sql: Sql) => sql`
  ${ms(sql, 'fresh_until - clock_timestamp()')} AS "freshLeftMs",
  ${ms(sql, 'idle_until - clock_timestamp()')} AS "idleLeftMs"`;

const columns = (sql: Sql) => sql`
  id, at::text || ' ' || id AS place, kind, subject, org, doc,
  ${ms(sql, 'before')} AS "beforeMs", ${ms(sql, 'keep_until - clock_timestamp()')} AS "keepMs"`;

/** The place as a row that (at, id) can be compared with. */
const place = (sql: Sql, after: ChangePlace | undefined) => {
  const [, at = '-infinity', id = '0'] = /^(.*) (\d+)$/.exec(after ?? '') ?? [];
  return sql`(${at}::text::timestamptz, ${id}::text::bigint)`;
};

const pageOf = (rows: readonly StoredRow[], limit: number): ChangePage => ({
  changes: rows.flatMap((row) => {
    const change = changeOf(row);
    return change === undefined ? [] : [{ id: row.id, change, keepMs: row.keepMs } satisfies StoredChange];
  }),
  next: rows.length < limit ? undefined : rows.at(-1)?.place,
});

/** Undefined for a row that a newer node has written. */
function changeOf({ kind, subject, beforeMs, org, doc }: StoredRow): RightsChange | undefined {
  if (kind === 'recheck')
    return org === null ? undefined : { kind, org, doc: doc ?? undefined, sub: subject ?? undefined };
  if (subject === null) return undefined;
  if (kind === 'user') return beforeMs === null ? undefined : { kind, sub: subject, beforeMs };
  return kind === 'token' ? { kind, tokenId: subject } : { kind, login: subject };
}

function columnsOf(change: RightsChange): Omit<StoredRow, 'id' | 'place' | 'keepMs'> {
  const none = { subject: null, beforeMs: null, org: null, doc: null };
  switch (change.kind) {
    case 'user':
      return { ...none, kind: change.kind, subject: change.sub, beforeMs: change.beforeMs };
    case 'token':
      return { ...none, kind: change.kind, subject: change.tokenId };
    case 'login':
      return { ...none, kind: change.kind, subject: change.login };
    case 'recheck':
      return {
        ...none,
        kind: change.kind,
        org: change.org,
        doc: change.doc ?? null,
        subject: change.sub ?? null,
      };
    default:
      throw new Error(`unknown change ${String(change satisfies never)}`);
  }
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error('the statement has returned no row');
  return row;
}
