// The directory of an embedded PostgreSQL: made if it is missing, locked, fit for the server, and removed again if
// the server never ran in it.
import { mkdir, readdir, realpath, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { LIBRARIES } from './binaries.ts';
import { lockDirectory } from './directory-lock.ts';
import { EmbeddedPostgresError } from './errors.ts';

/** PostgreSQL has 1,024 bytes for a path (MAXPGPATH). The rest is for the names of its files. */
const LONGEST_PATH_BYTES = 900;

export interface TakenDirectory {
  /** The first folder that was made for the directory. Undefined if the directory was there. */
  readonly made: string | undefined;
  /** The real path. */
  readonly directory: string;
  readonly unlock: () => Promise<void>;
}

/** Makes the directory if it is missing, and locks it. Rejects with EmbeddedPostgresError. */
export async function takeDirectory(path: string): Promise<TakenDirectory> {
  try {
    const made = await makeDirectory(resolve(path));
    const directory = await realpath(path);
    return { made, directory, unlock: await lockDirectory(directory) };
  } catch (error) {
    throw demandWritable(error, path);
  }
}

/**
 * Makes the directory and its missing parents, and returns the first that was made. Node's own recursive mkdir never
 * returns below a directory in which the system makes none, such as /proc.
 */
async function makeDirectory(path: string): Promise<string | undefined> {
  try {
    await mkdir(path, { mode: 0o755 });
    return path;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && (await isDirectory(path))) return undefined;
    if (code !== 'ENOENT' || (await isDirectory(dirname(path)))) throw error;
    const first = await makeDirectory(dirname(path));
    const own = await makeDirectory(path);
    return first ?? own;
  }
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/** Removes `directory` and its parents up to `first`, as long as they hold nothing but links to libraries. */
export async function removeMade(directory: string, first: string): Promise<void> {
  try {
    if ((await readdir(directory)).every((name) => name === LIBRARIES)) {
      await rm(join(directory, LIBRARIES), { recursive: true, force: true });
    }
    for (let path = directory; path.startsWith(first); path = dirname(path)) await rmdir(path);
  } catch {
    // A directory that holds something else stays.
  }
}

/** PostgreSQL cuts off longer paths; its initdb then writes elsewhere or crashes. */
export function demandShortPath(directory: string): void {
  const bytes = Buffer.byteLength(directory);
  if (bytes <= LONGEST_PATH_BYTES) return;
  throw new EmbeddedPostgresError(
    'cannot-run',
    `the path of the embedded PostgreSQL's directory has ${bytes} bytes, and PostgreSQL takes ${LONGEST_PATH_BYTES}: choose a shorter one with --set storage.embedded.directory=…`,
  );
}

/**
 * Returns an error that names the configuration key if the directory may not be written. Returns every
 * other error as it is.
 */
function demandWritable(error: unknown, directory: string): unknown {
  const code = codeOf(error);
  // Some file systems that are read-only answer ENOENT.
  if (!['EACCES', 'EPERM', 'EROFS', 'ENOENT'].includes(code)) return error;
  return new EmbeddedPostgresError(
    'cannot-run',
    `${directory} cannot be written (${code}): choose another directory with --set storage.embedded.directory=…`,
    { cause: error },
  );
}
