// Commands that a test's preparations run, with a limit on their time and nothing on the terminal.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 300_000;

/** True if the command ran and ended with exit code 0. */
export async function succeeds([program = '', ...args]: readonly string[]): Promise<boolean> {
  return run(program, args, { timeout: COMMAND_TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
}

/** The path of a program on the PATH. */
export async function onPath(program: string): Promise<string | undefined> {
  // Debian keeps servers in sbin, which an ordinary user's PATH may leave out.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(Boolean);
  for (const folder of folders) {
    const path = join(folder, program);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
