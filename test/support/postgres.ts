// A PostgreSQL for tests: one server per process (or one for all test files, if the runner names it in
// TROUPE_TEST_POSTGRES), and a database for each test, cloned from a migrated template. No process and no
// directory outlives this process, however it ends: a watcher sees its end of a pipe close.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../../actors/storage/embedded-postgres.ts';
import { MIGRATIONS } from '../../actors/storage/migrations/index.ts';
import { createControlStore } from '../../actors/storage/store-postgres.ts';
import { placeData } from './postgres-data.ts';

export interface TestPostgres {
  /** The URL of an empty database, whose user may create others. */
  readonly url: string;
  readonly directory: string;
  /** The current process id of the postmaster. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a server. `fsync: false` is for tests that need no durability. */
export async function startTestPostgres(
  options: {
    readonly fsync?: boolean /** Beside TCP, in `directory`. */;
    readonly unixSocket?: boolean;
  } = {},
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-test-'));
  // A server that root starts runs as another user.
  await chmod(directory, options.unixSocket ? 0o777 : 0o755);
  const watcher = watch(directory);
  try {
    await placeData(directory);
    const server = await startEmbeddedPostgres({
      directory,
      settings: {
        ...(options.fsync === false ? { fsync: 'off', full_page_writes: 'off' } : {}),
        // The directory may be in memory.
        max_wal_size: '256MB',
        // Test files that run at one time have several nodes each.
        max_connections: '500',
        ...(options.unixSocket ? { unix_socket_directories: directory } : {}),
      },
    });
    await hashPasswordOnce(server.url);
    return {
      url: server.url,
      directory,
      get pid() {
        return server.pid;
      },
      stop: async () => {
        await server.stop();
        watcher.stdin?.end();
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    watcher.stdin?.end();
    throw error;
  }
}

/**
 * Nodes and tests open hundreds of connections. By default each of them hashes the password 4,096 times to log in, which takes
 * 2 ms of its thread. PostgreSQL before 16 has no such setting.
 */
async function hashPasswordOnce(url: string): Promise<void> {
  const { username, password } = new URL(url);
  await asAdmin(url, async (sql) => {
    const [setting] = await sql`SELECT current_setting('scram_iterations', true) AS iterations`;
    if (setting?.iterations === null) return;
    await sql`SET scram_iterations = 1`;
    await sql.unsafe(`ALTER ROLE "${username}" PASSWORD '${password}'`);
  });
}

/** Ends the postmaster and removes the directory when its stdin closes. */
function watch(directory: string): ChildProcess {
  const script = `
    cat >/dev/null
    for signal in QUIT KILL KILL; do
      pid=$(head -n 1 "$1/postgres/postmaster.pid" 2>/dev/null) || break
      kill -"$signal" "$pid" 2>/dev/null || break
      for i in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
      done
    done
    rm -rf "$1"`;
  const watcher = spawn('/bin/sh', ['-c', script, 'sh', directory], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  const { stdin } = watcher;
  if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
  return watcher;
}

let shared: Promise<string> | undefined;

/**
 * URL of the server of this process. It starts at the first call and ends with the process. Its data survive
 * a kill, but not a power cut.
 */
export function testPostgresUrl(): Promise<string> {
  shared ??= process.env.TROUPE_TEST_POSTGRES
    ? Promise.resolve(process.env.TROUPE_TEST_POSTGRES)
    : startTestPostgres({ fsync: false }).then((server) => server.url);
  return shared;
}

/** URL of a migrated, empty database. It is dropped after the test, and all its connections are ended. */
export async function freshDatabase(t: { after(drop: () => unknown): void }): Promise<string> {
  const server = await testPostgresUrl();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = await migratedTemplate(server);
  administration ??= new Administration(server);
  const { run } = administration;
  await run((sql) => sql`CREATE DATABASE ${sql(name)} TEMPLATE ${sql(template)} STRATEGY file_copy`);
  t.after(() => run((sql) => dropDatabase(sql, name)));
  return databaseUrl(server, name);
}

/**
 * The connection that makes and drops the databases of this process's tests. A connection of its own for each statement would
 * take as much processor time as the statement. It keeps the process alive only while it is in use.
 */
class Administration {
  readonly #sql: postgres.Sql;
  #socket: Socket | undefined;
  #users = 0;

  constructor(server: string) {
    const { hostname, port } = new URL(server);
    const socket = async (): Promise<Socket> => {
      this.#socket = connect(Number(port), hostname);
      await once(this.#socket, 'connect');
      return this.#socket;
    };
    this.#sql = postgres(server, {
      max: 1,
      max_lifetime: null,
      fetch_types: false,
      // Each text has the name of a database, and is sent once.
      prepare: false,
      onnotice: () => undefined,
      // The types of the library do not have this option.
      ...{ socket },
    });
  }

  readonly run = async <T>(work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> => {
    this.#users++;
    this.#socket?.ref();
    try {
      return await work(this.#sql);
    } finally {
      if (--this.#users === 0) this.#socket?.unref();
    }
  };
}

let administration: Administration | undefined;

export interface OrdinaryDatabase {
  /**
   * URLs of the same database: of the server's superuser, of the role that owns it, and of a role without
   * rights in it.
   */
  readonly admin: string;
  readonly owner: string;
  readonly other: string;
}

/** An empty database that belongs to an ordinary role. It is dropped after the test, and both roles with it. */
export async function ordinaryDatabase(t: { after(drop: () => unknown): void }): Promise<OrdinaryDatabase> {
  const server = await testPostgresUrl();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const [owner, other] = [`${name}_owner`, `${name}_other`];
  const password = randomUUID();
  await asAdmin(server, async (sql) => {
    for (const role of [owner, other])
      await sql.unsafe(`CREATE ROLE ${role} LOGIN NOSUPERUSER PASSWORD '${password}'`);
    await sql`CREATE DATABASE ${sql(name)} OWNER ${sql(owner)}`;
  });
  const admin = databaseUrl(server, name);
  t.after(() =>
    asAdmin(server, async (sql) => {
      await dropDatabase(sql, name);
      for (const role of [owner, other]) await sql`DROP ROLE ${sql(role)}`;
    }),
  );
  const as = (role: string): string => {
    const url = new URL(admin);
    url.username = role;
    url.password = password;
    return url.href;
  };
  return { admin, owner: as(owner), other: as(other) };
}

const DROP_ATTEMPTS = 12;
/** PostgreSQL's `object_in_use`. */
const IN_USE = '55006';

/** The server ends the connections and waits 5 s for them, which may be too short on a busy machine. */
async function dropDatabase(sql: postgres.Sql, name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`;
      return;
    } catch (error) {
      const isInUse = error instanceof postgres.PostgresError && error.code === IN_USE;
      if (!isInUse || attempt === DROP_ATTEMPTS) throw error;
    }
  }
}

let template: Promise<string> | undefined;

/** The template is named after its content, since a server may outlive a change of the migrations. */
function migratedTemplate(server: string): Promise<string> {
  template ??= makeTemplate(server);
  return template;
}

async function makeTemplate(server: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(MIGRATIONS.map((migration) => migration.up)));
  const name = `troupe_template_${hash.digest('hex').slice(0, 16)}`;
  await asAdmin(server, async (sql) => {
    // Other test files do the same at the same time. The lock ends with the connection.
    await sql`SELECT pg_advisory_lock(7273617)`;
    const [there] = await sql`SELECT 1 FROM pg_database WHERE datname = ${name}`;
    if (there) return;
    const draft = `draft_${randomUUID().replaceAll('-', '')}`;
    await sql`CREATE DATABASE ${sql(draft)}`;
    const store = createControlStore({ url: databaseUrl(server, draft) });
    await store.migrate();
    await store.close();
    await sql`ALTER DATABASE ${sql(draft)} RENAME TO ${sql(name)}`;
  });
  return name;
}

async function asAdmin<T>(server: string, work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(server, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
