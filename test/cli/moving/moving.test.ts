// `troupe import` and `troupe export` against a real node, with stores that the other servers' own packages write and
// read. moving.long.ts has the other pairs of a store and a direction.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Level } from 'level';
import postgres from 'postgres';
import { getLevelUpdates, keyEncoding } from 'y-leveldb';
import * as Y from 'yjs';
import { startTestNode } from '../../support/node.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { TOKEN_SECRET, tokenOf } from '../../support/tokens.ts';
import { call, goesBothWays, makesStore, read, shared } from './server-cases.ts';
import {
  files,
  hocuspocusOnPostgres,
  hocuspocusOnSqlite,
  leveldb,
  newFolder,
  textOf,
  troupe,
  updateOf,
} from './stores.ts';

const LIMIT = { timeout: 120_000 };

goesBothWays(hocuspocusOnPostgres);
goesBothWays(leveldb);
makesStore(hocuspocusOnSqlite);
makesStore(files);

test(
  'names that do not fit, content that is none, and other kinds are left out and told',
  LIMIT,
  async (t) => {
    const { node, org } = shared();
    const folder = await newFolder(t);
    mkdirSync(join(folder, 'a b'));
    const put = (name: string, content: string | Uint8Array) =>
      writeFileSync(join(folder, `${name}.bin`), content);
    put('good', updateOf('good'));
    put('room 1', updateOf('room'));
    put('a b/c', updateOf('c'));
    put('acme.one', updateOf('one'));
    put('acme-one', updateOf('the other one'));
    put('text', 'no update');
    put('taken', updateOf('taken'));
    writeFileSync(join(folder, 'readme.txt'), 'not looked at');
    assert.equal((await call(node, 'PUT', `${org}/taken`, { kind: 'json', content: {} })).status, 201);
    const args = ['import', 'bin', folder, '--org', org, '--rename', '^acme[.-](.*)$=$1', '--node', node.url];

    const dry = await troupe([...args, '--dry-run']);
    assert.match(dry.out, /\n2 documents read .* 2 new, /);
    assert.equal((await call(node, 'GET', `${org}/good`)).status, 404);

    const { code, out, err } = await troupe(args);
    assert.deepEqual([code, err], [1, '']);
    assert.deepEqual(out.split('\n').slice(0, -2).sort(), [
      `left out: "a b/c": "${org}/a b/c" is no name for a document (org/doc)`,
      `left out: "acme.one": "acme-one" has become ${org}/one already`,
      `left out: "room 1": "${org}/room 1" is no name for a document (org/doc)`,
      `left out: "taken": ${org}/taken is there, and is of the kind json`,
      'left out: "text": its content is no Yjs update (v1)',
    ]);
    assert.match(out, /\n2 documents imported .* 5 left out\.\n$/);
    assert.equal((await read(node, `${org}/one`)).text, 'the other one');
    assert.equal((await call(node, 'GET', `${org}/text`)).status, 404);

    const rest = await troupe([...args, '--after', 'good']);
    assert.match(rest.out, /\n0 documents imported .* 3 left out\.\n$/);
  },
);

test(
  'one file comes in under its name, and an export writes no file outside its folder',
  LIMIT,
  async (t) => {
    const { node, org } = shared();
    const folder = await newFolder(t);
    writeFileSync(join(folder, 'plan.bin'), updateOf('plan'));
    writeFileSync(join(folder, 'other.bin'), updateOf('other'));
    const file = join(folder, 'plan.bin');
    const { out } = await troupe(['import', 'bin', file, '--org', org, '--node', node.url]);
    assert.match(out, /^1 document imported .* 1 new, /);
    assert.equal((await read(node, `${org}/plan`)).text, 'plan');

    const inner = join(folder, 'inner');
    const escaping = ['export', 'bin', inner, org, '--rename', `^${org}/=../outside/`, '--node', node.url];
    const { code, out: told } = await troupe(escaping);
    assert.equal(code, 1);
    assert.equal(told.split('\n')[0], `left out: "${org}/plan": "../outside/plan": it is no name for a file`);
    assert.deepEqual(readdirSync(folder).sort(), ['other.bin', 'plan.bin']);
  },
);

