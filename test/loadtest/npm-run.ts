// The commands of package.json's scripts, run without the build before them, for tests of these commands.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';
import { startedFile } from '../support/bundled-files.ts';

export const root = packageDirectory();
export const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

/** Runs what `npm run NAME -- ARGS` runs behind the build. */
export function npmRun(t: TestContext, name: string, ...args: string[]) {
  const [, options = '', file = ''] = /exec node (.*?)(dist\/\S+\.js)$/.exec(scripts[name] ?? '') ?? [];
  return start(t, [...options.split(' ').filter(Boolean), startedFile(join(root, file)), ...args]);
}

/** Runs each command with arguments that are wrong. Each must be one line with a hint, and the exit code 2. */
export async function areRefused(
  t: TestContext,
  cases: readonly (readonly [name: string, args: readonly string[]])[],
): Promise<void> {
  for (const [name, args] of cases) {
    const { code, stdout, stderr } = await npmRun(t, name, ...args).ended;
    assert.deepEqual([code, stdout], [2, ''], `${name} ${args.join(' ')}`);
    assert.match(stderr, /^npm run [^\n]+; see npm run [a-z:]+ -- --help\n$/);
    assert.doesNotMatch(stderr, /^ +at /m);
  }
}

/** Runs the command against a target that does not answer. That must be one line, and the exit code 1. */
export async function isOutOfReach(t: TestContext, name: string, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await npmRun(t, name, ...args, '--target', 'http://127.0.0.1:1').ended;
  assert.deepEqual(
    [code, stdout, stderr],
    [1, '', 'ws://127.0.0.1:1/v1/socket does not answer: ECONNREFUSED\n'],
    name,
  );
}
