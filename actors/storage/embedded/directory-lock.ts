// Gives the directory to one process at a time. A lock of a process that is gone is taken over. The lock
// holds the process's pid and start time, so that a reused pid is not mistaken for it.
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError } from './errors.ts';

const ATTEMPTS = 10;

/** Returns the function that releases the lock. Rejects with `in-use`. */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'troupe.lock');
  const mine = `${process.pid} ${await startOf(process.pid)}\n`;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, mine, { mode: 0o644 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await linked(draft, path)) {
        return async () => {
          if ((await content(path)) === mine) await rm(path, { force: true });
        };
      }
      const theirs = await content(path);
      if (theirs === undefined) continue;
      const [pid, start] = theirs.trim().split(' ');
      if (await isRunning(Number(pid), start)) {
        throw new EmbeddedPostgresError(
          'in-use',
          `${directory} is in use by process ${pid}: stop it, or use another directory`,
        );
      }
      await removeStale(path, theirs);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new EmbeddedPostgresError('in-use', `${directory} is being taken by another process`);
}

/** Creates the lock file atomically; no reader sees it half written. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the lock aside first. If it has been replaced since it was read, the replacement is put back. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.stale.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await content(aside)) !== stale) await linked(aside, path);
  await rm(aside, { force: true });
}

const content = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

async function isRunning(pid: number, start: string | undefined): Promise<boolean> {
  if (!Number.isSafeInteger(pid) || !isAlive(pid)) return false;
  const stat = await statOf(pid);
  // A killed process stays as a zombie until its parent notices. It holds no file any more.
  return stat?.state !== 'Z' && (stat?.start ?? NO_START) === start;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Stands for the start time where the system has no /proc. */
const NO_START = '-';

/** Start time of a process on Linux; '-' on other systems. */
const startOf = async (pid: number): Promise<string> => (await statOf(pid))?.start ?? NO_START;

/** Undefined on systems without /proc. */
async function statOf(pid: number): Promise<{ readonly state: string; readonly start: string } | undefined> {
  const stat = await content(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets, which may hold any text. The third is the state, and
  // the 22nd the start time.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && { state: fields[0] ?? '', start: fields[19] ?? NO_START };
}
