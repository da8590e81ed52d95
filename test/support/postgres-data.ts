// The data directory with which servers of tests begin. One initdb makes it for a whole run of the tests, and each
// server gets a copy: an initdb takes ten times the processor time of a copy. This file never starts a server.
import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findBinaries } from '../../actors/storage/embedded/binaries.ts';
import { pathsIn, prepareData } from '../../actors/storage/embedded/data.ts';
import { chooseIdentity } from '../../actors/storage/embedded/identity.ts';

/** The environment variable with the directory of the original. Child processes inherit it. */
const ORIGINAL = 'TROUPE_TEST_DATA';

/**
 * Puts the data and the password into an existing directory, where an embedded PostgreSQL finds them. All copies have the
 * same password.
 */
export async function placeData(directory: string): Promise<void> {
  const { data, password } = pathsIn(await original());
  // The copies keep the owner: PostgreSQL may run as another user than this process.
  await promisify(execFile)('cp', ['-a', data, password, directory]);
}

let made: Promise<string> | undefined;

function original(): Promise<string> {
  const inherited = process.env[ORIGINAL];
  made ??= inherited === undefined ? makeOriginal() : Promise.resolve(inherited);
  return made;
}

async function makeOriginal(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-data-'));
  removeAtEnd(directory);
  // The user as whom PostgreSQL runs must reach it.
  await chmod(directory, 0o755);
  const binaries = await findBinaries(directory);
  await prepareData(pathsIn(directory), binaries, await chooseIdentity(binaries, directory));
  process.env[ORIGINAL] = directory;
  return directory;
}

/** A watcher removes the directory when this process ends, however it ends: its stdin closes then. */
function removeAtEnd(directory: string): void {
  const watcher = spawn('/bin/sh', ['-c', 'cat >/dev/null; rm -rf "$1"', 'sh', directory], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  const { stdin } = watcher;
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
}
