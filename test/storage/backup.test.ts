// `troupe storage backup` and `restore`: one moment of a database that is being edited is copied into another
// database.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../../actors/storage/embedded-postgres.ts';
import { run } from '../../src/cli/cli.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { freshDatabase, ordinaryDatabase } from '../support/postgres.ts';
import { placeData } from '../support/postgres-data.ts';
import { WireClient } from '../support/wire-client.ts';

const LIMIT = { timeout: 120_000 };
/** The node of the first two tests. */
const file = new FileNode();
const DOCUMENTS = ['acme/a', 'acme/b', 'acme/c'];

test(
  'a backup taken while edits run holds all that was acknowledged before it, and a prefix of the rest',
  LIMIT,
  async (t) => {
    const { node } = file;
    const clients = await Promise.all(DOCUMENTS.map((doc) => editor(t, node, doc)));
    for (const client of clients) await client.until(20);
    const before = clients.map((client) => client.acked);
    const backup = await backedUp(t, node.storageUrl);
    for (const client of clients) await client.until(client.acked + 20);
    await Promise.all(clients.map((client) => client.stop()));
    assert.equal((await stat(backup)).mode & 0o777, 0o600);

    const { admin: url } = await ordinaryDatabase(t);
    const { code, output } = await troupe('storage', 'restore', backup, '--set', `storage.url=${url}`);
    assert.equal(code, 0, output);
    assert.match(
      output,
      /is restored: .* The history is renewed \([0-9a-f]{12}\): clients load their documents anew\./,
    );
    const restored = await startTestNode(t, { storageUrl: url });
    for (const [i, doc] of DOCUMENTS.entries()) {
      const there = await opened(t, node, doc);
      const here = await opened(t, restored, doc);
      assert.notEqual(here.history, there.history, 'no client goes on with what it held');
      assert.ok(
        here.version >= (before[i] ?? 0),
        `${here.version} of ${doc}, ${before[i]} were acknowledged`,
      );
      assert.ok(here.version <= there.version);
      // Each edit adds its number, so a prefix is the numbers up to the version.
      assert.deepEqual(
        here.content,
        Array.from({ length: here.version }, (_, n) => n + 1),
      );
      assert.deepEqual(here.patches, here.content);
      // The document can be edited further.
      const client = await editor(t, restored, doc);
      await client.until(here.version + 1);
      await client.stop();
    }
  },
);

test(
  'a file that is cut off, changed or something else restores nothing, and a whole one does afterwards',
  LIMIT,
  async (t) => {
    const { node } = file;
    const client = await editor(t, node, 'acme/d');
    await client.until(5);
    await client.stop();
    const documents = await documentsIn(node.storageUrl);
    const backup = await backedUp(t, node.storageUrl);
    const whole = await readFile(backup);
    const { admin: url } = await ordinaryDatabase(t);
    const damaged = `${backup}.damaged`;
    const refuses = async (bytes: Uint8Array, line: RegExp): Promise<void> => {
      await writeFile(damaged, bytes);
      const { code, output } = await troupe('storage', 'restore', damaged, '--set', `storage.url=${url}`);
      assert.equal(code, 1, output);
      assert.match(output, line);
      assert.match(output, /^troupe: [^\n]+\n$/);
    };
    for (const cut of [0, 10, 40, whole.length >> 1, whole.length - 200, whole.length - 1])
      await refuses(whole.subarray(0, cut), /cut off/);
    // The damaged byte stands in data that PostgreSQL would accept, so only the checksum detects it.
    const changed = Buffer.from(whole);
    const place = changed.indexOf('acme');
    changed.write('acne', place);
    await refuses(changed, /checksum differs/);
    await refuses(Buffer.concat([whole, Buffer.from('x')]), /checksum differs/);
    await refuses(Buffer.from('-- PostgreSQL database dump\n'.repeat(10)), /is no backup of Troupe/);
    await refuses(Buffer.from('troupe-backup 2\n'.repeat(10)), /of another version of Troupe/);
    assert.equal(await documentsIn(url), 0);

    assert.equal((await troupe('storage', 'restore', backup, '--set', `storage.url=${url}`)).code, 0);
    assert.equal(await documentsIn(url), documents);
    const again = await troupe('storage', 'restore', backup, '--set', `storage.url=${url}`);
    assert.deepEqual(
      [again.code, again.output],
      [1, 'troupe: the database is not empty: create another one, and restore into that\n'],
    );
    const twice = await troupe('storage', 'backup', backup, '--set', `storage.url=${url}`);
    assert.match(twice.output, /is there already: choose another name/);
  },
);

