// `npm run cluster` as a process: however it is told to end, nothing that it has started outlives it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../support/ports.ts';
import { putRedisOnPath } from '../support/redis.ts';
import { start } from './spawn.ts';

const LAUNCHER = fileURLToPath(new URL('../../src/local-cluster.js', import.meta.url));
const LIMIT = { timeout: 120_000 };

await putRedisOnPath();

async function launch(t: TestContext, nodes: number, port?: number) {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-local-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const from = port ?? (await freePorts(nodes));
  // Also after a test that failed it stops what it has started.
  t.after(async () => {
    if (launcher.child.exitCode !== null || launcher.child.signalCode !== null) return;
    const exited = once(launcher.child, 'exit');
    launcher.child.kill('SIGTERM');
    await exited;
  });
  const launcher = start(t, [
    LAUNCHER,
    `--nodes=${nodes}`,
    `--port=${from}`,
    `--directory=${relative(process.cwd(), directory)}`,
  ]);
  const pid = Number(launcher.child.pid);
  /** PostgreSQL, Redis and the nodes, as far as they are there. */
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return { ...launcher, children };
}

/** One that has ended and that nobody has asked about is no process any more. */
function runs(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

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

test('a terminal that is closed ends everything', LIMIT, async (t) => {
  const cluster = await launch(t, 1);
  await cluster.line(/^The cluster is ready/);
  const children = cluster.children();
  cluster.child.stdout?.destroy();
  cluster.child.kill('SIGHUP');
  const [code, signal] = await once(cluster.child, 'exit');
  assert.deepEqual([code, signal], [0, null]);
  assert.deepEqual(children.filter(runs), []);
});

test('its last lines are commands to try, and they find the cluster', LIMIT, async (t) => {
  const cluster = await launch(t, 1);
  const [, script = '', words = ''] = await cluster.line(/^ {2}node (\S+) (cluster status --config \S+)$/);
  const status = await start(t, [script, ...words.split(' ')]).ended;
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /^Cluster troupe: 1 node;/);
  const file = words.split(' ').at(-1) ?? '';
  assert.equal(statSync(file).mode & 0o777, 0o600);
  // In the default place it is found without being named.
  const directory = await mkdtemp(join(tmpdir(), 'troupe-found-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'data', 'cluster'), { recursive: true });
  copyFileSync(file, join(directory, 'data', 'cluster', 'cluster.yaml'));
  const line = 'cd "$1" && exec "$2" "$3" cluster status';
  const args = ['-c', line, 'sh', directory, process.execPath, resolve(script)];
  const found = await start(t, args, '/bin/sh').ended;
  assert.equal(found.code, 0, found.stderr);
  assert.match(found.stderr, /^Using the cluster of npm run cluster \(data\/cluster\/cluster\.yaml\)$/m);
  assert.equal(found.stdout, status.stdout);
  cluster.child.kill('SIGTERM');
  assert.equal((await cluster.ended).code, 0);
  assert.ok(!existsSync(file), 'what it says of the cluster goes with it');
});

test('told again, a second later, it waits for nobody and leaves nobody', LIMIT, async (t) => {
  const cluster = await launch(t, 1);
  const [, node = ''] = await cluster.line(/^node-1: .*\(process (\d+)\)/);
  await cluster.line(/^The cluster is ready/);
  const children = cluster.children();
  // It does not stop by itself.
  process.kill(Number(node), 'SIGSTOP');
  const again = setInterval(() => cluster.child.kill('SIGINT'), 100);
  const { code } = await cluster.ended;
  clearInterval(again);
  assert.equal(code, 130);
  while (children.some(runs)) await new Promise((look) => setTimeout(look, 10));
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
