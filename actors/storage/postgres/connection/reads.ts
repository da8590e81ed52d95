// Reads that may go to read replicas. A replica answers a read only if it has replayed what the caller must see. In all
// other cases the primary answers. So the replicas have no influence on an answer, but on its time.
//
// A position names the timeline as the database has recorded it. A replica that still follows an old primary may have
// replayed as many bytes, of another log: it lacks the record of the new timeline.

import { type PostgresServer, serversOf } from '../../../../config/urls/postgres-url.ts';
import { pause, systemClock } from '../../../clock.ts';
import { type Position, ReplicaCounts, type ReplicaOutcome } from '../../replicas.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  type PostgresStoreOptions,
  type Reader,
  type ReplicaOptions,
  type Sql,
  within,
} from './connect.ts';
import { classify, codeOf } from './errors.ts';
import { end, type Pool, STATEMENT_SHARE } from './pool.ts';
import { NOT_TOLD } from './servers.ts';

/** Time for which a replica is not asked after it was away or behind. */
const REST_MS = 1_000;
/** Time between two questions for the position of a replica that is behind. */
const POLL_MS = 5;

export class Reads {
  readonly #pool: Pool;
  readonly #replicas: readonly Replica[];
  readonly #counts: ReplicaCounts | undefined;
  #next = 0;

  /** Opens nothing yet. `connections`: the most to each replica. */
  constructor(options: PostgresStoreOptions, pool: Pool, name: string, connections: number) {
    const { replicas } = options;
    this.#pool = pool;
    this.#counts = replicas && new ReplicaCounts(replicas.counts);
    this.#replicas =
      replicas === undefined
        ? []
        : serversOf(replicas.url).map((server) => new Replica(options, replicas, server, name, connections));
  }

  /**
   * A position behind all that the primary has shown before the call. Undefined if there are no replicas, or if the
   * primary does not tell its position. Rejects as the pool does.
   */
  async position(): Promise<Position | undefined> {
    if (this.#replicas.length === 0) return undefined;
    try {
      return await this.#pool.run('position', readPosition);
    } catch (error) {
      if (NOT_TOLD.has(codeOf(error) ?? '')) return undefined;
      throw error;
    }
  }

  /** Runs a read whose answer shows all up to `seen`. Rejects as the pool does. */
  async run<T>(call: string, seen: Position | undefined, read: (sql: Reader) => PromiseLike<T>): Promise<T> {
    if (seen !== undefined && this.#replicas.length > 0) {
      const found = await this.#awake()?.run(call, seen, read);
      this.#counts?.count(found?.outcome ?? 'resting');
      if (found?.outcome === 'replica') return found.value;
    }
    return await this.#pool.run(call, read);
  }

  async close(waitMs: number): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica.close(waitMs)));
  }

  /** The replicas take turns. */
  #awake(): Replica | undefined {
    for (let tried = 0; tried < this.#replicas.length; tried++) {
      const replica = this.#replicas[this.#next++ % this.#replicas.length];
      if (replica !== undefined && !replica.isResting) return replica;
    }
    return undefined;
  }
}

type Found<T> =
  | { readonly outcome: 'replica'; readonly value: T }
  | { readonly outcome: Exclude<ReplicaOutcome, 'replica' | 'resting'> };

class Replica {
  readonly #waitMs: number;
  readonly #answerTimeoutMs: number;
  readonly #connect: () => Sql;
  #sql: Sql;
  #restsUntil = 0;
  #closed = false;

  constructor(
    options: PostgresStoreOptions,
    { waitMs }: ReplicaOptions,
    server: PostgresServer,
    name: string,
    connections: number,
  ) {
    this.#waitMs = waitMs;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
    const statementTimeoutMs = Math.ceil(this.#answerTimeoutMs * STATEMENT_SHARE);
    this.#connect = () =>
      connect(options, { server, name, max: connections, statementTimeoutMs, isReplica: true });
    this.#sql = this.#connect();
  }

  get isResting(): boolean {
    return this.#closed || systemClock.now() < this.#restsUntil;
  }

  /** Never rejects: if the read fails here, the primary tells why. */
  async run<T>(call: string, seen: Position, read: (sql: Reader) => PromiseLike<T>): Promise<Found<T>> {
    const until = systemClock.now() + this.#waitMs;
    for (;;) {
      const found = await this.#tryOnce(call, seen, read, Math.max(POLL_MS, until - systemClock.now()));
      if (found === 'away') return this.#rest('away');
      if (found !== 'behind') return found;
      if (systemClock.now() + POLL_MS >= until) return this.#rest('behind');
      await pause(systemClock, POLL_MS);
    }
  }

  async close(waitMs: number): Promise<void> {
    this.#closed = true;
    await this.#sql.end({ timeout: waitMs / 1_000 });
  }

  /**
   * The position is checked and the rows are read in one transaction, because it has one connection, and one name may
   * lead to several servers. `waitMs` bounds the time until the position is known, and so the making of a connection too.
   */
  async #tryOnce<T>(
    call: string,
    seen: Position,
    read: (sql: Reader) => PromiseLike<T>,
    waitMs: number,
  ): Promise<Found<T> | 'behind' | 'away'> {
    const sql = this.#sql;
    let isWanted = true;
    let begin: (has: boolean) => void = () => undefined;
    const begun = new Promise<boolean>((resolve) => {
      begin = resolve;
    });
    const whole = sql.begin(
      'isolation level read committed read only',
      async (tx): Promise<Found<T> | 'behind'> => {
        const has = (await hasReplayed(tx, seen)) && isWanted;
        begin(has);
        return has ? { outcome: 'replica', value: await read(tx) } : 'behind';
      },
    ) as Promise<Found<T> | 'behind'>;
    const answered = within(this.#answerTimeoutMs, call, whole).catch((error: unknown) => {
      if (classify(error) === 'connection') this.#replace(sql);
      return 'away' as const;
    });
    try {
      await within(waitMs, call, Promise.race([begun, answered]));
    } catch {
      // The connection is there for a later read.
      isWanted = false;
      return 'away';
    }
    return await answered;
  }

  /** A lost connection takes the others with it. Their reads go to the primary. */
  #replace(sql: Sql): void {
    if (sql !== this.#sql || this.#closed) return;
    this.#sql = this.#connect();
    end(sql);
  }

  #rest(outcome: 'behind' | 'away'): Found<never> {
    this.#restsUntil = systemClock.now() + REST_MS;
    return { outcome };
  }
}

/**
 * A statement sees only rows that have been flushed, unless commits do not wait for that. Control data and the timeline are read after
 * the position: a failover in between gives a position that no replica has.
 */
async function readPosition(sql: Sql): Promise<Position> {
  const [row] = await sql<Position[]>`
    SELECT (CASE WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn()
        ELSE pg_current_wal_flush_lsn() END)::text AS lsn,
      (SELECT system_identifier FROM pg_control_system())::text AS system,
      (SELECT timeline FROM cluster) AS timeline`;
  if (row === undefined) throw new Error('the query for the position returned nothing');
  return row;
}

/** A replica that was promoted is a primary, and has replayed what it has written. */
async function hasReplayed(sql: Reader, { lsn, system, timeline }: Position): Promise<boolean> {
  const [row] = await sql<{ has: boolean | null }[]>`
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
        >= ${lsn}::pg_lsn
      AND (SELECT system_identifier FROM pg_control_system())::text = ${system}
      AND (SELECT timeline FROM cluster) = ${timeline}::bigint AS has`;
  return row?.has === true;
}
