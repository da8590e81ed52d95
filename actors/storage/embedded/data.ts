// The data directory: its making (whole or not at all), its settings, its password, and the postmaster's
// report in postmaster.pid. It never starts a server.
import { randomBytes } from 'node:crypto';
import {
  access,
  appendFile,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { isAlive } from './directory-lock.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { type Identity, run } from './identity.ts';

export const USER = 'troupe';
export const DATABASE = 'troupe';

/** Safe defaults. They are written once, and an operator may edit them. */
const SETTINGS = `
# Set by troupe when the directory was made.
shared_buffers = 128MB
max_connections = 200
max_wal_size = 4GB
checkpoint_timeout = 15min
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
log_min_error_statement = fatal
`;

export interface DataPaths {
  /** PostgreSQL's own data directory. */
  readonly data: string;
  readonly password: string;
  readonly log: string;
}

export const pathsIn = (directory: string): DataPaths => ({
  data: join(directory, 'postgres'),
  password: join(directory, 'postgres-password'),
  log: join(directory, 'postgres.log'),
});

/**
 * Makes the data directory if there is none, and returns the password. An initdb that was cut short is done
 * again.
 */
export async function prepareData(paths: DataPaths, binaries: Binaries, identity: Identity): Promise<string> {
  await removeDrafts(paths);
  if (await exists(paths.data)) {
    await identity.own(paths.data);
    return readPassword(paths);
  }
  const password = randomBytes(24).toString('base64url');
  const draft = `${paths.data}${DRAFT}${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(paths.password, `${password}\n`, { mode: 0o600 });
    await mkdir(draft, { mode: 0o700 });
    await identity.own(draft);
    await initialize(draft, password, binaries, identity);
    await appendFile(join(draft, 'postgresql.conf'), SETTINGS);
    if (await knows(draft, 'wal_compression=lz4', binaries, identity)) {
      await appendFile(join(draft, 'postgresql.conf'), 'wal_compression = lz4\n');
    }
    await rename(draft, paths.data);
  } catch (error) {
    // Everything is removed: a full disk gets its space back, and the next start begins anew.
    await rm(draft, { recursive: true, force: true });
    await rm(paths.password, { force: true });
    throw error;
  }
  await syncDirectory(dirname(paths.data));
  return password;
}

const DRAFT = '.new-';

/**
 * Removes drafts that killed starts have left. An initdb of such a start may still be writing. No name is
 * used twice, and a draft that cannot be removed now stays for the next time.
 */
async function removeDrafts(paths: DataPaths): Promise<void> {
  const directory = dirname(paths.data);
  const drafts = (await readdir(directory)).filter((name) => name.startsWith(basename(paths.data) + DRAFT));
  await Promise.allSettled(
    drafts.map((name) => rm(join(directory, name), { recursive: true, force: true, maxRetries: 3 })),
  );
}

async function readPassword(paths: DataPaths): Promise<string> {
  try {
    return (await readFile(paths.password, 'utf8')).trim();
  } catch (error) {
    throw new EmbeddedPostgresError(
      'failed',
      `${paths.data} is there, but its password file ${paths.password} cannot be read`,
      {
        cause: error,
      },
    );
  }
}

async function initialize(
  data: string,
  password: string,
  binaries: Binaries,
  identity: Identity,
): Promise<void> {
  // The folder belongs to the identity, so that only the identity can read it. initdb needs the data
  // directory itself to be empty.
  const box = `${data}.secret`;
  await rm(box, { recursive: true, force: true });
  await mkdir(box, { mode: 0o700 });
  try {
    const secret = join(box, 'password');
    await writeFile(secret, `${password}\n`, { mode: 0o600 });
    await identity.own(box);
    const args = [
      `--pgdata=${data}`,
      `--username=${USER}`,
      `--pwfile=${secret}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
    ];
    const { code, output } = await run(
      identity.spawn(binaries.initdb, args, { cwd: data, env: binaries.env }),
    );
    if (code !== 0) throw new EmbeddedPostgresError('failed', `initdb failed: ${lastLine(output)}`);
  } finally {
    await rm(box, { recursive: true, force: true });
  }
}

/** True if this build accepts the setting. */
async function knows(
  data: string,
  setting: string,
  binaries: Binaries,
  identity: Identity,
): Promise<boolean> {
  const args = ['-D', data, '-C', 'wal_compression', '-c', setting];
  return (await run(identity.spawn(binaries.postgres, args, { cwd: data, env: binaries.env }))).code === 0;
}

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

/** Reads postmaster.pid, if there is one. */
export async function readPostmaster(data: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => undefined);
  const lines = text?.split('\n') ?? [];
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' };
}

/** True if `pid` is a postmaster of this directory, and not another process that was given its number. */
export async function isPostmasterOf(data: string, pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  if (process.platform !== 'linux') return true;
  // A postmaster works in its data directory. A zombie has no working directory.
  return (await readlink(`/proc/${pid}/cwd`).catch(() => undefined)) === data;
}

/**
 * Removes postmaster.pid if its number belongs to another process. A crash leaves the file behind, and
 * PostgreSQL would believe it. Otherwise the file stays: it tells a new postmaster that processes of the
 * old one still run.
 */
export async function removeMisleadingPid(data: string): Promise<void> {
  const postmaster = await readPostmaster(data);
  if (!postmaster || !isAlive(postmaster.pid) || (await isPostmasterOf(data, postmaster.pid))) return;
  await rm(join(data, 'postmaster.pid'), { force: true });
}

export function lastLine(output: string): string {
  const lines = output.trim().split('\n');
  return lines.findLast((line) => /FATAL|error:/.test(line)) ?? lines.at(-1) ?? 'no output';
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
