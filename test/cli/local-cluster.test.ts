// `npm run cluster` as a process: after Ctrl-C no process that it has started outlives it.
// local-cluster.long.ts has other ways to end it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { launch, runs } from './launch.ts';
import { start } from './spawn.ts';

const LIMIT = { timeout: 120_000 };

test(
  'Ctrl-C through npm, which is two signals, while nodes start: none is started after it',
  LIMIT,
  async (t) => {
    const cluster = await launch(t, 3);
    await cluster.line(/^node-1: /);
    const children = cluster.children();
    cluster.child.kill('SIGINT');
    cluster.child.kill('SIGINT');
    const { code, signal, stdout } = await cluster.ended;
    assert.deepEqual([code, signal], [0, null]);
    assert.doesNotMatch(stdout, /ready/);
    assert.ok(children.length >= 3);
    assert.deepEqual(children.filter(runs), []);
  },
);

test('its last lines are commands to try, and they find the cluster', LIMIT, async (t) => {
  const cluster = await launch(t, 1);
  const [, script = '', words = ''] = await cluster.line(/^ {2}node (\S+) (cluster status --config \S+)$/);
  const status = await start(t, [script, ...words.split(' ')]).ended;
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /^Cluster troupe: 1 node;/);
  const file = words.split(' ').at(-1) ?? '';
  assert.equal(statSync(file).mode & 0o777, 0o600);
  // In its default place the file is found without being named.
  const directory = await mkdtemp(join(tmpdir(), 'troupe-found-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'data', 'cluster'), { recursive: true });
  copyFileSync(file, join(directory, 'data', 'cluster', 'cluster.yaml'));
  const line = 'cd "$1" && exec "$2" "$3" cluster status';
  const args = ['-c', line, 'sh', directory, process.execPath, resolve(script)];
  const found = await start(t, args, '/bin/sh').ended;
  assert.equal(found.code, 0, found.stderr);
  assert.match(found.stderr, /^Using the cluster of npm run cluster \(data\/cluster\/cluster\.yaml\)$/m);
  // Only the node's uptime is another by now.
  const withoutUptime = (text: string) => text.replace(/ \d+s +/g, ' ');
  assert.equal(withoutUptime(found.stdout), withoutUptime(status.stdout));
  cluster.child.kill('SIGTERM');
  assert.equal((await cluster.ended).code, 0);
  assert.ok(!existsSync(file), 'what it says of the cluster goes with it');
});

test(
  'a port that is taken is told before anything starts, with the option that it takes',
  LIMIT,
  async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const { code, stdout, stderr } = await (await launch(t, 1, address.port)).ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(
      stderr,
      `127.0.0.1:${address.port} is in use by another program; choose other ports with --port\n`,
    );
  },
);
