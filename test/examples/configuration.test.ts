// The shell blocks and the configuration of the documentation, as they are printed. A shell runs the
// commands, the loader reads the YAML, and a PostgreSQL of their own reads its settings.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { parse } from 'yaml';
import { configFrom } from '../../config/load.ts';
import { freePort } from '../../loadtest/nodes/free-ports.ts';
import { packageDirectory } from '../../src/cli/version.ts';
import { MAIN, start } from '../cli/spawn.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startTestNode } from '../support/node.ts';
import { freshDatabase, startTestPostgres } from '../support/postgres.ts';
import { WireClient } from '../support/wire-client.ts';
import { blocksOf, blockWith } from './blocks.ts';

const OPERATIONS = 'docs/operations.md';
const run = promisify(execFile);

const shared = new FileNode();

test('npm start prints what the README says that it prints, in a new directory', async (t) => {
  const directory = await folder(t);
  const printed = blockWith('README.md', 'Troupe is ready').trim();
  const port = String(await freePort());
  const expected = printed.replace('8080', port);
  assert.notEqual(expected, printed);
  const node = start(
    t,
    [
      '-c',
      `cd "$1" && exec "$2" "$3" serve --set listen.port=${port}`,
      'sh',
      directory,
      process.execPath,
      MAIN,
    ],
    '/bin/sh',
  );
  const [line] = await node.line(/^Troupe is ready.*$/);
  assert.equal(line, expected);
  node.child.kill('SIGINT');
  assert.equal((await node.ended).code, 0);
});

test('the commands of the configuration in README.md do what they say', async (t) => {
  const { directory, environment, at } = await checkout(t, await freshDatabase(t));
  const [serve = '', check = '', print = ''] = commandsOf('README.md');
  // Another program may have the port of the documentation.
  const port = await freePort();
  const changed = at(serve).replace('listen.port=9000', `listen.port=${port}`);
  assert.notEqual(changed, at(serve));
  const node = start(
    t,
    ['-c', `cd "$1" && PATH="$2" && exec ${changed}`, 'sh', directory, environment.PATH],
    '/bin/sh',
  );
  await node.line(new RegExp(`^Troupe is ready: http://127\\.0\\.0\\.1:${port}/`));
  node.child.kill('SIGTERM');
  assert.equal((await node.ended).code, 0);

  const shell = (command: string) =>
    run('/bin/sh', ['-c', at(command)], { cwd: directory, env: environment });
  await shell(check);
  const { stdout } = await shell(print);
  assert.match(stdout, /^limits:$/m);
  await writeFile(join(directory, 'my.yaml'), 'limits: { opByte: 1 }\n');
  await assert.rejects(shell(check), { code: 78 });
});

test('docs/configuration.md has the commands of README.md, for an installed package', () => {
  const installed = commandsOf('README.md').map((command) =>
    command.replace(/^node dist\/src\/main\.js /, 'troupe '),
  );
  assert.equal(installed.length, 3);
  assert.deepEqual(commandsOf('docs/configuration.md'), installed);
});

test('a wrong configuration is reported as docs/configuration.md shows it', async (t) => {
  const { directory } = await checkout(t, '');
  await writeFile(join(directory, 'my.yaml'), 'limits: { opByte: 1 }\n');
  const block = blockWith('docs/configuration.md', 'the configuration cannot be used');
  const args = ['config', 'check', '--config', 'my.yaml', '--set', 'listen.port=http'];
  await assert.rejects(run(process.execPath, [MAIN, ...args], { cwd: directory }), {
    code: 78,
    stderr: block,
  });
});

