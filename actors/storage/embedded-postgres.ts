// Runs a real PostgreSQL in a directory: starts it, starts it again when it dies, and stops it. The server
// is not in our process group, so a Ctrl-C in the terminal reaches us alone. It outlives us if we are
// killed; the next start then takes the directory over. Modes: starting -> running -> restarting -> running
// … -> stopped. Only #setMode changes the mode.

import type { ChildProcess } from 'node:child_process';
import { open, readFile, realpath, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { assertMove, type Moves } from '../modes.ts';
import { type Binaries, findBinaries } from './embedded/binaries.ts';
import {
  DATABASE,
  type DataPaths,
  isPostmasterOf,
  lastLine,
  pathsIn,
  prepareData,
  readPostmaster,
  removeMisleadingPid,
  USER,
} from './embedded/data.ts';
import { demandShortPath, removeMade, takeDirectory } from './embedded/directory.ts';
import { EmbeddedPostgresError } from './embedded/errors.ts';
import { chooseIdentity, type Identity } from './embedded/identity.ts';

export { type EmbeddedPostgresCode, EmbeddedPostgresError } from './embedded/errors.ts';

export interface EmbeddedPostgresOptions {
  /** Made if missing. It holds the data, the password, the log and the lock. */
  readonly directory: string;
  readonly log?: (message: string) => void;
  /** Further settings, `-c name=value`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostmasterExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EmbeddedPostgres {
  /** postgres://…, the same while the server runs, restarts included. */
  readonly url: string;
  /** The postmaster's process id. It changes with a restart. */
  readonly pid: number;
  /** Fast shutdown. Resolves when the postmaster has gone and the directory is free. May be called again. */
  stop(): Promise<void>;
  /**
   * Calls `listener` for each postmaster that ends without `stop`, before it is started again. The returned
   * function unsubscribes. The subscription does not keep the process alive.
   */
  onExit(listener: (exit: PostmasterExit) => void): () => void;
}

/** A start may have a long log to replay. */
const START_TIMEOUT_MS = 300_000;
const FAST_SHUTDOWN_MS = 30_000;
const POLL_MS = 20;
/** Attempts to start while the port is taken, or while processes of a killed predecessor still run. */
const START_ATTEMPTS = 40;
const START_PAUSE_MS = 250;
const RESTART_FIRST_MS = 100;
const RESTART_MAX_MS = 5_000;
/**
 * Resolves when the server accepts connections and its database exists. Rejects with EmbeddedPostgresError.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError(
      'cannot-run',
      'the embedded PostgreSQL does not run on Windows: set storage.url to postgres://…',
    );
  }
  const { made, directory, unlock } = await takeDirectory(options.directory);
  try {
    demandShortPath(directory);
    const binaries = await findBinaries(directory);
    const identity = await chooseIdentity(binaries, directory);
    options.log?.(`embedded PostgreSQL runs ${identity.description} in ${directory}`);
    const paths = pathsIn(directory);
    await stopLeftover(paths, options);
    const password = await prepareData(paths, binaries, identity);
    // The log of the last run stays beside the new one.
    await rename(paths.log, `${paths.log}.1`).catch(() => undefined);
    const server = new Server(options, paths, binaries, identity, password, unlock);
    await server.start();
    return server;
  } catch (error) {
    await unlock();
    if (made !== undefined) await removeMade(directory, await realpath(made));
    throw error;
  }
}

/** The URL of the server that another process runs in `directory`. Undefined if no process does. */
export async function runningEmbeddedUrl(directory: string): Promise<string | undefined> {
  const real = await realpath(directory).catch(() => undefined);
  if (real === undefined) return undefined;
  const paths = pathsIn(real);
  const { pid, port, ready } = (await readPostmaster(paths.data)) ?? {};
  if (pid === undefined || port === undefined || !ready || !(await isPostmasterOf(paths.data, pid)))
    return undefined;
  return urlOf((await readFile(paths.password, 'utf8')).trim(), port, DATABASE);
}

const urlOf = (password: string, port: number, database: string): string =>
  `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;

/** Stops a postmaster that outlived its node, so that the new one is ours and has our settings. */
async function stopLeftover(paths: DataPaths, options: EmbeddedPostgresOptions): Promise<void> {
  const postmaster = await readPostmaster(paths.data);
  if (!postmaster) return;
  if (await isPostmasterOf(paths.data, postmaster.pid)) {
    options.log?.(`PostgreSQL ${postmaster.pid} was left running in ${paths.data}: it is stopped`);
    await shutDown(postmaster.pid, () => isPostmasterOf(paths.data, postmaster.pid));
  }
  await removeMisleadingPid(paths.data);
}

/** SIGINT stops fast. SIGQUIT stops at once, with recovery at the next start. */
async function shutDown(pid: number, isRunning: () => boolean | Promise<boolean>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < FAST_SHUTDOWN_MS; waited += POLL_MS) {
      if (!(await isRunning())) return;
      await sleep(POLL_MS);
    }
  }
  throw new EmbeddedPostgresError('failed', `PostgreSQL ${pid} does not end`);
}

type Mode =
  | { readonly type: 'starting' }
  | { readonly type: 'running'; readonly child: ChildProcess; readonly pid: number }
  | { readonly type: 'restarting'; readonly pid: number }
  | { readonly type: 'stopped'; readonly pid: number };

const MOVES: Moves<Mode['type']> = {
  starting: ['running', 'stopped'],
  running: ['restarting', 'stopped'],
  restarting: ['running', 'stopped'],
  stopped: [],
};

class Server implements EmbeddedPostgres {
  readonly #options: EmbeddedPostgresOptions;
  readonly #paths: DataPaths;
  readonly #binaries: Binaries;
  readonly #identity: Identity;
  readonly #password: string;
  readonly #unlock: () => Promise<void>;
  readonly #listeners = new Set<(exit: PostmasterExit) => void>();
  readonly #stopping = new AbortController();
  #mode: Mode = { type: 'starting' };
  #port = 0;
  #restarting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(
    options: EmbeddedPostgresOptions,
    paths: DataPaths,
    binaries: Binaries,
    identity: Identity,
    password: string,
    unlock: () => Promise<void>,
  ) {
    this.#options = options;
    this.#paths = paths;
    this.#binaries = binaries;
    this.#identity = identity;
    this.#password = password;
    this.#unlock = unlock;
  }

  get url(): string {
    return this.#urlOf(DATABASE);
  }

  get pid(): number {
    return this.#mode.type === 'starting' ? 0 : this.#mode.pid;
  }

  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#port = await freePort();
      try {
        await this.#launch();
        break;
      } catch (error) {
        if (attempt === START_ATTEMPTS || !isPassing(error)) throw error;
        await sleep(START_PAUSE_MS);
      }
    }
    try {
      await this.#makeDatabase();
    } catch (error) {
      await this.stop();
      throw new EmbeddedPostgresError('failed', `cannot make database ${DATABASE}: ${String(error)}`, {
        cause: error,
      });
    }
  }

  onExit(listener: (exit: PostmasterExit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#restarting;
    const mode = this.#mode;
    this.#setMode({ type: 'stopped', pid: this.pid });
    if (mode.type === 'running') {
      const { child, pid } = mode;
      await shutDown(pid, () => child.exitCode === null && child.signalCode === null);
    }
    await this.#unlock();
  }

  /** Makes one attempt. Resolves when the server is ready. */
  async #launch(): Promise<void> {
    const log = await open(this.#paths.log, 'a', 0o600);
    let child: ChildProcess;
    let failure: Error | undefined;
    try {
      child = this.#identity.spawn(this.#binaries.postgres, this.#arguments(), {
        cwd: this.#paths.data,
        env: this.#binaries.env,
        // In a session of its own the server gets no signals of the terminal.
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      child.once('error', (error) => {
        failure = error;
      });
      child.unref();
    } finally {
      await log.close();
    }
    for (let waited = 0; ; waited += POLL_MS) {
      await sleep(POLL_MS);
      if (failure || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
        const said = lastLine(await readFile(this.#paths.log, 'utf8').catch(() => ''));
        throw new EmbeddedPostgresError('failed', `PostgreSQL did not start: ${failure?.message ?? said}`);
      }
      const postmaster = await readPostmaster(this.#paths.data);
      if (postmaster?.ready && postmaster.pid === child.pid) break;
      if (waited >= START_TIMEOUT_MS) {
        child.kill('SIGQUIT');
        throw new EmbeddedPostgresError(
          'failed',
          `PostgreSQL is not ready after ${START_TIMEOUT_MS / 1_000} s`,
        );
      }
    }
    const { pid } = child;
    this.#setMode({ type: 'running', child, pid });
    child.once('exit', (code, signal) => this.#exited(pid, { code, signal }));
    // The process may have ended between the last check and the listener.
    if (child.exitCode !== null || child.signalCode !== null) {
      this.#exited(pid, { code: child.exitCode, signal: child.signalCode });
    }
  }

  #arguments(): string[] {
    const settings: Record<string, string> = {
      listen_addresses: '127.0.0.1',
      port: String(this.#port),
      unix_socket_directories: '',
      ...this.#options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return ['-D', this.#paths.data, ...flags];
  }

  #exited(pid: number, exit: PostmasterExit): void {
    if (this.#mode.type !== 'running' || this.#mode.pid !== pid) return;
    this.#setMode({ type: 'restarting', pid });
    this.#options.log?.(
      `PostgreSQL ${pid} has ended (${exit.signal ?? `code ${exit.code}`}): it is started again`,
    );
    for (const listener of this.#listeners) listener(exit);
    this.#restarting = this.#restart();
  }

  /**
   * Starts the server on the same port, because the URL has been given out. Ends when the server runs or is
   * to be stopped.
   */
  async #restart(): Promise<void> {
    for (
      let pause = RESTART_FIRST_MS;
      !this.#stopping.signal.aborted;
      pause = Math.min(pause * 2, RESTART_MAX_MS)
    ) {
      try {
        await removeMisleadingPid(this.#paths.data);
        await this.#launch();
        this.#options.log?.(`PostgreSQL runs again as process ${this.pid}`);
        return;
      } catch (error) {
        this.#options.log?.(error instanceof Error ? error.message : String(error));
        await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  async #makeDatabase(): Promise<void> {
    const sql = postgres(this.#urlOf('postgres'), { max: 1, fetch_types: false, onnotice: () => undefined });
    try {
      const [there] = await sql`SELECT 1 FROM pg_database WHERE datname = ${DATABASE}`;
      if (!there) await sql`CREATE DATABASE ${sql(DATABASE)}`;
    } finally {
      await sql.end({ timeout: 5 });
    }
  }

  #urlOf(database: string): string {
    return urlOf(this.#password, this.#port, database);
  }

  #setMode(mode: Mode): void {
    if (this.#mode.type === 'stopped') return;
    assertMove('the embedded PostgreSQL', MOVES, this.#mode.type, mode.type);
    this.#mode = mode;
  }
}

/**
 * True if the port has been taken since it was chosen, or if processes of a killed postmaster still hold
 * its memory.
 */
const isPassing = (error: unknown): boolean =>
  error instanceof Error &&
  /Address already in use|could not bind|shared memory block|could not create any TCP/.test(error.message);

async function freePort(): Promise<number> {
  const server = createServer();
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no address'));
      });
    });
  } finally {
    server.close();
  }
}
