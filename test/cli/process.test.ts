// The `troupe` command as a process: ready line, signals, exit codes, and one clear line for a failure that a
// person can mend.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import postgres from 'postgres';
import { freshDatabase, testPostgresUrl } from '../support/postgres.ts';
import { MAIN, serve, serving, start, troupe } from './spawn.ts';

/** The lines on standard error besides the log. */
const told = (stderr: string) => stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));

/** A process that hangs fails the test, which ends it. */
const LIMIT = { timeout: 120_000 };

test('serve says where it is ready, and ends with 0 on SIGTERM', LIMIT, async (t) => {
  const node = await serving(t, await freshDatabase(t));
  await isReadyUntil(node, 'SIGTERM');
});

test('told to stop while its workers start it ends with 0, and nothing keeps it', LIMIT, async (t) => {
  const url = await freshDatabase(t);
  const node = serve(t, url);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.after(() => sql.end());
  // The node has its session, and starts its workers next.
  while ((await sql`SELECT 1 FROM session`).length === 0) await new Promise((look) => setTimeout(look, 5));
  node.child.kill('SIGTERM');
  const { code, stdout, stderr } = await node.ended;
  assert.deepEqual([code, stdout, told(stderr)], [0, '', []]);
  assert.doesNotMatch(stderr, /keeps the process alive/);
});

test('a busy port is one clear line and exit code 1', LIMIT, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const { code, stderr } = await troupe(
    t,
    'serve',
    '--set',
    `listen.port=${address.port}`,
    '--set',
    `storage.url=${await freshDatabase(t)}`,
  ).ended;
  assert.equal(code, 1);
  assert.equal(told(stderr).length, 1, stderr);
  assert.match(
    told(stderr)[0] ?? '',
    new RegExp(`^troupe: .*127\\.0\\.0\\.1:${address.port}.*--set listen\\.port=`),
  );
});

test('a database out of reach is one clear line and exit code 1, without its password', LIMIT, async (t) => {
  for (const command of ['serve', 'migrate']) {
    const { code, stderr } = await troupe(
      t,
      command,
      '--set',
      'storage.url=postgres://troupe:hunter2@127.0.0.1:1/troupe',
      '--set',
      'storage.startTimeoutMs=0',
      '--set',
      'listen.port=0',
    ).ended;
    assert.equal(code, 1);
    assert.equal(told(stderr).length, 1, stderr);
    assert.match(told(stderr)[0] ?? '', /^troupe: .*(PostgreSQL|database).*127\.0\.0\.1:1$/);
    assert.ok(!stderr.includes('hunter2'), stderr);
  }
});

test(
  'an empty database: serve refuses with storage.migrate false, migrate fills it, once, and serve ends with 0 on SIGINT',
  LIMIT,
  async (t) => {
    const url = await emptyDatabase(t);
    const refused = await troupe(t, 'serve', '--set', `storage.url=${url}`, '--set', 'storage.migrate=false')
      .ended;
    assert.equal(refused.code, 1);
    assert.match(told(refused.stderr).join('\n'), /^troupe: [^\n]*migrat[^\n]*$/);
    const first = await troupe(t, 'migrate', '--set', `storage.url=${url}`).ended;
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^The migration 0001-initial was applied\./);
    const second = await troupe(t, 'migrate', '--set', `storage.url=${url}`).ended;
    assert.deepEqual([second.code, second.stdout], [0, 'The schema is up to date.']);
    await isReadyUntil(await serving(t, url, '--set', 'storage.migrate=false'), 'SIGINT');
  },
);

test('imported in-process, main gives the importer back before the node is ready', LIMIT, async (t) => {
  const argv = ['serve', '--set', 'listen.port=0', '--set', `storage.url=${await freshDatabase(t)}`];
  const script = `process.argv = [process.argv[0], 'troupe', ...${JSON.stringify(argv)}];
    await import(${JSON.stringify(pathToFileURL(MAIN).href)});
    console.log('imported');`;
  const running = start(t, ['--input-type=module', '--eval', script]);
  await running.line(/^Troupe is ready/);
  running.child.kill('SIGTERM');
  const { code, stdout } = await running.ended;
  assert.equal(code, 0);
  assert.match(stdout, /^imported\nTroupe is ready/);
});

async function isReadyUntil(
  node: Awaited<ReturnType<typeof serving>>,
  signal: 'SIGINT' | 'SIGTERM',
): Promise<void> {
  assert.equal((await fetch(new URL('/readyz', node.url))).status, 200);
  node.child.kill(signal);
  const { code, stderr } = await node.ended;
  assert.deepEqual([code, told(stderr)], [0, []]);
}

async function emptyDatabase(t: { after(callback: () => Promise<void>): void }): Promise<string> {
  const server = await testPostgresUrl();
  const name = `cli_${randomUUID().replaceAll('-', '')}`;
  const sql = postgres(server, { max: 1, onnotice: () => undefined });
  await sql`CREATE DATABASE ${sql(name)}`;
  t.after(async () => {
    await sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`;
    await sql.end();
  });
  return Object.assign(new URL(server), { pathname: `/${name}` }).href;
}
