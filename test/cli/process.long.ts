// The `troupe` command as a process whose output, terminal or ports fail. process.test.ts has what happens more often.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshDatabase } from '../support/postgres.ts';
import { MAIN, start, troupe } from './spawn.ts';

/** The lines on standard error besides the log. */
const told = (stderr: string) => stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));

/** A process that hangs fails the test, which ends it. */
const LIMIT = { timeout: 120_000 };

test('a log that cannot be written holds nothing up: it serves, and ends with 0', LIMIT, async (t) => {
  const settings = ['--set', 'listen.port=0', '--set', `storage.url=${await freshDatabase(t)}`];
  const script = 'exec "$0" "$@" 2>/dev/full';
  const node = start(t, ['-c', script, process.execPath, MAIN, 'serve', ...settings], '/bin/sh');
  const [, url = ''] = await node.line(/^Troupe is ready: (http:\S+)/);
  assert.equal((await fetch(new URL('/readyz', url))).status, 200);
  node.child.kill('SIGTERM');
  assert.equal((await node.ended).code, 0);
});

test('a node whose terminal has gone stops, with 0', LIMIT, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-terminal-'));
  t.after(() => rm(directory, { recursive: true }));
  const settings = `--set listen.port=0 --set storage.url=${await freshDatabase(t)}`;
  // The shell outlives the terminal and reports how the node has ended.
  const line = `"${process.execPath}" "${MAIN}" serve ${settings} & node=$!
    trap 'kill -HUP $node' HUP
    wait $node; wait $node; echo $? >"${directory}/code"`;
  const terminal = start(t, ['-qfec', line, '/dev/null'], 'script');
  await terminal.line(/^Troupe is ready/);
  terminal.child.kill('SIGKILL');
  const code = () => readFile(join(directory, 'code'), 'utf8').catch(() => '');
  while ((await code()) === '') await new Promise((look) => setTimeout(look, 20));
  assert.equal(await code(), '0\n');
});

test('if standard error cannot be written, the exit code is the same', LIMIT, async (t) => {
  const script = 'exec "$0" "$@" 2>/dev/full';
  const wrong = ['config', 'check', '--set', 'listen.prot=1'];
  const { code } = await start(t, ['-c', script, process.execPath, MAIN, ...wrong], '/bin/sh').ended;
  assert.equal(code, 78);
});

test(
  'a reader that stops early is no failure, and a result that cannot be written is one',
  LIMIT,
  async (t) => {
    const shell = (script: string) =>
      start(t, ['-c', `set -o pipefail; ${script}`, process.execPath, MAIN], 'bash').ended;
    const early = await shell('"$0" "$1" config print | (read -r line; exec <&-; cat >/dev/null 2>&1; true)');
    assert.deepEqual([early.code, early.stderr], [0, '']);
    const full = await shell('"$0" "$1" help >/dev/full');
    assert.deepEqual([full.code, full.stderr], [1, 'troupe: the output could not be written: ENOSPC\n']);
  },
);

test('a busy port for other nodes is told by its own key', LIMIT, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const settings = [
    'listen.port=0',
    `storage.url=${await freshDatabase(t)}`,
    'cluster.redis=redis://127.0.0.1:1',
    'cluster.secret=a secret of the tests',
    `cluster.link.port=${address.port}`,
  ];
  const { code, stderr } = await troupe(t, 'serve', ...settings.flatMap((set) => ['--set', set])).ended;
  assert.equal(code, 1);
  assert.match(told(stderr).join('\n'), /^troupe: [^\n]+ in use [^\n]+--set cluster\.link\.port=…$/);
});

test('a file where a directory is configured is one clear line', LIMIT, async (t) => {
  for (const [directory, line] of [
    [MAIN, /^troupe: [^\n]+main\.js is there, and is no directory$/],
    // In /proc no program can make a directory.
    ...(process.platform === 'linux'
      ? [['/proc/troupe', /^troupe: \/proc\/troupe cannot be written \(ENOENT\): [^\n]+$/] as const]
      : []),
    [`${MAIN}/data`, /^troupe: [^\n]+main\.js\/data cannot be a directory: [^\n]+$/],
  ] as const) {
    const settings = ['listen.port=0', `storage.embedded.directory=${directory}`];
    const { code, stderr } = await troupe(t, 'serve', ...settings.flatMap((set) => ['--set', set])).ended;
    assert.equal(code, 1);
    assert.match(told(stderr).join('\n'), line);
  }
});
