// Debian packages for a user who may not install any: apt fetches a package and the dependencies that the
// system lacks, with lists of its own, and dpkg unpacks them into a cache. A script there runs the program
// with its libraries. Several processes may do this at once: each works in a folder of its own, and the first
// to finish gives it its name.
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isExecutable, succeeds } from './command.ts';
import type { Requirement } from './requirements.ts';

/**
 * The script that runs the program of the unpacked package `name`. Undefined if the package is not unpacked.
 */
export async function unpackedDebian(name: string): Promise<string | undefined> {
  const script = scriptIn(join(await cacheFolder(), name), name);
  return (await isExecutable(script)) ? script : undefined;
}

/** Returns the reason if the unpacking failed. `apt` is the path of apt-get. */
export async function unpackDebian(apt: string, wanted: Requirement['debian']): Promise<string> {
  const cache = await cacheFolder();
  let draft: string;
  try {
    await mkdir(cache, { recursive: true });
    draft = await mkdtemp(join(cache, '.draft-'));
  } catch {
    return `${cache} cannot be written: set XDG_CACHE_HOME to a folder that can be`;
  }
  try {
    const root = join(draft, 'root');
    const problem =
      (await fetch(apt, wanted.package, draft)) ?? (await unpack(join(draft, 'archives'), root));
    if (problem !== undefined) return problem;
    const place = join(cache, wanted.package);
    const program = wanted.unpacked.find((path) => existsSync(join(root, path)));
    if (program === undefined) return 'its package does not have it';
    await writeScript(root, place, wanted.package, join(place, program));
    await rename(root, place).catch(async (error: unknown) => {
      // Another process has finished first.
      if ((await unpackedDebian(wanted.package)) === undefined) throw error;
    });
    return 'it was unpacked, and does not run';
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Fetches packages into `draft/archives`. */
async function fetch(apt: string, name: string, draft: string): Promise<string | undefined> {
  for (const folder of ['lists/partial', 'archives/partial', 'root']) {
    await mkdir(join(draft, folder), { recursive: true });
  }
  const own = {
    'Dir::State::Lists': join(draft, 'lists'),
    'Dir::Cache': draft,
    'Dir::Cache::archives': join(draft, 'archives'),
    // Only the system's own state is locked, and this call only reads it.
    'Debug::NoLocking': 'true',
    'APT::Sandbox::User': '',
  };
  const options = Object.entries(own).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  if (!(await succeeds([apt, '-qq', ...options, 'update']))) return 'apt-get update failed, without root';
  // Fetches also an installed package whose program was not found.
  const install = ['install', '--download-only', '--reinstall', '--no-install-recommends', '-y', name];
  return (await succeeds([apt, '-qq', ...options, ...install]))
    ? undefined
    : `apt-get cannot fetch ${name}, without root`;
}

async function unpack(archives: string, root: string): Promise<string | undefined> {
  for (const file of await readdir(archives)) {
    // A program runs with the C library to which its loader belongs, which is the system's.
    if (!file.endsWith('.deb') || file.startsWith('libc6_')) continue;
    if (!(await succeeds(['dpkg', '-x', join(archives, file), root]))) return `dpkg cannot unpack ${file}`;
  }
  return undefined;
}

/** `place`: the path that `root` will have at the end. */
async function writeScript(root: string, place: string, name: string, program: string): Promise<void> {
  const libraries = (await libraryFolders(root)).map((folder) => join(place, folder));
  const lines = [
    '#!/bin/sh',
    `export LD_LIBRARY_PATH=${quote(libraries.join(':'))}`,
    `export FONTCONFIG_FILE=${quote(join(place, 'fonts.conf'))}`,
    `export PYTHONPATH=${quote(join(place, 'usr/lib/python3/dist-packages'))}`,
    `exec ${quote(program)} "$@"`,
  ];
  await writeFile(join(root, 'fonts.conf'), fontsOf(place));
  await mkdir(join(root, 'run'), { recursive: true });
  await writeFile(scriptIn(root, name), `${lines.join('\n')}\n`);
  await chmod(scriptIn(root, name), 0o755);
}

const scriptIn = (root: string, name: string): string => join(root, 'run', name);

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Paths in `root` of the folders that have shared libraries. */
async function libraryFolders(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const folders = entries
    .filter((entry) => /^lib.*\.so(\.|$)/.test(entry.name))
    .map((entry) => entry.parentPath.slice(root.length + 1));
  return [...new Set(folders)].sort();
}

/** The system's fonts, if it has any, and those of the package. */
function fontsOf(place: string): string {
  const escaped = place.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<?xml version="1.0"?>
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>${escaped}/usr/share/fonts</dir>
  <cachedir>${escaped}/fontconfig</cachedir>
</fontconfig>
`;
}

/**
 * The folder of the unpacked packages, each below its name, for one version of one distribution and one
 * architecture.
 */
async function cacheFolder(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string): string | undefined =>
    new RegExp(`^${key}="?([\\w.-]+)`, 'm').exec(release)?.[1];
  const system = [value('ID') ?? process.platform, value('VERSION_ID') ?? 'unknown', process.arch].join('-');
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'troupe-tests', system);
}
