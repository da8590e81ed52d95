// One process at a time has the directory. A lock of a process that is gone is taken over: it is known
// by its pid and when it started, so that a reused pid is not mistaken for it.
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError } from './errors.ts';

const ATTEMPTS = 10;

/** Returns what gives it back. Rejects with `in-use`. */
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

/** Atomic, and never seen half written. */
async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves it aside first: what was put there since it was read is put back. */
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
  return Number.isSafeInteger(pid) && isAlive(pid) && (await startOf(pid)) === start;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** When a process started, where the system tells (Linux); '-' elsewhere. */
async function startOf(pid: number): Promise<string> {
  const stat = await content(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets, which may hold anything; the 22nd is the time.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
}
