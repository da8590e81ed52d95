// The places of the files that bundles.ts makes of the modules of dist/.
import { dirname, join, relative, sep } from 'node:path';
import { packageDirectory } from '../../src/cli/version.ts';

export const dist = join(packageDirectory(), 'dist');
export const ENDING = '.mjs';

/** The variable of the environment that names the directory of the bundles. Narrow runs have none. */
export const DIRECTORY = 'TROUPE_TEST_BUNDLES';

export function bundledFile(module: string, directory: string): string {
  const base = module.startsWith(dist + sep) ? dist : dirname(module);
  return join(directory, 'bundled', relative(base, module).replace(/\.m?js$/, ENDING));
}

/** The file from which a process with the module is started: the bundled one in a run that has bundles. */
export function startedFile(module: string): string {
  const directory = process.env[DIRECTORY];
  return directory === undefined ? module : bundledFile(module, directory);
}