test('a backup is taken and restored by the commands of the guide', async (t) => {
  const client = await shared.connect(t);
  const doc = shared.newDoc();
  await client.open(doc, 'json');
  await client.submit(doc, 1, [{ op: 'add', path: '/kept', value: true }]);
  const to = await freshDatabase(t);
  const { directory, environment } = await checkout(t, shared.node.storageUrl);
  await writeFile(join(directory, 'other.yaml'), `storage: { url: "${to}" }\n`);
  const backups = join(directory, 'backups');
  await mkdir(backups);
  const [backup = '', restore = ''] = blockWith(OPERATIONS, '/backups/').trim().split('\n');
  // The day is part of the name, and the second command has another day than today.
  const named = restore.replace(/\d{4}-\d\d-\d\d/, '$(date +%F)');
  for (const command of [backup, named])
    await run('/bin/sh', ['-c', command.replaceAll('/backups/', `${backups}/`)], {
      cwd: directory,
      env: environment,
    });
  const other = await startTestNode(t, { storageUrl: to });
  const reader = await WireClient.connect(t, other.socketUrl, { client: shared.newClient() });
  assert.deepEqual((await reader.open(doc, 'json')).snapshot, { kept: true });
  // The node ends before its database is dropped.
  await other.stop();
});

test('the configuration of docs/operations.md is one that a node takes', async (t) => {
  const directory = await folder(t);
  const { ca } = await makeCertificates(directory);
  const yaml = blocksOf(OPERATIONS).filter(({ language }) => language === 'yaml');
  assert.ok(yaml.length >= 2);
  for (const { text } of yaml) {
    // If each line is a whole section, the lines are alternatives.
    const lines = text.trim().split('\n');
    const ways = lines.every((line) => /^\w+: \{/.test(line)) ? lines : [text];
    for (const way of ways) {
      const common = text === way ? {} : { secret: 'of sixteen characters' };
      const value = parse(way.replaceAll(/\/etc\/troupe\/\S+\.pem/g, ca));
      const storage = { url: 'postgres://troupe@pg/troupe', ...value.storage };
      const config = configFrom({ ...value, storage, cluster: { ...common, ...value.cluster } });
      assert.ok(config.cluster.redis !== null, way);
    }
  }
});

test('PostgreSQL takes the settings for standbys', async (t) => {
  const block = blockWith(OPERATIONS, 'synchronous_standby_names =');
  const server = await startTestPostgres({ fsync: false });
  t.after(() => server.stop());
  await appendFile(join(server.directory, 'postgres/postgresql.conf'), block);
  const sql = postgres(server.url, { max: 1 });
  t.after(() => sql.end());
  const names = [...block.matchAll(/^(\w+) =/gm)].map(([, name = '']) => name);
  const rows =
    await sql`select name, setting, error from pg_file_settings where name = any(${names}) order by seqno`;
  assert.deepEqual(
    rows.map(({ name, setting, error }) => ({ name, setting, error })),
    [
      { name: 'synchronous_standby_names', setting: 'ANY 1 (pg_2, pg_3)', error: null },
      { name: 'synchronous_commit', setting: 'on', error: null },
    ],
  );
});

/** The commands of the configuration in a file, without the comments behind them. */
const commandsOf = (file: string): string[] =>
  blockWith(file, 'config check')
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+#.*/, ''));

/** A directory with the files of a built checkout, `troupe` on the path, and the reader's own files. */
async function checkout(t: TestContext, storageUrl: string) {
  const directory = await folder(t);
  for (const name of ['dist', 'config', 'package.json', 'node_modules'])
    await symlink(join(packageDirectory(), name), join(directory, name));
  const secrets = join(directory, 'secrets.yaml');
  await writeFile(secrets, `storage: { url: "${storageUrl}" }\n`);
  await writeFile(join(directory, 'production.yaml'), `storage: { url: "${storageUrl}" }\n`);
  await writeFile(join(directory, 'my.yaml'), 'limits: { inflight: 32 }\n');
  const bin = join(directory, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'troupe'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  await chmod(join(bin, 'troupe'), 0o755);
  return {
    directory,
    environment: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    at: (command: string): string => command.replace('/run/secrets/troupe.yaml', secrets),
  };
}

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-documented-'));
  // PostgreSQL that is started by root runs as another user.
  await chmod(directory, 0o755);
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
