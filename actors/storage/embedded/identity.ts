// Chooses the user as whom PostgreSQL runs, since PostgreSQL refuses root. An ordinary user runs it as
// itself. Root runs it as an unprivileged user if that user reaches the binaries and the data. Below a
// closed directory (/root, or a clone made with umask 077) root runs it in a user namespace, where root's
// own files belong to a mapped user.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chown, lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { EmbeddedPostgresError } from './errors.ts';

export interface Identity {
  readonly description: string;
  /** Starts `command` as this identity. */
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  /** Gives a directory and everything in it to this identity. */
  own(path: string): Promise<void>;
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const NEW_USER = 'troupe';
/** Users that may own the data. The first that exists is used. */
const USERS = ['postgres', NEW_USER];

/** `directory` must be within reach of the processes. Rejects with `cannot-run`. */
export async function chooseIdentity(binaries: Binaries, directory: string): Promise<Identity> {
  const tried: string[] = [];
  for await (const identity of candidates(binaries)) {
    const problem = await probe(identity, binaries, directory);
    if (problem === undefined) return identity;
    tried.push(`${identity.description}: ${problem}`);
  }
  throw new EmbeddedPostgresError(
    'cannot-run',
    `the embedded PostgreSQL cannot run here (${tried.join('; ') || 'no user but root'}): start as an ordinary user, or set storage.url to postgres://…`,
  );
}

async function* candidates(binaries: Binaries): AsyncGenerator<Identity> {
  if (process.getuid?.() !== 0) {
    yield asMyself;
    return;
  }
  const users = await readUsers();
  const existing = USERS.map((name) => users.find((user) => user.name === name)).find((user) => user);
  if (existing) yield asUser(existing);
  const mapped = existing ?? users.find((other) => other.uid !== 0);
  if (mapped && process.platform === 'linux') yield inNamespace(mapped);
  // Making a user comes last, because it changes the machine. It serves containers without namespaces.
  const made = existing ? undefined : await makeUser(binaries);
  if (made) yield asUser(made);
}

const asMyself: Identity = {
  description: 'as the current user',
  spawn: (command, args, options) => spawn(command, args, options),
  own: async () => undefined,
};

const asUser = ({ name, uid, gid }: User): Identity => ({
  description: `as user ${name}`,
  spawn: (command, args, options) => spawn(command, args, { ...options, uid, gid }),
  own: (path) => chownTree(path, uid, gid),
});

/** initdb asks for the name of its user, so the mapped user must exist. */
const inNamespace = ({ uid, gid }: User): Identity => ({
  description: 'in a user namespace',
  spawn: (command, args, options) =>
    spawn('unshare', ['--user', `--map-user=${uid}`, `--map-group=${gid}`, '--', command, ...args], options),
  own: (path) => chownTree(path, 0, 0),
});

/** Runs `--version` of both binaries and walks to the directory. Undefined if that works. */
async function probe(identity: Identity, binaries: Binaries, directory: string): Promise<string | undefined> {
  // Paths must be walked as that user, but a working directory is entered before the user changes.
  const options: SpawnOptions = { cwd: '/', env: binaries.env };
  for (const [command, ...args] of [
    [binaries.postgres, '--version'],
    [binaries.initdb, '--version'],
    ['/bin/sh', '-c', 'cd "$1"', 'sh', directory],
  ] as const) {
    const { code, output } = await run(identity.spawn(command, args, options));
    if (code !== 0) return output.trim().split('\n').at(-1) || `exit code ${code}`;
  }
  return undefined;
}

/** Waits for a process. Its output serves only to explain a failure. */
export async function run(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}

const OUTPUT_CHARACTERS = 8_192;

async function readUsers(): Promise<readonly User[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** Makes the user with the one of the two usual programs that exists. */
async function makeUser(binaries: Binaries): Promise<User | undefined> {
  const options: SpawnOptions = { env: { PATH: `${binaries.env.PATH}:/usr/sbin:/sbin` } };
  const shell = '/usr/sbin/nologin';
  const ways: readonly [string, readonly string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', shell, NEW_USER]],
    ['adduser', ['-S', '-D', '-H', '-s', shell, NEW_USER]],
  ];
  for (const [command, args] of ways) {
    const { code } = await run(spawn(command, args, options));
    if (code === 0) return (await readUsers()).find((user) => user.name === NEW_USER);
  }
  return undefined;
}

async function chownTree(path: string, uid: number, gid: number): Promise<void> {
  const stat = await lstat(path);
  if (stat.isSymbolicLink()) return;
  if (stat.isDirectory()) {
    for (const name of await readdir(path)) await chownTree(join(path, name), uid, gid);
  }
  if (stat.uid !== uid || stat.gid !== gid) await chown(path, uid, gid);
}