test(
  'with auth.mode jwt the command signs its token, or reads one; without a right documents are left out',
  LIMIT,
  async (t) => {
    const auth = { mode: 'jwt', jwt: { secret: TOKEN_SECRET } };
    const node = await startTestNode(t, { config: { auth } });
    const folder = await newFolder(t);
    mkdirSync(join(folder, 'acme'));
    mkdirSync(join(folder, 'beta'));
    writeFileSync(join(folder, 'acme/plan.bin'), updateOf('plan'));
    writeFileSync(join(folder, 'beta/plan.bin'), updateOf('plan'));
    const args = ['import', 'bin', folder, '--node', node.url];
    const tokenFile = join(await newFolder(t), 'token');

    writeFileSync(tokenFile, `${await tokenOf('ada', { 'acme/*': 'editor' })}\n`);
    const some = await troupe([...args, '--token-file', tokenFile]);
    assert.deepEqual([some.code, some.err], [1, '']);
    assert.match(
      some.out,
      /^left out: "beta\/plan": beta\/plan: not-found: .*\n1 document imported .* 1 new, /,
    );

    const env = { TROUPE_AUTH_MODE: 'jwt', TROUPE_AUTH_JWT_SECRET: TOKEN_SECRET };
    const all = await troupe(args, env);
    assert.deepEqual([all.code, all.err], [0, '']);
    assert.match(all.out, /^2 documents imported .* 1 new, 0 with something new, 1 the same; /);
    const token = await tokenOf('ada', { 'beta/*': 'viewer' });
    assert.equal((await read(node, 'beta/plan', token)).text, 'plan');

    writeFileSync(tokenFile, 'no token');
    const none = await troupe([...args, '--token-file', tokenFile]);
    assert.equal(none.code, 1);
    assert.match(none.err, /^troupe: the node does not take the token: .*\n$/);
  },
);

test('a store or a node that is not there is one clear line', LIMIT, async (t) => {
  const node = await startTestNode(t);
  const folder = await newFolder(t);
  const server = await hocuspocusOnSqlite(t);
  await server.type('acme/plan', 'x');
  const wrong: readonly [args: string[], line: RegExp][] = [
    [['bin', join(folder, 'nothing')], /nothing is not there$/],
    [['y-leveldb', folder], /is no folder of y-leveldb$/],
    [['hocuspocus-sqlite', join(folder, 'no.sqlite')], /ENOENT/],
    [['hocuspocus-sqlite', server.place, '--table', 'docs'], /no such table: docs$/],
    [['hocuspocus-postgres', node.storageUrl, '--table', 'docs'], /relation "docs" does not exist$/],
    [['bin', folder, '--node', 'ftp://x'], /^troupe: --node: the URL of a node, such as http:/],
  ];
  for (const [args, line] of wrong) {
    const { code, out, err } = await troupe(['import', '--node', node.url, ...args]);
    assert.notEqual(code, 0, args.join(' '));
    assert.equal(out, '');
    assert.match(err.trimEnd(), line);
    assert.equal(err.split('\n').length, 2, err);
  }
  // Nothing was made in the place of what is missing.
  assert.deepEqual(readdirSync(folder), []);

  writeFileSync(join(folder, 'plan.bin'), updateOf('plan'));
  await node.stop();
  const away = await troupe(['import', 'bin', folder, '--org', 'acme', '--node', node.url]);
  assert.equal(away.code, 1);
  assert.match(away.err, /^troupe: no node answers at http:.*: .*ECONNREFUSED.*\n$/);
});

