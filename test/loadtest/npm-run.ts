// The commands of package.json's scripts, run without the build before them, for tests of these commands.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';
import { startedFile } from '../support/bundled-files.ts';
import type { CommandLine, Outcome } from './commands-in-turn.ts';

export const root = packageDirectory();
export const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

const IN_TURN = fileURLToPath(new URL('./commands-in-turn.js', import.meta.url));

/** The options for Node and the file of what `npm run NAME` runs behind the build. */
function commandOf(name: string): { readonly options: readonly string[]; readonly file: string } {
  const [, options = '', file = ''] = /exec node (.*?)(dist\/\S+\.js)$/.exec(scripts[name] ?? '') ?? [];
  return { options: options.split(' ').filter(Boolean), file: startedFile(join(root, file)) };
}

/** Runs what `npm run NAME -- ARGS` runs behind the build. */
export function npmRun(t: TestContext, name: string, ...args: string[]) {
  const { options, file } = commandOf(name);
  return start(t, [...options, file, ...args]);
}

/** A script, and the arguments behind `npm run NAME --`. */
export type Case = readonly [name: string, args: readonly string[]];

/** Runs commands that end at once, one after the other in one process. */
export async function inTurn(t: TestContext, cases: readonly Case[]): Promise<readonly Outcome[]> {
  const lines: readonly CommandLine[] = cases.map(([name, args]) => ({ file: commandOf(name).file, args }));
  const { code, stdout, stderr } = await start(t, [IN_TURN, JSON.stringify(lines)]).ended;
  assert.deepEqual([code, stderr], [0, '']);
  const outcomes: readonly Outcome[] = JSON.parse(stdout);
  assert.equal(outcomes.length, cases.length);
  return outcomes;
}

/** Runs each command with arguments that are wrong. Each must be one line with a hint, and the exit code 2. */
export async function areRefused(t: TestContext, cases: readonly Case[]): Promise<void> {
  const outcomes = await inTurn(t, cases);
  for (const [place, [name, args]] of cases.entries()) {
    const { code, stdout, stderr } = outcomes[place] ?? { code: -1, stdout: '', stderr: '' };
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
