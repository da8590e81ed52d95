// What the command line means, and what the commands without a node print and return.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, parseCommand } from '../../src/cli/args.ts';
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
  ]) {
    const { code, stderr, stdout } = await runCaptured(argv);
    assert.equal(code, 2, argv.join(' '));
    assert.match(stderr, /^troupe: [^\n]+\n$/, argv.join(' '));
    assert.equal(stdout, '');
  }
});

test('--help tells every command, --version the version', async () => {
  assert.deepEqual(await runCaptured(['--help']), { code: 0, stdout: HELP, stderr: '' });
  for (const command of ['serve', 'migrate', 'config check', 'config print'])
    assert.ok(HELP.includes(`troupe ${command} `));
  assert.deepEqual(await runCaptured(['-v']), { code: 0, stdout: `${version()}\n`, stderr: '' });
  assert.match(version(), /^\d+\.\d+\.\d+/);
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

test('serve and migrate with a wrong configuration end in 78 before anything starts', async () => {
  for (const command of ['serve', 'migrate']) {
    const { code, stderr } = await runCaptured([command, '--set', 'listen.host=0.0.0.0']);
    assert.equal(code, 78);
    assert.match(stderr, /auth\.mode: .*loopback/);
  }
});

test('TROUPE_CONFIG is read', async () => {
  const { code, stderr } = await runCaptured(['config', 'check'], { TROUPE_CONFIG: '/no/such/file.yaml' });
  assert.equal(code, 78);
  assert.match(stderr, /cannot read \/no\/such\/file\.yaml/);
});
