// Secrets stand wherever an operator may write one, also in wrong places. The tests search the output of all
// commands for them.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Secrets } from '../../config/showing/secrets.ts';
import { run } from '../../src/cli/cli.ts';
import { commandNames } from '../../src/cli/commands.ts';
import { MAIN } from './spawn.ts';

const LIMIT = { timeout: 120_000 };

/** It has at least 16 characters, as cluster.secret must have. Nothing else that is written contains it. */
const SECRET = 'ZweiundvierzigKraniche';

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  'cluster drain': ['node-1'],
  'cluster move': ['1', 'node-1'],
  'cluster pin': ['acme', 'node-1'],
  'cluster unpin': ['acme'],
  'cluster release': ['acme/plan'],
  'storage backup': [join(tmpdir(), `troupe-secrets-${process.pid}`)],
  'storage restore': [MAIN],
  token: ['ada'],
};

/** The commands that read no configuration. */
const UNCONFIGURED = ['completion', 'version', 'help', 'loadtest'];

/** The first arguments of each other command. */
const commandLines = commandNames()
  .filter((name) => !UNCONFIGURED.includes(name))
  .map((name) => [...name.split(' '), ...(ARGUMENTS[name] ?? [])]);

/** A configuration with a database that does not exist, and every secret in its place. */
const COMPLETE = [
  `storage.url=postgres://troupe:${SECRET}@127.0.0.1:1/troupe`,
  'cluster.redis.sentinels=["127.0.0.1:1"]',
  'cluster.redis.master=main',
  `cluster.redis.password=${SECRET}`,
  `cluster.redis.sentinelPassword=${SECRET}`,
  `cluster.secret=${SECRET}`,
  `auth.jwt.secret=${SECRET}${SECRET}`,
  'listen.port=0',
  'storage.startTimeoutMs=0',
];

/** Assignments that are refused: a secret with a character that should be escaped, or in the wrong place. */
const REFUSED = [
  ...['#', '/', '?', '%', '@', ' ', '\\', '"', '%zz', '/x@y'].flatMap((odd) => [
    `storage.url=postgres://troupe:${SECRET}${odd}x@/db`,
    `cluster.redis.url=redis://troupe:${SECRET}${odd}x@`,
    `cluster.redis=rediss://troupe:${SECRET}${odd}x@`,
    `storage=postgres://troupe:${SECRET}${odd}x@h/db`,
    `storage.ulr=postgres://troupe:${SECRET}${odd}x@h/db`,
    `cluster={redis: "redis://u:${SECRET}${odd}x@"}`,
  ]),
  `storage.url={url: ${SECRET}}`,
  `storage.url.password=${SECRET}`,
  `cluster.secret.value=${SECRET}`,
  `auth.jwt.secret=${SECRET}`,
  `auth.jwt.secret.value=${SECRET}`,
  `auth.jwt=${SECRET}`,
  `cluster.redis.passwort=${SECRET}`,
  `cluster.sercet=${SECRET}`,
  `cluster=${SECRET}`,
  `listen=${SECRET}`,
  `postgres://u:${SECRET}@h`,
  `${SECRET}`,
  `=${SECRET}`,
  `cluster secret=${SECRET}`,
];

/** Files that are no YAML, or mean something else than intended, because a secret is not in quotes. */
const FILES = [
  ...['*', '&', '!', '%', '@', '`', '|', '>', '[', '{', '"', "'", '- ', '? ', '\t', '"\\q'].map(
    (first) => `cluster:\n  secret: ${first}${SECRET}\n`,
  ),
  `cluster:\n  secret: a: ${SECRET}\n`,
  `cluster:\n secret: x\n   ${SECRET}: y\n`,
  `${SECRET}\n`,
  `storage: { url: postgres://u:${SECRET}/@h }\n`,
  `storage:\n  url: { postgres: "//u:${SECRET}@h" }\n`,
  `cluster: { redis: { url: 7, password: { is: ${SECRET} } } }\n`,
  `cluster:\n  secret: [${SECRET}]\n  redis: ["redis://:${SECRET}#@h"]\n`,
];

test('a configuration that is refused is refused without its secrets, by every command', async (t) => {
  const file = await aFile(t);
  for (const command of commandLines) {
    for (const assignment of REFUSED) await refuses([...command, '--set', assignment]);
    await refuses([...command, SECRET]);
  }
  for (const text of FILES) {
    await writeFile(file, text);
    for (const what of ['check', 'print']) {
      // Some of them are valid, and mean something else than intended.
      const { output } = await captured(['config', what, '--config', file]);
      assert.ok(!output.includes(SECRET), output);
    }
  }
});

test('a configuration that is valid is printed without its secrets', async () => {
  const { code, output } = await captured(['config', 'print', ...COMPLETE.flatMap((set) => ['--set', set])]);
  assert.equal(code, 0);
  assert.ok(!output.includes(SECRET), output);
});

test('commands that reach no database tell so without a secret', LIMIT, async () => {
  // `serve` starts a node, and the others go to no database.
  const others = ['serve', 'config', 'token', 'import', 'export'];
  const commands = commandLines.filter(([name = '']) => !others.includes(name));
  const tellsNone = async (command: readonly string[]): Promise<void> => {
    const { code, output } = await captured([...command, ...COMPLETE.flatMap((set) => ['--set', set])]);
    assert.equal(code, 1, output);
    assert.match(output, /PostgreSQL/);
    assert.ok(!output.includes(SECRET), output);
  };
  await Promise.all(commands.map(tellsNone));
});

test('a secret is found in the forms in which texts hold it', () => {
  const secrets = new Secrets();
  secrets.addUrl('postgres://u:a%22b%2Fc%20d@h/d');
  secrets.add('Troupe');
  assert.equal(
    secrets.hide('a"b/c d, a%22b%2Fc%20d, {"at":"a\\"b/c d"}, Troupe'),
    '***, ***, {"at":"***"}, Troupe',
  );
});

async function refuses(argv: readonly string[]): Promise<void> {
  const { code, output } = await captured(argv);
  assert.ok(code === 78 || code === 2, `${argv.join(' ')}: ${code} ${output}`);
  assert.ok(!output.includes(SECRET), `${argv.join(' ')}: ${output}`);
}

async function captured(argv: readonly string[]): Promise<{ code: number; output: string }> {
  let output = '';
  const stream = { write: (text: string) => (output += text) };
  const code = await run(argv, { stdout: stream, stderr: stream, env: {} });
  return { code, output };
}

async function aFile(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-secrets-'));
  t.after(() => rm(directory, { recursive: true }));
  return join(directory, 'troupe.yaml');
}
