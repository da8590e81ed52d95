// The commands of package.json's scripts, run without the build before them, for tests of these commands.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';

export const root = packageDirectory();
export const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

/** Runs what `npm run NAME -- ARGS` runs behind the build. */
export function npmRun(t: TestContext, name: string, ...args: string[]) {
  const [, options = '', file = ''] = /exec node (.*?)(dist\/\S+\.js)$/.exec(scripts[name] ?? '') ?? [];
  return start(t, [...options.split(' ').filter(Boolean), join(root, file), ...args]);
}
