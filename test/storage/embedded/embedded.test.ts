// The embedded PostgreSQL: started, killed, stopped, and used by one process only, under the user of the
// test.
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { findBinaries, linkLibraries } from '../../../actors/storage/embedded/binaries.ts';
import { pathsIn, prepareData } from '../../../actors/storage/embedded/data.ts';
import { isAlive } from '../../../actors/storage/embedded/directory-lock.ts';
import { chooseIdentity } from '../../../actors/storage/embedded/identity.ts';
import {
  type EmbeddedPostgres,
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from '../../../actors/storage/embedded-postgres.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';

void test('embedded: durable, on the loopback, with a password; data survives stops and kills; one process at a time', async (t) => {
  const { directory } = await scratch(t);
  const first = await start(t, directory);
  assert.equal((await stat(join(directory, 'postgres-password'))).mode & 0o777, 0o600);
  const settings = await query(
    first.url,
    (sql) => sql`
    SELECT name, setting FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'listen_addresses', 'synchronous_commit', 'server_encoding')`,
  );
  assert.deepEqual(Object.fromEntries(settings.map(({ name, setting }) => [name, setting])), {
    fsync: 'on',
    full_page_writes: 'on',
    listen_addresses: '127.0.0.1',
    server_encoding: 'UTF8',
    synchronous_commit: 'on',
  });
  const wrong = new URL(first.url);
  wrong.password = 'wrong';
  await assert.rejects(
    query(wrong.href, (sql) => sql`SELECT 1`),
    /password authentication failed/,
  );
  await query(first.url, (sql) => sql`CREATE TABLE kept AS SELECT 1 AS n`);

  await assert.rejects(startEmbeddedPostgres({ directory }), (error) => {
    assert.ok(error instanceof EmbeddedPostgresError);
    assert.equal(error.code, 'in-use');
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });

  // A killed postmaster is started again automatically, under the same URL.
  const killed = first.pid;
  // The server does not keep the process alive, as sockets of a node would.
  const alive = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(alive));
  const exited = new Promise<unknown>((resolve) => first.onExit(resolve));
  process.kill(killed, 'SIGKILL');
  assert.deepEqual(await exited, { code: null, signal: 'SIGKILL' });
  await untilAnswers(first.url);
  // The server may answer before the supervisor has seen that it is ready.
  await until(() => first.pid !== killed);
  await query(first.url, (sql) => sql`INSERT INTO kept VALUES (2)`);

  const { pid } = first;
  await Promise.all([first.stop(), first.stop()]);
  assert.equal(isAlive(pid), false);
  assert.ok(!(await readdir(directory)).includes('troupe.lock'));

  const second = await start(t, directory);
  assert.deepEqual(
    (await query(second.url, (sql) => sql`SELECT n FROM kept ORDER BY n`)).map(({ n }) => n),
    [1, 2],
  );
  await second.stop();
});

void test('embedded: what killed starts and servers left behind is taken over', async (t) => {
  const { directory } = await scratch(t);
  // An initdb that was cut short and a lock of a process that has ended, both of another start.
  await mkdir(join(directory, 'postgres.new-0123'), { recursive: true });
  await writeFile(join(directory, 'postgres.new-0123', 'PG_VERSION'), '18');
  await writeFile(join(directory, 'troupe.lock'), '999999999 1\n');
  const server = await start(t, directory);
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.includes('.new-')),
    [],
  );
  await server.stop();
  // A postmaster.pid that a crash left, with a number that another process, this one, has now.
  const data = join(directory, 'postgres');
  await writeFile(
    join(data, 'postmaster.pid'),
    `${process.pid}\n${data}\n1700000000\n5432\n\n127.0.0.1\n  1 1\nready   \n`,
  );
  const again = await start(t, directory);
  assert.notEqual(again.pid, process.pid);
  assert.match(await readFile(join(data, 'postmaster.pid'), 'utf8'), new RegExp(`^${again.pid}\n`));
  await again.stop();
});

