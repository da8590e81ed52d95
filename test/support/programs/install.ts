// Finds a program that a test needs, or installs it. Root, and a user with sudo that asks no password,
// install its Debian package. For every other user it is unpacked into a cache. If none of this works, one
// line names the command to run. Nothing here asks a question or starts a service.
import { isAbsolute } from 'node:path';
import { isExecutable, onPath, succeeds } from './command.ts';
import type { Requirement } from './requirements.ts';
import { unpackDebian, unpackedDebian } from './unpack.ts';

/** The path of the program. Rejects with the line that names the command to run. */
export async function findProgram(requirement: Requirement): Promise<string> {
  const found = await find(requirement);
  if (found !== undefined) return found;
  const reason = await bring(requirement);
  const brought = await find(requirement);
  if (brought !== undefined) return brought;
  throw new Error(`${requirement.name} is needed: ${advice(requirement)} (${reason})`);
}

async function find({ programs, works, debian }: Requirement): Promise<string | undefined> {
  const paths = await Promise.all(
    programs.map((program) => (isAbsolute(program) ? program : onPath(program))),
  );
  for (const path of [...paths, await unpackedDebian(debian.package)]) {
    if (path === undefined || !(await isExecutable(path))) continue;
    if (works === undefined || (await works(path))) return path;
  }
  return undefined;
}

/** Returns the reason if the program is not there afterwards. */
async function bring({ debian }: Requirement): Promise<string> {
  const apt = await onPath('apt-get');
  if (apt === undefined) return 'there is no apt-get to do it with';
  const root = process.getuid?.() === 0;
  if (!root && !(await succeeds(['sudo', '-n', 'true']))) return unpackDebian(apt, debian);
  // RUNLEVEL=1 keeps packages that bring a service from starting it. The lock is needed because test files
  // run side by side.
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
  const aptGet = [...(root ? [] : ['sudo', '-n']), ...environment, apt, '-qq'];
  const lock = ['-o', 'DPkg::Lock::Timeout=240'];
  const installation = [...aptGet, ...lock, 'install', '-y', '--no-install-recommends', debian.package];
  if (await succeeds(installation)) return 'the package has no such program';
  if (!(await succeeds([...aptGet, ...lock, 'update']))) return 'apt-get update failed';
  return (await succeeds(installation)) ? 'the package has no such program' : 'apt-get install failed';
}

function advice({ debian, macos }: Requirement): string {
  if (process.platform === 'darwin') return `run \`${macos}\``;
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return `run \`${sudo}apt-get install -y ${debian.package}\`, or install it as this system does`;
}
