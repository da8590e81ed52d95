// The answers of the load commands to arguments that make no sense.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { start } from '../cli/spawn.ts';

test('wrong arguments are told in one line and the usage, with exit code 2', async (t) => {
  const cases: [command: string, args: string[]][] = [
    ['test/sim/cli.js', ['--seeds', '0']],
    ['test/sim/cli.js', ['--nope']],
    ['test/sim/cli.js', ['--mutation', 'foo']],
    ['test/sim/cli.js', ['--seed', 'x']],
    ['test/chaos/cli.js', ['--fault', 'foo']],
    ['loadtest/measures/soak-cli.js', ['--sockets=-1']],
    ['loadtest/run/load-test-cli.js', []],
    ['loadtest/run/load-test-cli.js', ['nope']],
    ['loadtest/run/load-test-cli.js', ['smoke', '--nodes', '0']],
    ['loadtest/run/load-test-cli.js', ['smoke', '--nodes', '2', '--target', 'http://x']],
    ['loadtest/run/load-test-cli.js', ['smoke', '--compare', 'nope.json']],
    ['loadtest/replay/replay-cli.js', []],
    ['loadtest/measures/stored-cli.js', []],
  ];
  for (const [command, args] of cases) {
    const file = fileURLToPath(new URL(`../../${command}`, import.meta.url));
    const { code, stdout, stderr } = await start(t, [file, ...args]).ended;
    assert.deepEqual([code, stdout], [2, ''], `${command} ${args.join(' ')}`);
    assert.match(stderr, /^[^\n]+\nusage: npm run [a-z:]+ -- /);
    assert.doesNotMatch(stderr, /^ +at /m);
  }
});
