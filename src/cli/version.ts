// The version of the package, wherever its compiled files lie.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version in package.json, such as `0.1.0`. */
export function version(): string {
  const file = join(packageDirectory(), 'package.json');
  const { version: found }: { version?: unknown } = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof found !== 'string') throw new Error(`${file} names no version`);
  return found;
}

/** The nearest folder above this file that holds a package.json. */
export function packageDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    if (dirname(directory) === directory) throw new Error('no package.json above this file');
    directory = dirname(directory);
  }
  return directory;
}
