// The commands of the load test folder and of the simulation: the help of each, one line for wrong arguments and for a
// target that does not answer. usage.long.ts has more commands and arguments, and ends runs early.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { areRefused, inTurn, isOutOfReach, npmRun, root, scripts } from './npm-run.ts';

/** The scripts of package.json that run a command line of their own. */
const COMMANDS = Object.keys(scripts).filter((name) =>
  /dist\/(loadtest|test\/(sim|chaos)|tools)\//.test(scripts[name] ?? ''),
);

test('every command has a help with its options and an example, and exit code 0', async (t) => {
  assert.ok(COMMANDS.includes('replay') && COMMANDS.includes('cluster') && COMMANDS.includes('test:sim'));
  const helps = await inTurn(
    t,
    COMMANDS.map((name) => [name, ['--help']]),
  );
  for (const [place, name] of COMMANDS.entries()) {
    const { code, stdout, stderr } = helps[place] ?? { code: -1, stdout: '', stderr: '' };
    assert.deepEqual([code, stderr], [0, ''], name);
    assert.match(stdout, new RegExp(`^usage: npm run ${name} `, 'i'), name);
    assert.match(stdout, new RegExp(`npm run ${name} -- `), name);
    assert.match(stdout, /^ +(-\w, )?--[a-z]/m, name);
  }
});

test('wrong arguments are one line with a hint, and exit code 2', async (t) => {
  await areRefused(t, [
    ['test:sim', ['--mutation', 'foo']],
    ['cluster', ['--nodes', '17']],
    ['garbage', ['--target', 'nonsense']],
    ['loadtest', ['nope']],
    ['replay', ['nope.json']],
  ]);
  const { code, stderr } = await npmRun(t, 'garbage', '--fraems', '3').ended;
  assert.equal(code, 2);
  assert.match(stderr, /unknown option '--fraems' \(Did you mean --frames\?\)/);
});

test('a target that does not answer is one line and exit code 1', async (t) => {
  const trace = join(root, 'test/data/traces/sveltecomponent.json.gz');
  await isOutOfReach(t, 'garbage');
  await isOutOfReach(t, 'replay', trace);
});
