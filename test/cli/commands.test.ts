// The command line: the meaning of its arguments, and the output and exit codes of commands without a node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOf } from '../../actors/shard.ts';
import { commandsOf, fullName } from '../../config/command-line/command-line.ts';
import { run } from '../../src/cli/cli.ts';
import { commandNames, commandTree, parseCommand } from '../../src/cli/commands.ts';
import { version } from '../../src/cli/version.ts';

async function runCaptured(argv: readonly string[], env: { TROUPE_CONFIG?: string } = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(argv, {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    env,
  });
  return { code, stdout: out.join(''), stderr: err.join('') };
}

/** The standard output of a command that does nothing but print. */
async function printed(argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCaptured(argv);
  assert.deepEqual([code, stderr], [0, ''], argv.join(' '));
  return stdout;
}

test('a command with its sources, in the order given', () => {
  assert.deepEqual(parseCommand(['serve', '-c', 'a', '--set', 'x=1', '--config=b', '--set', 'y=2']), {
    name: 'serve',
    sources: { files: ['a', 'b'], set: ['x=1', 'y=2'] },
  });
  assert.equal(parseCommand(['config', 'print']).name, 'config print');
  assert.equal(parseCommand(['config', 'check', '--set', 'a=b=c']).name, 'config check');
  assert.deepEqual(parseCommand(['--set', 'x=1', '-c', 'a', 'serve', '--set', 'y=2']), {
    name: 'serve',
    sources: { files: ['a'], set: ['x=1', 'y=2'] },
  });
  assert.equal(parseCommand(['serve', '--help']).name, 'print');
});

