// Finds what a test needs beside Node (a browser, Redis, a Python module) or installs its Debian
// package. Where neither works it fails with one line that says what to run. Never asks a question,
// never starts a service.
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 300_000;

/** The path of the first of `programs` that is on the PATH, after installing `debianPackage` if need be. */
export async function findProgram(programs: readonly string[], debianPackage: string): Promise<string> {
  return ensure(programs[0] ?? debianPackage, debianPackage, () => onPath(programs));
}

/** The path of a python3 that can import `module`, after installing `debianPackage` if need be. */
export async function findPythonModule(module: string, debianPackage: string): Promise<string> {
  return ensure(`python3 with ${module}`, debianPackage, async () => {
    // Debian's packages are for Debian's python3, which need not be the first on the PATH.
    for (const python of new Set([await onPath(['python3']), DEBIAN_PYTHON])) {
      if (python !== undefined && (await succeeds([python, '-c', `import ${module}`]))) return python;
    }
    return undefined;
  });
}

const DEBIAN_PYTHON = '/usr/bin/python3';

async function ensure(
  what: string,
  debianPackage: string,
  find: () => Promise<string | undefined>,
): Promise<string> {
  const there = await find();
  if (there !== undefined) return there;
  const reason = await install(debianPackage);
  const installed = await find();
  if (installed !== undefined) return installed;
  const command = `${isRoot() ? '' : 'sudo '}apt-get install -y ${debianPackage}`;
  throw new Error(`${what} is needed here: run \`${command}\`${reason === undefined ? '' : ` (${reason})`}`);
}

/** Undefined: done. Otherwise why not, in a few words. */
async function install(debianPackage: string): Promise<string | undefined> {
  const apt = await onPath(['apt-get']);
  if (apt === undefined) return 'there is no apt-get to do it with';
  const prefix = isRoot() ? [] : ['sudo', '-n'];
  if (!isRoot() && !(await succeeds(['sudo', '-n', 'true'])))
    return 'neither root nor sudo without a password';
  // RUNLEVEL=1: packages that bring a service do not start it. The lock: test files run side by side.
  const aptGet = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', apt, '-qq'];
  const lock = ['-o', 'DPkg::Lock::Timeout=240'];
  const installation = [...aptGet, ...lock, 'install', '-y', '--no-install-recommends', debianPackage];
  if (await succeeds(installation)) return undefined;
  if (!(await succeeds([...aptGet, ...lock, 'update']))) return 'apt-get update failed';
  return (await succeeds(installation)) ? undefined : 'apt-get install failed';
}

async function succeeds([program = '', ...args]: readonly string[]): Promise<boolean> {
  return run(program, args, { timeout: INSTALL_TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
}

async function onPath(programs: readonly string[]): Promise<string | undefined> {
  // Debian keeps servers in sbin, which an ordinary user's PATH may leave out.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(Boolean);
  for (const program of programs) {
    for (const folder of folders) {
      const path = join(folder, program);
      try {
        await access(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder: the next one.
      }
    }
  }
  return undefined;
}

const isRoot = (): boolean => process.getuid?.() === 0;
