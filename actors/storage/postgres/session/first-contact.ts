// The first connections to a database. They check that a usable PostgreSQL answers, and that no pooler
// stands between. Owns its two connections during the check. It changes nothing.
import { EXIT, StartError } from '../../../../config/fatal.ts';
import {
  connect,
  DEFAULT_ANSWER_TIMEOUT_MS,
  IDLE_IN_TRANSACTION_MS,
  type PostgresStoreOptions,
  type Sql,
  within,
} from '../connection/connect.ts';
import { end } from '../connection/pool.ts';
import type { Servers } from '../connection/servers.ts';

const LEAST_VERSION = 150_000;
const NAME = 'troupe:start';

/**
 * Makes one attempt at the current server. Rejects with StartError if the server cannot be used at all,
 * otherwise with the driver's error; the next attempt then goes to another server.
 *
 * A pooler shows itself in two ways. It ignores the settings with which a connection begins. And it gives
 * two connections one backend, or one connection two backends, so the first connection asks before and
 * within a transaction of the second.
 */
export async function firstContact(options: PostgresStoreOptions, servers: Servers): Promise<void> {
  const server = servers.current;
  const answerTimeoutMs = options.answerTimeoutMs ?? DEFAULT_ANSWER_TIMEOUT_MS;
  const open = (): Sql =>
    connect(options, { server, name: NAME, max: 1, statementTimeoutMs: answerTimeoutMs });
  const [one, two] = [open(), open()];
  try {
    const before = await within(answerTimeoutMs, 'connect', ask(one));
    if (before.version < LEAST_VERSION) {
      const found = Math.floor(before.version / 10_000);
      throw new StartError(`expected PostgreSQL 15 or later; found ${found}: see storage.url`);
    }
    if (before.idleMs !== IDLE_IN_TRANSACTION_MS)
      throw pooler('ignores the settings that a connection begins with');
    const [other, after] = await within(
      answerTimeoutMs,
      'connect',
      (async () => {
        // The driver's own transaction is not used: if it is given up midway, it writes to a closed socket.
        await two.unsafe('BEGIN');
        const { pid } = await ask(two);
        return [pid, (await ask(one)).pid] as const;
      })(),
    );
    if (other === before.pid || after !== before.pid) throw pooler('shares backends between connections');
  } catch (error) {
    servers.failed(server);
    if (isUnsupportedParameter(error))
      throw pooler('does not take the settings that a connection begins with');
    throw error;
  } finally {
    end(one);
    end(two);
  }
}

async function ask(
  sql: Sql,
): Promise<{ readonly pid: number; readonly idleMs: number; readonly version: number }> {
  // The statement is not prepared: through a pooler a prepared statement could fail before the backends are
  // compared.
  const [row] = await sql.unsafe<{ pid: number; idleMs: number; version: number }[]>(`
    SELECT pg_backend_pid() AS pid, current_setting('server_version_num')::int AS version,
      (SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout') AS "idleMs"`);
  if (row === undefined) throw new Error('pg_backend_pid() returned nothing');
  return row;
}

const pooler = (does: string): StartError =>
  new StartError(
    `a connection pooler stands between this node and PostgreSQL (it ${does}), and a lost node could not be fenced off through it: see storage.url, which must lead to PostgreSQL itself`,
    { exitCode: EXIT.config },
  );

/** PgBouncer reports in these words a setting that is not in its ignore_startup_parameters. */
const isUnsupportedParameter = (error: unknown): boolean =>
  error instanceof Error && /unsupported startup parameter/i.test(error.message);
