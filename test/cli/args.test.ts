// The command line: the meaning of its arguments, and the output and exit codes of commands without a node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOf } from '../../actors/shard.ts';
import { COMMANDS, HELP, parseCommand } from '../../src/cli/args.ts';
import { run } from '../../src/cli/cli.ts';
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

test('a command with its sources, in the order given', () => {
  assert.deepEqual(parseCommand(['serve', '-c', 'a', '--set', 'x=1', '--config=b', '--set', 'y=2']), {
    name: 'serve',
    sources: { files: ['a', 'b'], set: ['x=1', 'y=2'] },
  });
  assert.equal(parseCommand(['config', 'print']).name, 'config print');
  assert.equal(parseCommand(['config', 'check', '--set', 'a=b=c']).name, 'config check');
  assert.equal(parseCommand(['serve', '--help']).name, 'help');
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
    ['cluster move 17 b', { name: 'cluster move', shard: 17, node: 'b', timeoutMs: undefined }],
    ['cluster move shard:17 b', { name: 'cluster move', shard: 17, node: 'b', timeoutMs: undefined }],
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
    assert.match(stderr, /^troupe: [^\n]+\n$/, argv.join(' '));
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

test('--help tells every command, --version the version', async () => {
  assert.deepEqual(await runCaptured(['--help']), { code: 0, stdout: HELP, stderr: '' });
  for (const command of COMMANDS) assert.ok(HELP.includes(`troupe ${command} `), command);
  for (const argv of [['help'], ['help', 'cluster'], ['cluster', '--help'], ['storage', '-h']])
    assert.deepEqual(await runCaptured(argv), { code: 0, stdout: HELP, stderr: '' });
  for (const command of COMMANDS)
    assert.deepEqual(await runCaptured([...command.split(' '), '--help']), {
      code: 0,
      stdout: HELP,
      stderr: '',
    });
  assert.deepEqual(await runCaptured(['version']), { code: 0, stdout: `${version()}\n`, stderr: '' });
  assert.deepEqual(await runCaptured(['-v']), { code: 0, stdout: `${version()}\n`, stderr: '' });
  assert.match(version(), /^\d+\.\d+\.\d+/);
});

test('a word that is no command is not shown where it may be a secret', async () => {
  const url = 'postgres://troupe:Kraniche42@db/troupe';
  for (const argv of [
    ['--set', 'storage.url', url, 'serve'],
    ['--set', 'cluster.secret', 'Kraniche42', 'serve'],
    ['cluster', '--set', 'cluster.secret', 'Kraniche42'],
    [url],
    ['config', url],
  ]) {
    const { code, stderr } = await runCaptured(argv);
    assert.equal(code, 2);
    assert.doesNotMatch(stderr, /Kraniche42/);
  }
  assert.match((await runCaptured(['--set', 'a', 'b'])).stderr, /--set takes path=value as one word/);
  assert.match((await runCaptured(['sevre'])).stderr, /there is no command sevre/);
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