void test('embedded: works in a directory that only we may enter', async (t) => {
  const { parent, directory } = await scratch(t);
  await chmod(parent, 0o700);
  const server = await start(t, directory);
  assert.equal((await query(server.url, (sql) => sql`SELECT 1 AS n`))[0]?.n, 1);
  await server.stop();
});

void test('embedded: an initdb that fails leaves nothing, not even the directory that was made for it', async (t) => {
  const { parent, directory } = await scratch(t);
  const found = await findBinaries(directory);
  const paths = pathsIn(directory);
  // An initdb without a postgres beside it.
  const alone = join(parent, 'alone');
  await mkdir(alone);
  await copyFile(found.initdb, join(alone, 'initdb'));
  const native = join(dirname(found.initdb), '..', 'lib');
  const binaries = {
    ...found,
    initdb: join(alone, 'initdb'),
    env: { ...found.env, LD_LIBRARY_PATH: [found.env.LD_LIBRARY_PATH, native].filter(Boolean).join(':') },
  };
  const identity = await chooseIdentity(binaries, directory);
  await assert.rejects(prepareData(paths, binaries, identity), /initdb failed: .*postgres/);
  assert.deepEqual(await readdir(directory), []);
  // PostgreSQL would cut this path off, and an ordinary user's initdb would make folders at the rest of it.
  const deep = join(parent, 'not', ...Array.from({ length: 12 }, () => 'd'.repeat(100)));
  await assert.rejects(startEmbeddedPostgres({ directory: deep }), (error) => {
    assert.ok(error instanceof EmbeddedPostgresError);
    assert.match(error.message, /has \d+ bytes, and PostgreSQL takes 900: .*storage\.embedded\.directory/);
    return true;
  });
  assert.deepEqual((await readdir(parent)).sort(), ['alone', 'data']);
});

if (process.platform === 'linux') {
  void test('embedded: a directory that cannot be written is an error that names the key', async () => {
    // Even root cannot make a folder there.
    await assert.rejects(startEmbeddedPostgres({ directory: '/sys/troupe' }), (error) => {
      assert.ok(error instanceof EmbeddedPostgresError);
      assert.match(
        error.message,
        /^\/sys\/troupe cannot be written \(E\w+\): .*storage\.embedded\.directory/,
      );
      return true;
    });
  });
}

void test('embedded: links to libraries follow a package whose folder has moved', async (t) => {
  const { parent, directory } = await scratch(t);
  // A package with a link that cannot be made beside the library, because that folder does not exist.
  const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/none/libx.so.1' }];
  for (const name of ['before', 'after']) {
    const native = join(parent, name, 'native');
    await mkdir(join(native, 'lib'), { recursive: true });
    await writeFile(join(native, 'lib', 'libx.so.1.2'), name);
    await writeFile(join(native, 'pg-symlinks.json'), JSON.stringify(links));
    const linked = await linkLibraries(native, directory);
    assert.equal(linked, join(directory, 'lib'));
    assert.equal(await readFile(join(linked, 'libx.so.1'), 'utf8'), name);
    await rm(join(parent, name), { recursive: true });
  }
});

void test('a test server stops, and its directory goes', async () => {
  const server = await startTestPostgres();
  const { pid } = server;
  assert.equal((await query(server.url, (sql) => sql`SHOW fsync`))[0]?.fsync, 'on');
  await server.stop();
  assert.equal(isAlive(pid), false);
  await assert.rejects(stat(server.directory), /ENOENT/);
});

async function scratch(t: TestContext): Promise<{ parent: string; directory: string }> {
  const parent = await mkdtemp(join(tmpdir(), 'troupe-embedded-'));
  await chmod(parent, 0o755);
  t.after(() => rm(parent, { recursive: true, force: true }));
  const directory = join(parent, 'data');
  await mkdir(directory);
  return { parent, directory };
}

async function start(t: TestContext, directory: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory });
  t.after(() => server.stop());
  return server;
}

async function query<T>(url: string, ask: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return await ask(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Dials the port until it answers. The runner's time-out ends a server that never answers. */
async function untilAnswers(url: string): Promise<void> {
  await until(() =>
    query(url, (sql) => sql`SELECT 1`).then(
      () => true,
      () => false,
    ),
  );
}
