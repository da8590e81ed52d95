// The queries of a chaos run to the database: the owners of shards, the fenced sessions, the rows that a
// session has written. Read-only.
import { setTimeout } from 'node:timers/promises';
import postgres from 'postgres';

export interface FenceCounts {
  /** Runs of a node that another node fenced. */
  readonly runs: number;
  /** Workers that their own node fenced. */
  readonly workers: number;
}

export interface OpenSession {
  readonly id: string;
  readonly run: string;
  readonly slot: number;
  /** The name of the connection over which it writes its batches. */
  readonly writeName: string;
}

/** `writeName` of the session `id`, as an SQL expression. */
const WRITE_NAME = `'troupe:' || (SELECT oid FROM pg_database WHERE datname = current_database()) || ':' || id`;

/**
 * Time between attempts, and their total time, while PostgreSQL is away, since its absence may be the fault.
 */
const AGAIN_MS = 100;
const AWAY_MS = 30_000;

export class ChaosDatabase {
  readonly #sql: postgres.Sql;

  constructor(url: string) {
    this.#sql = postgres(url, { max: 1, onnotice: () => undefined });
  }

  /** Number of shards of each node, by the node's name. */
  async shardsByNode(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#patiently(
      () => this.#sql<{ node: string; shards: number }[]>`
        SELECT s.node, count(*)::int AS shards FROM shard JOIN session s ON s.id = shard.owner
        WHERE s.state <> 'fenced' GROUP BY s.node`,
    );
    return new Map(rows.map(({ node, shards }) => [node, shards]));
  }

  /** The owning node of each document `org/name`. */
  async ownersOf(org: string): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#patiently(
      () => this.#sql<{ name: string; node: string }[]>`
        SELECT d.name, s.node FROM document d JOIN shard ON shard.id = d.shard JOIN session s ON s.id = shard.owner
        WHERE d.org = ${org} AND d.deleted_at IS NULL AND s.state <> 'fenced'`,
    );
    return new Map(rows.map(({ name, node }) => [`${org}/${name}`, node]));
  }

  /** All fences so far. */
  async fences(): Promise<FenceCounts> {
    const [row] = await this.#patiently(
      () => this.#sql<{ runs: number; workers: number }[]>`
        SELECT count(DISTINCT v.run) FILTER (WHERE f.run <> v.run)::int AS runs,
          count(*) FILTER (WHERE f.run = v.run AND f.id <> v.id)::int AS workers
        FROM session v JOIN session f ON f.id = v.fenced_by WHERE v.state = 'fenced'`,
    );
    return row ?? { runs: 0, workers: 0 };
  }

  /** A node's sessions that are not fenced. */
  async openSessions(node: string): Promise<readonly OpenSession[]> {
    return [
      ...(await this.#sql<OpenSession[]>`
        SELECT id::text, run::text, slot, ${this.#sql.unsafe(WRITE_NAME)} AS "writeName"
        FROM session WHERE node = ${node} AND state <> 'fenced' ORDER BY session.id`),
    ];
  }

  /** Whether none of these sessions can write any more. */
  async areFenced(sessions: readonly OpenSession[]): Promise<boolean> {
    const ids = sessions.map(({ id }) => id);
    const [row] = await this.#sql<{ open: number }[]>`
      SELECT count(*)::int AS open FROM session WHERE id = ANY(${ids}::bigint[]) AND state <> 'fenced'`;
    return row?.open === 0;
  }

  /** Rows of the log that these sessions have written. */
  async rowsOf(sessions: readonly OpenSession[]): Promise<number> {
    const ids = sessions.map(({ id }) => id);
    const [row] = await this.#sql<{ rows: number }[]>`
      SELECT count(*)::int AS rows FROM delta WHERE session = ANY(${ids}::bigint[])`;
    return row?.rows ?? 0;
  }

  /** Whether a transaction is open that holds a lock on a session's row: a batch that has not ended. */
  async isWriting(sessions: readonly OpenSession[]): Promise<boolean> {
    const names = sessions.map(({ writeName }) => writeName);
    const [row] = await this.#sql<{ count: number }[]>`
      SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND backend_xid IS NOT NULL
        AND application_name = ANY(${names}::text[])`;
    return (row?.count ?? 0) > 0;
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }

  /** For queries while faults are active: waits for PostgreSQL to be back. */
  async #patiently<Rows>(ask: () => PromiseLike<Rows>): Promise<Rows> {
    const untilMs = performance.now() + AWAY_MS;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (performance.now() > untilMs) throw error;
        await setTimeout(AGAIN_MS);
      }
    }
  }
}
