// The directory of an embedded PostgreSQL: made if it is missing, locked, fit for the server, and removed again if
// the server never ran in it.
import { mkdir, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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
    const made = await mkdir(path, { recursive: true, mode: 0o755 });
    const directory = await realpath(path);
    return { made, directory, unlock: await lockDirectory(directory) };
  } catch (error) {
    throw demandWritable(error, path);
  }
}

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
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // A recursive mkdir says ENOENT of some file systems that are read-only.
  if (!['EACCES', 'EPERM', 'EROFS', 'ENOENT'].includes(code)) return error;
  return new EmbeddedPostgresError(
    'cannot-run',
    `${directory} cannot be written (${code}): choose another directory with --set storage.embedded.directory=…`,
    { cause: error },
  );
}
