// The commands of the load test folder and of the simulation: the help of each, one line for wrong arguments and for a
// target that does not answer, and an end that keeps what was measured.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { packageDirectory } from '../../src/cli/version.ts';
import { start } from '../cli/spawn.ts';
import { startTestNode } from '../support/node.ts';
import { until } from '../support/until.ts';

const root = packageDirectory();
const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

/** The scripts of package.json that run a command line of their own. */
const COMMANDS = Object.keys(scripts).filter((name) =>
  /dist\/(loadtest|test\/(sim|chaos)|tools)\//.test(scripts[name] ?? ''),
);

/** Runs what `npm run NAME -- ARGS` runs behind the build. */
function npmRun(t: TestContext, name: string, ...args: string[]) {
  const [, options = '', file = ''] = /exec node (.*?)(dist\/\S+\.js)$/.exec(scripts[name] ?? '') ?? [];
  return start(t, [...options.split(' ').filter(Boolean), join(root, file), ...args]);
}

test('every command has a help with its options and an example, and exit code 0', async (t) => {
  assert.ok(COMMANDS.includes('replay') && COMMANDS.includes('cluster') && COMMANDS.includes('test:sim'));
  for (const name of COMMANDS) {
    const { code, stdout, stderr } = await npmRun(t, name, '--help').ended;
    assert.deepEqual([code, stderr], [0, ''], name);
    assert.match(stdout, new RegExp(`^usage: npm run ${name} `, 'i'), name);
    assert.match(stdout, new RegExp(`npm run ${name} -- `), name);
    assert.match(stdout, /^ +(-\w, )?--[a-z]/m, name);
  }
});

test('wrong arguments are one line with a hint, and exit code 2', async (t) => {
  const cases: [name: string, args: string[]][] = [
    ...COMMANDS.map((name): [string, string[]] => [name, ['--nope']]),
    ['test:sim', ['--seeds', '0']],
    ['test:sim', ['--mutation', 'foo']],
    ['test:sim', ['--seed', 'x']],
    ['test:chaos', ['--fault', 'foo']],
    ['cluster', ['--nodes', '17']],
    ['garbage', ['--frames=-1']],
    ['garbage', ['--target', 'nonsense']],
    ['costly', ['--shapes', 'nope']],
    ['work', ['--filter', 'nope']],
    ['loadtest', []],
    ['loadtest', ['nope']],
    ['loadtest', ['smoke', '--nodes', '0']],
    ['loadtest', ['smoke', '--nodes', '2', '--target', 'http://x']],
    ['loadtest', ['smoke', '--compare', 'nope.json']],
    ['replay', []],
    ['replay', ['nope.json']],
    ['replay', [join(root, 'package.json')]],
    ['stored', []],
    ['stored', ['nope.json']],
  ];
  for (const [name, args] of cases) {
    const { code, stdout, stderr } = await npmRun(t, name, ...args).ended;
    assert.deepEqual([code, stdout], [2, ''], `${name} ${args.join(' ')}`);
    const said = name === 'loadtest' ? stderr.split('\nusage:')[0] : stderr.trimEnd();
    assert.match(
      said ?? '',
      name === 'loadtest' ? /^[^\n]+$/ : /^npm run [^\n]+; see npm run [a-z:]+ -- --help$/,
    );
    assert.doesNotMatch(stderr, /^ +at /m);
  }
  assert.match(
    (await npmRun(t, 'garbage', '--fraems', '3').ended).stderr,
    /unknown option '--fraems' \(Did you mean --frames\?\)/,
  );
});

test('a target that does not answer is one line and exit code 1', async (t) => {
  const trace = join(root, 'test/data/traces/sveltecomponent.json.gz');
  for (const [name, ...args] of [['garbage'], ['costly'], ['presence'], ['replay', trace]] as const) {
    const { code, stdout, stderr } = await npmRun(t, name, ...args, '--target', 'http://127.0.0.1:1').ended;
    assert.deepEqual(
      [code, stdout, stderr],
      [1, '', 'ws://127.0.0.1:1/v1/socket does not answer: ECONNREFUSED\n'],
      name,
    );
  }
});

test('SIGINT ends a run with what was measured, and exit code 130', async (t) => {
  const node = await startTestNode(t);
  const garbage = npmRun(t, 'garbage', '--frames', '100000000', '--target', node.url);
  const costly = npmRun(
    t,
    'costly',
    '--seconds',
    '600',
    '--clients',
    '2',
    '--target',
    node.url,
    '--p99',
    '600000',
  );
  const sql = postgres(node.storageUrl, { max: 1, onnotice: () => undefined });
  t.after(() => sql.end());
  // The bystanders of both runs have made edits.
  const orgs = async (): Promise<number> => {
    const rows = await sql`SELECT DISTINCT org FROM document JOIN delta ON delta.doc = document.id
      WHERE name LIKE 'bystander-%' AND last > 20`;
    return rows.length;
  };
  await until(async () => (await orgs()) === 2);
  for (const { child } of [garbage, costly]) child.kill('SIGINT');
  const ended = await Promise.all([garbage.ended, costly.ended]);
  for (const { code, stdout, stderr } of ended) {
    assert.equal(code, 130, stdout + stderr);
    assert.match(stdout, /bystanders: \d+ edits[\s\S]*the bystanders noticed nothing$/);
    assert.match(stderr, /^Ending, with what was measured so far\./);
  }
});
