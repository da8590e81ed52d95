// Two PostgreSQL servers for a test, a primary and a standby that streams from it, made with the binaries of
// the embedded one. Neither is restarted automatically. No process and no directory outlives the test or this
// process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { type Binaries, findBinaries } from '../../actors/storage/embedded/binaries.ts';
import { pathsIn, USER } from '../../actors/storage/embedded/data.ts';
import { chooseIdentity, type Identity } from '../../actors/storage/embedded/identity.ts';
import { freePort } from '../../loadtest/nodes/free-ports.ts';
import { placeData } from './postgres-data.ts';

export interface ReplicatedPostgres {
  /** A URL with both hosts, the first primary first. */
  readonly url: string;
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Resolves when the standby has everything that the primary has written so far. */
  caughtUp(): Promise<void>;
  /** Stops replication: the standby receives nothing more. */
  stopReplication(): Promise<void>;
}

export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  start(changes?: Readonly<Record<string, string>>): Promise<void>;
  /** Ends the server at once, as a crash does, with recovery at the next start. */
  crash(): Promise<void>;
  promote(): Promise<void>;
  /** Runs one statement on a connection of its own. */
  ask(text: string): Promise<readonly Record<string, unknown>[]>;
}

/** With `synchronous`, the primary acknowledges only commits that the standby has. */
export async function startReplicated(
  t: Pick<TestContext, 'after'>,
  { synchronous }: { readonly synchronous: boolean },
): Promise<ReplicatedPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-replicated-'));
  await chmod(directory, 0o755);
  const watcher = watch(directory);
  const servers: Server[] = [];
  t.after(async () => {
    await Promise.all(servers.map((server) => server.crash()));
    watcher.stdin?.end();
    await rm(directory, { recursive: true, force: true });
  });
  const binaries = await findBinaries(directory);
  const identity = await chooseIdentity(binaries, directory);
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  for (const place of [first, second]) {
    await mkdir(place, { mode: 0o755 });
    await placeData(place);
  }
  const password = (await readFile(pathsIn(first).password, 'utf8')).trim();
  const standbyData = pathsIn(second).data;
  await writeFile(join(standbyData, 'standby.signal'), '');
  await identity.own(standbyData);

  const make = async (data: string, settings: (port: number) => Record<string, string>): Promise<Server> => {
    const port = await freePort();
    const server = new Server(data, port, password, binaries, identity, settings(port));
    servers.push(server);
    return server;
  };
  const primary = await make(pathsIn(first).data, () => ({
    wal_keep_size: '512MB',
    // The standby's connection has this name. A promoted standby waits for no other server.
    ...(synchronous ? { synchronous_standby_names: 'standby' } : {}),
  }));
  const standby = await make(standbyData, () => ({
    primary_conninfo: `host=127.0.0.1 port=${primary.port} user=${USER} password=${password} application_name=standby`,
  }));
  await Promise.all([primary.start(), standby.start()]);
  const url = `postgres://${USER}:${password}@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
  const caughtUp = async (): Promise<void> => {
    const [row] = await primary.ask('SELECT pg_current_wal_lsn()::text AS lsn');
    await until(async () => {
      const [there] = await standby.ask(
        `SELECT coalesce(pg_last_wal_replay_lsn() >= '${String(row?.lsn)}'::pg_lsn, false) AS yes`,
      );
      return there?.yes === true;
    });
  };
  return {
    url,
    primary,
    standby,
    caughtUp,
    stopReplication: async () => {
      // A setting of the command line cannot be changed, so the whole receiving server is stopped.
      await standby.crash();
      await standby.start({ primary_conninfo: '' });
    },
  };
}

class Server implements PostgresServer {
  readonly port: number;
  readonly url: string;
  readonly #data: string;
  readonly #binaries: Binaries;
  readonly #identity: Identity;
  readonly #settings: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;

  constructor(
    data: string,
    port: number,
    password: string,
    binaries: Binaries,
    identity: Identity,
    settings: Readonly<Record<string, string>>,
  ) {
    this.port = port;
    this.url = `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;
    this.#data = data;
    this.#binaries = binaries;
    this.#identity = identity;
    this.#settings = settings;
  }

  async start(changes: Readonly<Record<string, string>> = {}): Promise<void> {
    const settings = {
      port: String(this.port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      shared_buffers: '16MB',
      // A crash of the server loses nothing that it has written. Only a power cut would.
      fsync: 'off',
      // A standby that starts before its primary asks again soon, not after 5 s.
      wal_retrieve_retry_interval: '100ms',
      ...this.#settings,
      ...changes,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = this.#identity.spawn(this.#binaries.postgres, ['-D', this.#data, ...flags], {
      cwd: this.#data,
      env: this.#binaries.env,
      detached: true,
      stdio: 'ignore',
    });
    this.#child = child;
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`PostgreSQL on port ${this.port} did not start`);
      return this.ask('SELECT 1').then(
        () => true,
        () => false,
      );
    });
  }

  async crash(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGQUIT');
    await gone;
  }

  async promote(): Promise<void> {
    await this.ask('SELECT pg_promote(true, 30)');
  }

  async ask(text: string): Promise<readonly Record<string, unknown>[]> {
    const sql = postgres(this.url, { max: 1, fetch_types: false, onnotice: () => undefined });
    try {
      return [...(await sql.unsafe<Record<string, unknown>[]>(text))];
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}

const POLL_MS = 20;

/** The runner's time-out ends the wait if the condition never holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(POLL_MS);
}

/** Ends the servers and removes the directory when its stdin closes, however this process ends. */
function watch(directory: string): ChildProcess {
  const script = `
    cat >/dev/null
    for file in "$1"/*/postgres/postmaster.pid; do
      [ -f "$file" ] && kill -QUIT "$(head -n 1 "$file")" 2>/dev/null
    done
    sleep 1
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