test(
  'the embedded PostgreSQL of a running node is backed up, and restored into another directory',
  LIMIT,
  async (t) => {
    const directory = await folder(t);
    const from = join(directory, 'from');
    const to = join(directory, 'to');
    const file = join(directory, 'backup');
    const of = (place: string): string[] => ['--set', `storage.embedded.directory=${place}`];
    await mkdir(from);
    await placeData(from);
    const server = await startEmbeddedPostgres({ directory: from });
    t.after(() => server.stop());
    const node = await startTestNode(t, { storageUrl: server.url });
    const client = await editor(t, node, 'acme/a');
    await client.until(3);
    await client.stop();
    assert.equal((await troupe('storage', 'backup', file, ...of(from))).code, 0);
    const { code, output } = await troupe('storage', 'restore', file, ...of(to));
    assert.equal(code, 0, output);
    const copy = await startEmbeddedPostgres({ directory: to });
    t.after(() => copy.stop());
    assert.equal(await documentsIn(copy.url), 1);
    // The processes in the folder end before it is removed.
    await node.stop();
    await server.stop();
    await copy.stop();
  },
);

test('a database without Troupe, and a folder that is not there, are one line', LIMIT, async (t) => {
  const { admin: url } = await ordinaryDatabase(t);
  const file = join(await folder(t), 'backup');
  const none = await troupe('storage', 'backup', file, '--set', `storage.url=${url}`);
  assert.deepEqual([none.code, none.output], [1, 'troupe: there is no database of Troupe to back up\n']);
  const fresh = await freshDatabase(t);
  const nowhere = await troupe(
    'storage',
    'backup',
    '/no/such/folder/backup',
    '--set',
    `storage.url=${fresh}`,
  );
  assert.match(nowhere.output, /^troupe: \/no\/such\/folder\/backup: ENOENT[^\n]*\n$/);
  const missing = await troupe('storage', 'restore', file, '--set', `storage.url=${fresh}`);
  assert.match(missing.output, /^troupe: [^\n]*ENOENT[^\n]*\n$/);
});

async function backedUp(t: TestContext, url: string): Promise<string> {
  const file = join(await folder(t), 'backup');
  const { code, output } = await troupe('storage', 'backup', file, '--set', `storage.url=${url}`);
  assert.equal(code, 0, output);
  assert.match(output, /^The database is in \S+: [\d.]+ [kM]B, \d+ tables\.\n$/);
  return file;
}

async function troupe(...argv: string[]): Promise<{ code: number; output: string }> {
  let output = '';
  const stream = { write: (text: string) => (output += text) };
  const code = await run(argv, { stdout: stream, stderr: stream, env: {} });
  return { code, output };
}

/** Appends 1, 2, 3 … to a list, each after the commit of the one before. */
async function editor(t: TestContext, node: TestNode, doc: string) {
  const id = `editor-${Math.random().toString(36).slice(2)}`;
  const client = await WireClient.connect(t, node.socketUrl, { client: id });
  let version = Number((await client.open(doc, 'json')).version);
  let seq = 0;
  let stopped = false;
  const waiting = new Set<() => void>();
  const append = async (value: unknown): Promise<void> => {
    const answer = await client.submit(doc, ++seq, value);
    assert.equal(answer.type, 'commit', JSON.stringify(answer));
  };
  const editing = (async () => {
    if (version === 0) {
      await append([{ op: 'add', path: '/list', value: [1] }]);
      version = 1;
    }
    while (!stopped) {
      for (const look of waiting) look();
      await append([{ op: 'add', path: '/list/-', value: version + 1 }]);
      version++;
    }
  })();
  return {
    get acked() {
      return version;
    },
    until: (wanted: number) =>
      Promise.race([
        editing,
        new Promise<void>((resolve) => {
          const look = () => {
            if (version < wanted) return;
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
          look();
        }),
      ]),
    stop: async () => {
      stopped = true;
      await editing;
    },
  };
}

/** A document as a new client gets it, and its patches as they are in the log. */
async function opened(t: TestContext, node: TestNode, doc: string) {
  const client = await WireClient.connect(t, node.socketUrl, {
    client: `reader-${Math.random().toString(36).slice(2)}`,
  });
  const { history, version, snapshot } = await client.open(doc);
  const sql = postgres(node.storageUrl, { max: 1, onnotice: () => undefined });
  const rows = await sql<{ op: Buffer }[]>`
    SELECT p.op FROM patch p JOIN document d ON d.id = p.doc
    WHERE d.org || '/' || d.name = ${doc} AND p.version <= ${Number(version)} ORDER BY p.version`;
  await sql.end();
  const patches = rows.map(({ op }) => Number(/"value":\[?(\d+)/.exec(op.toString())?.[1]));
  client.close();
  assert.ok(typeof snapshot === 'object' && snapshot !== null && 'list' in snapshot);
  return { history, version: Number(version), content: snapshot.list, patches };
}

async function documentsIn(url: string): Promise<number> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const [there] = await sql`SELECT to_regclass('document') AS name`;
    if (there?.name === null) return 0;
    const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM document WHERE org = 'acme'`;
    return row?.n ?? 0;
  } finally {
    await sql.end();
  }
}

async function folder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-backup-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
