// Makes every connection of the stores: its name, its types, its time-outs. No statement is here.
// Connections are sessions of PostgreSQL with prepared statements, so a transaction pooler cannot stand
// between.
import postgres from 'postgres';
import type { PostgresServer } from '../../../../config/urls/postgres-url.ts';
import { AnswerTimeout } from './errors.ts';

export interface PostgresStoreOptions {
  /**
   * The form that config/urls/postgres-url.ts reads. Of several hosts, separated by commas, the primary is used.
   */
  readonly url: string;
  /** Servers of a lower timeline are not used. Default 0. */
  readonly lowestTimeline?: number;
  /** Longest wait for a connection. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for the answer to a statement, after which its connection is given up. Default 10,000. */
  readonly answerTimeoutMs?: number;
  /**
   * Time from a change of a document that is not marked until the change is told (marks.ts). Undefined: nothing is
   * marked, and there are no events.
   */
  readonly eventsMs?: number;
  /** Connections for reading, per store. Default 2. */
  readonly readConnections?: number;
  /** Replicas for the reads of reads.ts. */
  readonly replicas?: ReplicaOptions;
  /**
   * Called for each failed attempt to reach the database while a call keeps trying, and once an attempt has
   * succeeded again.
   */
  readonly onProblem?: (problem: StoreProblem) => void;
}

export interface ReplicaOptions {
  /** In the form of the store's URL. Each host is a replica. */
  readonly url: string;
  /** Longest time that a read waits until a replica is connected and has replayed what the answer must show. */
  readonly waitMs: number;
  /** The memory of ReplicaCounts. */
  readonly counts: SharedArrayBuffer;
}

export type StoreProblem =
  | { readonly type: 'unavailable'; readonly attempt: number; readonly error: Error }
  | { readonly type: 'recovered'; readonly attempts: number }
  | { readonly type: 'refused'; readonly docs: readonly number[]; readonly error: Error };

/** int8 comes as a number: versions, ids and epochs stay within 53 bits. */
const NUMBERS = {
  bigint: { to: 20, from: [20], serialize: (x: number) => String(x), parse: (x: string) => Number(x) },
};
export type Sql = postgres.Sql<{ bigint: number }>;
/** A connection, or a transaction, over which a statement can run. */
export type Reader = postgres.ISql<{ bigint: number }>;
export type Transaction = postgres.TransactionSql<{ bigint: number }>;

export const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
export const DEFAULT_ANSWER_TIMEOUT_MS = 10_000;

/**
 * A client whose machine has vanished sends nothing. With these settings the server finds that out within
 * half a minute, releases its locks and frees its connection. By default that would take two hours.
 */
const VANISHED = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
  tcp_user_timeout: 30_000,
};

/**
 * Only migrations are transactions of several statements. A node that is stopped in one must not keep the
 * others waiting.
 */
export const IDLE_IN_TRANSACTION_MS = 30_000;

/** Element type ids of PostgreSQL for parameters that are sent as ready-made literals. */
export const TYPE = {
  bytea: 17,
  int8: 20,
  text: 25,
  textArray: 1009,
  int8Array: 1016,
  int4Array: 1007,
  uuid: 2950,
};

export interface ConnectOptions {
  readonly server: PostgresServer;
  readonly name: string;
  readonly max: number;
  /** The server ends a statement after this time. 0 stands for never. */
  readonly statementTimeoutMs: number;
  /** A standby is accepted. */
  readonly isReplica?: boolean;
  readonly onclose?: () => void;
  readonly onnotify?: (channel: string, payload: string) => void;
}

/**
 * Opens nothing yet: the first statements make the connections. A connection can stay silent for ever (a
 * network that drops everything, a stopped server), so callers wait for an answer with `within`.
 */
export function connect(store: PostgresStoreOptions, options: ConnectOptions): Sql {
  const { server } = options;
  const settings: postgres.Options<typeof NUMBERS> = {
    ...(server.user === undefined ? {} : { user: server.user }),
    ...(server.password === undefined ? {} : { password: server.password }),
    ...(server.database === undefined ? {} : { database: server.database }),
    // A connection to a standby ends at once, like a failed attempt. (The driver takes a standby for
    // read-write.)
    ...(options.isReplica === true ? {} : { target_session_attrs: 'primary' }),
    max: options.max,
    connect_timeout: (store.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS) / 1_000,
    // The stores pace their attempts themselves. The driver would add up to 20 s.
    backoff: () => 0,
    max_lifetime: null,
    idle_timeout: 0,
    keep_alive: 5,
    // This saves a query per connection. Array parameters are literals with their type id.
    fetch_types: false,
    types: NUMBERS,
    onnotice: () => undefined,
    ...(options.onclose ? { onclose: options.onclose } : {}),
    ...(options.onnotify ? { onnotify: options.onnotify } : {}),
    connection: {
      ...server.settings,
      application_name: options.name,
      // The limit also ends statements that wait for a lock. Fencing waits for 250 ms, as its function says
      // (migrations).
      statement_timeout: options.statementTimeoutMs,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      ...VANISHED,
    },
  };
  return postgres(Object.assign(settings, placeOf(server)));
}

/**
 * The host is passed as a list: the driver looks for a port in a host that is text, and an IPv6 address has
 * colons.
 */
function placeOf({ host, port, sslmode, sslnegotiation }: PostgresServer) {
  if (host.startsWith('/')) return { path: `${host}/.s.PGSQL.${port}`, ssl: false };
  const ssl = sslmode === 'verify-ca' ? 'verify-full' : sslmode !== 'disable' && sslmode;
  const place = { host: [host], port: [port], ssl };
  return sslnegotiation === 'direct' ? { ...place, sslnegotiation } : place;
}

/** Numbers as an int8[] parameter. */
export const int8Array = (sql: Pick<Sql, 'typed'>, numbers: readonly number[]) =>
  sql.typed(`{${numbers.join()}}`, TYPE.int8Array);

/** Parses an int8[] as PostgreSQL writes it. */
export const numbers = (literal: string | null): number[] =>
  literal === null || literal === '{}' ? [] : literal.slice(1, -1).split(',').map(Number);

/** Strings as a text[] parameter. */
export const textArray = (sql: Pick<Sql, 'typed'>, texts: readonly string[]) =>
  sql.typed(`{${texts.map(textElement).join()}}`, TYPE.textArray);

/**
 * Texts that need no quotes in an array literal: client ids, and most names of users. A bare `null` would
 * be NULL.
 */
const PLAIN = /^(?!null$)[A-Za-z0-9_-]+$/i;
const ESCAPED = /[\\"]/g;

/** A string as an element of an array literal. */
export const textElement = (text: string): string =>
  PLAIN.test(text) ? text : `"${text.replace(ESCAPED, '\\$&')}"`;

/** A timer that is later than this shows that the thread was held up: the answer may be there, unread. */
const LATE_MS = 50;

/**
 * Rejects with AnswerTimeout if `answer` takes longer; the caller then gives the connection up. Time for
 * which this thread was held up does not count.
 */
export async function within<T>(ms: number, what: string, answer: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      const wait = (forMs: number): void => {
        const due = performance.now() + forMs;
        timer = setTimeout(() => {
          const lateMs = performance.now() - due;
          if (lateMs > LATE_MS) wait(lateMs);
          else reject(new AnswerTimeout(`${what}: no answer within ${ms} ms`));
        }, forMs);
      };
      wait(ms);
      answer.then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
  }
}