test('the table of y-redis comes in: several rows make one document, in v2 encoding', LIMIT, async (t) => {
  const { node, org } = shared();
  const url = await freshDatabase(t);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.after(() => sql.end());
  await sql`CREATE TABLE yredis_docs_v1
    (room text, doc text, r serial, update bytea, sv bytea, PRIMARY KEY (room, doc, r))`;
  const doc = new Y.Doc();
  for (const part of ['One. ', 'Two. ']) {
    doc.getText('t').insert(doc.getText('t').length, part);
    const update = Buffer.from(Y.encodeStateAsUpdateV2(doc));
    await sql`INSERT INTO yredis_docs_v1 (room, doc, update) VALUES ('plan', 'index', ${update})`;
  }
  await sql`INSERT INTO yredis_docs_v1 (room, doc, update) VALUES ('bad', 'index', ${Buffer.from('{}')})`;
  const { code, out } = await troupe([
    ...['import', 'hocuspocus-postgres', url, '--org', org, '--node', node.url, '--encoding', 'v2'],
    ...['--table', 'yredis_docs_v1', '--name-column', 'room', '--data-column', 'update'],
  ]);
  assert.equal(code, 1);
  assert.match(out, /^left out: "bad": its content is no Yjs update \(v2\)\n1 document imported .* 1 new, /);
  assert.equal((await read(node, `${org}/plan`)).text, 'One. Two. ');

  const folder = await newFolder(t);
  await troupe(['export', 'bin', folder, org, '--node', node.url, '--encoding', 'v2']);
  const written = Y.convertUpdateFormatV2ToV1(readFileSync(join(folder, org, 'plan.bin')));
  assert.equal(textOf(written), 'One. Two. ');
});

test('a document of several MiB comes in as several patches, and is whole', LIMIT, async (t) => {
  const { node, org } = shared();
  const folder = await newFolder(t);
  const doc = new Y.Doc();
  for (let at = 0; at < 40; at++) doc.getText('t').insert(0, `${at} ${'long '.repeat(20_000)}`);
  doc.getText('t').delete(5, 100_000);
  const update = Y.encodeStateAsUpdate(doc);
  assert.ok(update.length > 3_000_000);
  writeFileSync(join(folder, 'long.bin'), update);
  const args = ['import', 'bin', folder, '--org', org, '--node', node.url];
  assert.match((await troupe(args)).out, /^1 document imported .* 1 new, /);
  const { text, version } = await read(node, `${org}/long`);
  assert.equal(text, doc.getText('t').toString());
  assert.ok(version > 10);
  assert.match((await troupe(args)).out, /^1 document imported .* 1 the same; /);
  doc.getText('t').insert(0, 'wide '.repeat(100_000));
  writeFileSync(join(folder, 'long.bin'), Y.encodeStateAsUpdate(doc));
  assert.match((await troupe(args)).out, /^1 document imported .* 1 with something new, /);
  assert.equal((await read(node, `${org}/long`)).text, doc.getText('t').toString());
});

test(
  'HTTP-6 a run waits where the node limits its rate, and an empty document is a document',
  LIMIT,
  async (t) => {
    const node = await startTestNode(t, { config: { http: { requestsPerSecond: 5 } } });
    const folder = await newFolder(t);
    const names = Array.from({ length: 8 }, (_, at) => `doc-${at}`);
    for (const name of names) writeFileSync(join(folder, `${name}.bin`), updateOf(name));
    writeFileSync(join(folder, 'empty.bin'), Y.encodeStateAsUpdate(new Y.Doc()));
    const args = ['import', 'bin', folder, '--org', 'acme', '--node', node.url];
    const { code, out, err } = await troupe(args);
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /^9 documents imported .* 9 new, /);
    assert.match(
      (await troupe(args)).out,
      /^9 documents imported .* 0 new, 0 with something new, 9 the same; /,
    );
  },
);

test(
  'a folder of y-leveldb is read without being written, however many updates a document has',
  LIMIT,
  async (t) => {
    const { node, org } = shared();
    const server = await leveldb(t);
    const long = `${org}/long`;
    // y-leveldb itself merges the updates of a document that it reads when there are more than 500.
    const text = 'x'.repeat(600);
    await server.type(long, text);
    const { out } = await troupe(['import', 'y-leveldb', server.place, '--node', node.url]);
    assert.match(out, /^1 document imported .* 1 new, /);
    assert.equal((await read(node, long)).text, text);
    const database = new Level<readonly (string | number)[], Uint8Array>(server.place, {
      keyEncoding,
      valueEncoding: 'view',
    });
    t.after(() => database.close());
    const updates = await getLevelUpdates(database, long);
    assert.equal(updates.length, 600);
  },
);
