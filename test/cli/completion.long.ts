// `troupe completion zsh` and `fish`, in the real shells. zsh completes only at a terminal, so one zsh runs another at a
// terminal of its own and presses TAB there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findFish } from '../support/programs/fish.ts';
import { findZsh } from '../support/programs/zsh.ts';
import { COMPLETION_CASES, completionStage } from './completion-cases.ts';

const run = promisify(execFile);
const LIMIT = { timeout: 120_000 };

test('fish offers the words, and says what a command does', LIMIT, async (t) => {
  const fish = await findFish();
  const { directory, script } = await completionStage(t, 'fish');
  const env = { ...process.env, HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory };
  const ask = async (line: string): Promise<string[]> => {
    const args = ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line];
    const { stdout } = await run(fish, args, { cwd: directory, env });
    return stdout.split('\n').filter((word) => word !== '');
  };
  for (const { line, words } of COMPLETION_CASES) {
    const offered = (await ask(line)).map((each) => each.replace(/\/?(\t.*)?$/, ''));
    // With only -- typed fish offers the short options too.
    assert.deepEqual(offered.filter((word) => !/^-\w$/.test(word)).sort(), [...words].sort(), line);
  }
  assert.deepEqual(await ask('troupe serve --config=dar'), ['--config=dark.yaml']);
  assert.deepEqual(await ask('troupe ser'), ['serve\tRun a node until it is told to stop']);
});

test('zsh offers the words, and says what a command does', LIMIT, async (t) => {
  const { path, setup } = await findZsh();
  const { directory, script } = await completionStage(t, 'zsh');
  const driver = join(directory, '.driver.zsh');
  writeFileSync(driver, driverOf(path, setup, script));
  const { stdout } = await run(path, ['-f', driver], {
    cwd: directory,
    env: { ...process.env, TERM: 'dumb', HOME: directory },
  });
  // Letters that the terminal draws over do not matter.
  assert.equal(stdout, 'all were offered\n');
});

/** Types each line, presses TAB, and waits until all words have been written. */
function driverOf(zsh: string, setup: string, script: string): string {
  const cases = COMPLETION_CASES.filter(({ words }) => words.length > 0).map(({ line, words }) => {
    const wanted = [...words].sort().map((word) => `${quote(word)}*`);
    return `ask ${quote(line)} ${quote(`*${wanted.join('')}`.replaceAll("'", ''))}`;
  });
  return `${setup}
zmodload zsh/zpty
zpty z ${zsh} -f -i
zpty -w z ${quote(`${setup}; unsetopt list_ambiguous; autoload -Uz compinit; compinit -u -D; source ${script}; print REA''DY`)}
zpty -r z out '*READY*'
ask() {
  zpty -w -n z "$1"$'\\t'
  zpty -r z out "$2"
  zpty -w -n z $'\\x15'
}
${cases.join('\n')}
zpty -w -n z 'troupe ser'$'\\t\\x15'
ask 'troupe ' '*serve*-- Run a node until it is told to stop*'
zpty -d z
print all were offered
`;
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