test('a load test is a command with its scenario and its options, and reads no configuration', async () => {
  const parsed = parseCommand(['loadtest', 'smoke', '--nodes', '2', '--lasts', '20s']);
  assert.ok(parsed.name === 'loadtest');
  assert.deepEqual([parsed.scenario, parsed.words.nodes, parsed.words.lasts], ['smoke', 2, 20_000]);
  assert.match(await printed(['loadtest', '--help']), /troupe loadtest smoke --compare/);
  for (const [argv, message] of [
    [['loadtest', 'smoke', '--set', 'listen.port=9000'], /loadtest reads no configuration/],
    [['loadtest'], /missing required argument 'SCENARIO'/],
    [['loadtest', 'smoke', '--nodes', '0'], /--nodes <N>': Expected a whole number from 1 to 16/],
  ] as const) {
    const { code, stdout, stderr } = await runCaptured(argv);
    assert.deepEqual([code, stdout], [2, ''], argv.join(' '));
    assert.match(stderr, message);
    assert.match(stderr, /^troupe: [^\n]+; see troupe loadtest --help\n$/);
  }
});

test('commands of a cluster, with what they are told', () => {
  const parsed = (...argv: string[]) => {
    const { sources, ...command } = parseCommand(argv) as { sources?: unknown };
    return command;
  };
  const rows: [string, object][] = [
    ['cluster status --json', { name: 'cluster status', json: true }],
    ['cluster pins', { name: 'cluster pins', json: false }],
    ['cluster drain node-1 --timeout 90s', { name: 'cluster drain', node: 'node-1', timeoutMs: 90_000 }],
    ['cluster move 17 b', { name: 'cluster move', shard: 17, node: 'b', timeoutMs: 30_000 }],
    ['cluster move shard:17 b', { name: 'cluster move', shard: 17, node: 'b', timeoutMs: 30_000 }],
    [
      'cluster move acme/plan b --timeout 500',
      { name: 'cluster move', shard: shardOf('acme/plan'), node: 'b', timeoutMs: 500 },
    ],
    ['cluster pin acme b', { name: 'cluster pin', match: 'acme', node: 'b', slot: undefined, force: false }],
    [
      'cluster pin acme/a:b b:3 --force',
      { name: 'cluster pin', match: 'acme/a:b', node: 'b', slot: 3, force: true },
    ],
    [
      'cluster pin shard:9 b',
      { name: 'cluster pin', match: 'shard:9', node: 'b', slot: undefined, force: false },
    ],
    ['cluster release acme/plan', { name: 'cluster release', doc: 'acme/plan', timeoutMs: 10_000 }],
    [
      'cluster release acme/plan --timeout 5s',
      { name: 'cluster release', doc: 'acme/plan', timeoutMs: 5_000 },
    ],
    ['cluster unpin acme', { name: 'cluster unpin', matches: ['acme'] }],
    [
      'cluster unpin acme/plan',
      { name: 'cluster unpin', matches: ['acme/plan', `shard:${shardOf('acme/plan')}`] },
    ],
    ['cluster unpin 17', { name: 'cluster unpin', matches: ['shard:17', '17'] }],
    ['storage renew-history --force', { name: 'storage renew-history', force: true }],
  ];
  for (const [line, command] of rows) assert.deepEqual(parsed(...line.split(' ')), command, line);
});

test('a command line that makes no sense is told in one line, with exit code 2', async () => {
  for (const argv of [
    [],
    ['surve'],
    ['serve', 'now'],
    ['config'],
    ['config', 'chek'],
    ['config', 'check', 'x'],
    ['serve', '--prot', '1'],
    ['serve', '--set'],
    ['serve', '--set', 'listen.port'],
    ['help', 'surve'],
    ['surve', '--help'],
    ['cluster', 'statsu', '--help'],
    ['completion'],
    ['completion', 'tcsh'],
    ['serve', '--json'],
    ['cluster'],
    ['cluster', 'statsu'],
    ['cluster', 'status', '--force'],
    ['cluster', 'drain'],
    ['cluster', 'drain', 'a b'],
    ['cluster', 'drain', 'a', 'b'],
    ['cluster', 'drain', 'a', '--timeout', 'soon'],
    ['cluster', 'move', '17'],
    ['cluster', 'move', 'acme', 'a'],
    ['cluster', 'pin', 'Acme', 'a'],
    ['cluster', 'pin', 'acme', 'a:256'],
    ['cluster', 'pin', 'acme', 'a:1:2'],
    ['cluster', 'unpin', 'a:b'],
    ['storage'],
    ['storage', 'renew-history', 'now'],
  ]) {
    const { code, stderr, stdout } = await runCaptured(argv);
    assert.equal(code, 2, argv.join(' '));
    assert.match(stderr, /^troupe: [^\n]+; see troupe [a-z -]*--help\n$/, argv.join(' '));
    assert.equal(stdout, '');
  }
});

test('certificates that cannot be used end serve and config check with 78', async () => {
  const settings = [
    'storage.url=postgres://127.0.0.1:1/troupe',
    'cluster.secret=a secret of the tests',
    'cluster.redis=rediss://127.0.0.1:1',
    'cluster.redis.tls.ca=/no/such/file',
  ].flatMap((set) => ['--set', set]);
  for (const command of [['serve'], ['config', 'check']]) {
    const { code, stderr } = await runCaptured([...command, ...settings]);
    assert.equal(code, 78);
    assert.match(stderr, /^ {2}cluster\.redis\.tls\.ca: cannot read \/no\/such\/file: [^\n]+\n$/m);
  }
});

test('a misuse is told with the word that was probably meant, and the help that explains it', async () => {
  const rows: [line: string, message: string][] = [
    ['sevre', "unknown command 'sevre' (Did you mean serve?); see troupe --help"],
    ['cluster statsu', "unknown command 'statsu' (Did you mean status?); see troupe cluster --help"],
    [
      'cluster status --jsn',
      "unknown option '--jsn' (Did you mean --json?); see troupe cluster status --help",
    ],
    ['cluster status --json=yes', "option '--json' takes no value; see troupe cluster status --help"],
    ['cluster move 17', "missing required argument 'NODE'; see troupe cluster move --help"],
    [
      'cluster move acme a',
      'SHARD: Expected a shard, from 0 to 4095, or a document, org/name; see troupe cluster move --help',
    ],
    ['storage', 'a command is missing: backup, restore, renew-history; see troupe storage --help'],
  ];
  for (const [line, message] of rows)
    assert.equal((await runCaptured(line.split(' '))).stderr, `troupe: ${message}\n`);
});

test('help names every command, and the help of a command every option and an example that is right', async () => {
  const help = await printed(['--help']);
  for (const argv of [['help'], ['-h']]) assert.equal(await printed(argv), help);
  for (const name of commandNames()) assert.match(help, new RegExp(`^  ${name}`, 'm'));
  for (const [name, command] of commandsOf(commandTree())) {
    const words = name.split(' ');
    const own = await printed([...words, '--help']);
    assert.equal(await printed(['help', ...words]), own);
    assert.match(own, new RegExp(`^Usage: ${fullName(command)}`));
    for (const { long } of [...command.options, ...commandTree().options])
      assert.ok(own.includes(`${long}`), name);
    for (const { argChoices, name: argument } of command.registeredArguments.map((each) => ({
      argChoices: each.argChoices,
      name: each.name(),
    })))
      assert.ok(own.includes(`  ${argument}  `) || argChoices !== undefined, `${name} ${argument}`);
    const [, examples = ''] = own.split('\nExamples:\n');
    const lines = [...examples.matchAll(/troupe ([^|>\n]*)/g)].map(([, line = '']) => line.trim());
    assert.ok(lines.length > 0, name);
    for (const line of lines) assert.notEqual(parseCommand(line.split(' ')).name, 'usage', line);
  }
});

test('a group of commands has a help with its commands', async () => {
  const help = await printed(['cluster', '--help']);
  assert.equal(await printed(['help', 'cluster']), help);
  assert.match(help, /^ {2}cluster drain NODE +Have a node hand its shards over/m);
});

test('the version', async () => {
  for (const argv of [['version'], ['--version'], ['-v']])
    assert.equal(await printed(argv), `${version()}\n`);
  assert.match(version(), /^\d+\.\d+\.\d+/);
});

test('a word that is no command is not shown where it may be a secret', async () => {
  const url = 'postgres://troupe:Kraniche42@db/troupe';
  for (const argv of [
    ['--set', 'storage.url', url, 'serve'],
    ['--set', 'cluster.secret', 'Kraniche42', 'serve'],
    ['cluster', '--set', 'cluster.secret', 'Kraniche42'],
    ['serve', '--pasword=Kraniche42'],
    ['cluster', 'drain', url],
    ['cluster', 'drain', 'a', '--timeout', 'Kraniche42'],
    ['serve', '--set', 'Kraniche42'],
    [url],
    ['config', url],
  ]) {
    const { code, stderr } = await runCaptured(argv);
    assert.equal(code, 2);
    assert.doesNotMatch(stderr, /Kraniche42/);
  }
  assert.match(
    (await runCaptured(['--set', 'a', 'b'])).stderr,
    /--set <KEY=VALUE>': Expected path=value as one word/,
  );
});

test('config check: 0, or 78 and every problem on a line', async () => {
  assert.equal((await runCaptured(['config', 'check'])).code, 0);
  const { code, stderr } = await runCaptured([
    'config',
    'check',
    '--set',
    'listen.prot=1',
    '--set',
    'workers=x',
  ]);
  assert.equal(code, 78);
  assert.match(
    stderr,
    /^troupe: the configuration cannot be used\n {2}listen\.prot: unknown key; did you mean listen\.port\?.*\n {2}workers: .*\n$/,
  );
});

test('a wrong configuration ends in 78 before anything starts', async () => {
  for (const command of ['serve', 'migrate', 'cluster status', 'cluster drain a', 'storage renew-history']) {
    const { code, stderr } = await runCaptured([...command.split(' '), '--set', 'listen.host=0.0.0.0']);
    assert.equal(code, 78);
    assert.match(stderr, /auth\.mode: .*loopback/);
  }
});

test('TROUPE_CONFIG is read', async () => {
  const { code, stderr } = await runCaptured(['config', 'check'], { TROUPE_CONFIG: '/no/such/file.yaml' });
  assert.equal(code, 78);
  assert.match(stderr, /cannot read \/no\/such\/file\.yaml/);
});
