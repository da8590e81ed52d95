// A real PgBouncer before a PostgreSQL, for tests of the behaviour of a pooler. It ends after the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../loadtest/nodes/free-ports.ts';
import { findProgram } from './programs/install.ts';
import { PGBOUNCER } from './programs/requirements.ts';

export interface PgBouncerOptions {
  /** URL of the database behind it. */
  readonly url: string;
  readonly mode: 'session' | 'transaction';
  /** Value of `ignore_startup_parameters`. */
  readonly ignored?: string;
}

/** The URL of the same database through it. */
export async function startPgBouncer(
  t: { after(close: () => Promise<void>): void },
  { url, mode, ignored = '' }: PgBouncerOptions,
): Promise<string> {
  const program = await findProgram(PGBOUNCER);
  const directory = await mkdtemp(join(tmpdir(), 'troupe-pgbouncer-'));
  // PgBouncer does not run as root, and the user under whom it runs must read its files.
  await chmod(directory, 0o755);
  const target = new URL(url);
  const port = await freePort();
  const database = target.pathname.slice(1);
  const [user, password] = [decodeURIComponent(target.username), decodeURIComponent(target.password)];
  const lines = [
    '[databases]',
    `${database} = host=${target.hostname} port=${target.port} dbname=${database} user=${user} password=${password}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${mode}`,
    ...(ignored === '' ? [] : [`ignore_startup_parameters = ${ignored}`]),
  ];
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(file, `${lines.join('\n')}\n`);
  const child = spawn(program, [file], { stdio: ['ignore', 'ignore', 'pipe'], ...unprivileged() });
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await rm(directory, { recursive: true });
  });
  await saysReady(child);
  return Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href;
}

/** The ids of the user nobody, if this process runs as root. */
const unprivileged = (): { uid?: number; gid?: number } =>
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

function saysReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/process up/.test(said)) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`pgbouncer did not start: ${said}`)));
  });
}
