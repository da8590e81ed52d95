// Documents over HTTP on a real node: create, read, patch, delete, undelete, erase, list. Over 400 lines, because it is one
// list of rules.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import * as Y from 'yjs';
import { patchOf } from '../../src/http/documents/patches.ts';
import { query } from '../gateway/wire/contract.ts';
import { startTestNode, type TestNode } from '../support/node.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { WireClient } from '../support/wire-client.ts';
import { Api, FileApi, json, patch } from './api-client.ts';

/** Shared by the tests. Each has an organisation of its own. */
const open = new FileApi();
const guarded = new FileApi({ auth: { mode: 'jwt', jwt: { secret: TOKEN_SECRET } } });

/** A node of one test, with settings that the others do not have. */
async function startOwn(t: TestContext, config: object): Promise<{ node: TestNode; api: Api }> {
  const node = await startTestNode(t, { config });
  return { node, api: await Api.of(node.url) };
}

const ADD = (path: string, value: unknown) => [{ op: 'add', path, value }];

test('DOC-1 DOC-2 a document is created, with content of each kind, and read back', async () => {
  const { api, org } = await open.use();
  const made = await api.call(
    `PUT /v1/docs/${org}/plan`,
    json({ kind: 'json', content: { title: 'Plan', list: [1] } }),
  );
  assert.equal(made.status, 201);
  assert.equal(made.headers.get('location'), `/v1/docs/${org}/plan`);
  const tag = made.headers.get('etag');
  assert.match(tag ?? '', /^"[0-9a-z]+\.1"$/);
  const read = await api.call(`GET /v1/docs/${org}/plan`);
  assert.equal(read.headers.get('etag'), tag);
  const { history, ...rest } = read.body;
  assert.deepEqual(rest, {
    doc: `${org}/plan`,
    kind: 'json',
    version: 1,
    content: { title: 'Plan', list: [1] },
  });
  assert.equal(tag, `"${String(history)}.1"`);
  assert.deepEqual(
    (await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json' }))).refused,
    '409 exists',
  );

  await api.call(
    `PUT /v1/docs/${org}/text`,
    json({ kind: 'rich-text', content: [{ insert: 'Hello' }, { insert: '\n', attributes: { header: 1 } }] }),
  );
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/text`)).body.content, [
    { insert: 'Hello' },
    { insert: '\n', attributes: { header: 1 } },
  ]);
  await api.call(
    `PUT /v1/docs/${org}/open-end`,
    json({ kind: 'rich-text', content: [{ insert: 'no newline' }] }),
  );
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/open-end`)).body.content, [
    { insert: 'no newline\n' },
  ]);

  const ydoc = new Y.Doc();
  ydoc.getText('t').insert(0, 'shared');
  const update = Buffer.from(Y.encodeStateAsUpdate(ydoc)).toString('base64');
  await api.call(`PUT /v1/docs/${org}/y`, json({ kind: 'yjs', content: update }));
  const state = new Y.Doc();
  Y.applyUpdate(state, Buffer.from(String((await api.call(`GET /v1/docs/${org}/y`)).body.content), 'base64'));
  assert.equal(state.getText('t').toString(), 'shared');

  const empty = await api.call(`PUT /v1/docs/${org}/empty`, json({ kind: 'json' }));
  assert.equal(empty.body.version, 0);
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/empty`)).body.content, {});
});

test('DOC-1 content that the kind does not take creates no document', async () => {
  const { api, org } = await open.use();
  for (const body of [
    { kind: 'json', content: { a: '\ud800' } },
    { kind: 'rich-text', content: 'text' },
    { kind: 'rich-text', content: [{ retain: 1 }] },
    { kind: 'yjs', content: 'AAECAw' },
  ]) {
    assert.equal(
      (await api.call(`PUT /v1/docs/${org}/wrong`, json(body))).refused,
      '422 bad-op',
      JSON.stringify(body),
    );
    assert.equal((await api.call(`GET /v1/docs/${org}/wrong`)).refused, '404 not-found');
  }
  assert.equal(
    (await api.call(`PUT /v1/docs/${org}/wrong`, json({ kind: 'html' }))).refused,
    '400 bad-message',
  );
  assert.equal(
    (await api.call(`PUT /v1/docs/${org}/wrong`, json({ content: {} }))).refused,
    '400 bad-message',
  );
});

test('DOC-3 a copy has the content of another document at its head, which the caller may read', async () => {
  const { api, org } = await guarded.use();
  const ada = api.as(await tokenOf('ada', { [`${org}/*`]: 'editor' }));
  const bob = api.as(await tokenOf('bob', { [`${org}/b*`]: 'editor' }));
  await ada.call(`PUT /v1/docs/${org}/a`, json({ kind: 'json', content: { a: 1 } }));
  const copy = await ada.call(`PUT /v1/docs/${org}/b`, json({ copyOf: `${org}/a` }));
  assert.equal(copy.status, 201);
  assert.deepEqual((await ada.call(`GET /v1/docs/${org}/b`)).body.content, { a: 1 });
  assert.equal(
    (await bob.call(`PUT /v1/docs/${org}/b2`, json({ copyOf: `${org}/a` }))).refused,
    '404 not-found',
  );
  assert.equal((await bob.call(`PUT /v1/docs/${org}/b2`, json({ copyOf: `${org}/b` }))).status, 201);
  assert.equal(
    (await bob.call(`PUT /v1/docs/${org}/b3`, json({ copyOf: `${org}/bx` }))).refused,
    '404 not-found',
  );
});

test('DOC-3 a copy of an older version has its content, also of a deleted member', async () => {
  const { api, org } = await open.use();
  await api.call(`PUT /v1/docs/${org}/a`, json({ kind: 'json', content: { a: 1 } }));
  await api.call(`PATCH /v1/docs/${org}/a`, json({ op: [{ op: 'remove', path: '/a' }] }));
  const copy = await api.call(`PUT /v1/docs/${org}/b`, json({ copyOf: `${org}/a`, version: 1 }));
  assert.equal(copy.status, 201);
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/b`)).body.content, { a: 1 });
  const put = (version: number) => api.call(`PUT /v1/docs/${org}/c`, json({ copyOf: `${org}/a`, version }));
  assert.equal((await put(3)).refused, '404 version-unknown');
  assert.equal((await put(2)).status, 201);
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/c`)).body.content, {});
});

test('DOC-2 a caller that has the version is told so', async () => {
  const { api, org } = await open.use();
  await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json', content: {} }));
  const tag = (await api.call(`GET /v1/docs/${org}/plan`)).headers.get('etag') ?? '';
  for (const value of [tag, `W/${tag}`, `"x", ${tag}`, '*'])
    assert.equal(
      (await api.call(`GET /v1/docs/${org}/plan`, { headers: { 'if-none-match': value } })).status,
      304,
      value,
    );
  assert.equal(
    (await api.call(`GET /v1/docs/${org}/plan`, { headers: { 'if-none-match': '"x.1"' } })).status,
    200,
  );
  assert.equal(
    (await api.call(`GET /v1/docs/${org}/plan`, { headers: { 'if-none-match': 'x' } })).refused,
    '400 bad-message',
  );
  await api.call(`PATCH /v1/docs/${org}/plan`, patch(ADD('/a', 1)));
  assert.equal(
    (await api.call(`GET /v1/docs/${org}/plan`, { headers: { 'if-none-match': tag } })).status,
    200,
  );
});

test('DOC-4 a patch commits for everyone, is transformed past later ones, and answers with its version', async (t) => {
  const { node, api, org } = await open.use();
  await api.call(`PUT /v1/docs/${org}/list`, json({ kind: 'json', content: { list: ['b'] } }));
  const reader = await WireClient.connect(t, node.socketUrl, { client: 'reader-1234' });
  await reader.open(`${org}/list`);
  const first = await api.call(`PATCH /v1/docs/${org}/list`, patch(ADD('/list/0', 'a')));
  assert.equal(first.status, 200);
  assert.deepEqual(first.body, { version: 2 });
  assert.match(first.headers.get('etag') ?? '', /\.2"$/);
  const commit = await reader.next('commit');
  assert.equal(commit.version, 2);
  const second = await api.call(
    `PATCH /v1/docs/${org}/list`,
    json({ op: ADD('/list/1', 'c'), base: 1 }, 'PATCH'),
  );
  assert.equal(second.body.version, 3);
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/list`)).body.content, { list: ['a', 'b', 'c'] });
  for (const [init, refused] of [
    [patch(ADD('/list/9', 'x')), '422 bad-op'],
    [patch([{ op: 'test', path: '/list/0', value: 'z' }]), '409 test-failed'],
    [json({ op: ADD('/x', 1), base: 99 }, 'PATCH'), '404 version-unknown'],
    [json({ base: 1 }, 'PATCH'), '400 bad-message'],
    [json(ADD('/x', 1), 'PATCH'), '400 bad-message'],
  ] as const)
    assert.equal((await api.call(`PATCH /v1/docs/${org}/list`, init)).refused, refused);
  assert.equal((await api.call(`PATCH /v1/docs/${org}/none`, patch(ADD('/a', 1)))).refused, '404 not-found');
});

test('DOC-5 a patch with If-Match commits only on that version', async () => {
  const { api, org } = await open.use();
  await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json', content: { n: 0 } }));
  const tag = (await api.call(`GET /v1/docs/${org}/plan`)).headers.get('etag') ?? '';
  const tries = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      api.call(`PATCH /v1/docs/${org}/plan`, patch(ADD('/n', n), { 'if-match': tag })),
    ),
  );
  assert.deepEqual(tries.map(({ status }) => status).sort(), [200, ...new Array(7).fill(412)]);
  assert.equal(tries.find(({ status }) => status === 412)?.refused, '412 precondition-failed');
  assert.equal((await api.call(`GET /v1/docs/${org}/plan`)).body.version, 2);
  assert.equal(
    (await api.call(`PATCH /v1/docs/${org}/plan`, patch(ADD('/n', 9), { 'if-match': '*' }))).status,
    200,
  );
  assert.equal(
    (await api.call(`PATCH /v1/docs/${org}/plan`, patch(ADD('/n', 9), { 'if-match': `W/${tag}` }))).status,
    412,
  );
});

test('DOC-6 a request with an Idempotency-Key is applied once, and answered again', async () => {
  const { api, org } = await guarded.use();
  const ada = api.as(await tokenOf('ada', { [`${org}/*`]: 'editor' }));
  const bob = api.as(await tokenOf('bob', { [`${org}/*`]: 'editor' }));
  const key = { 'idempotency-key': 'order 66' };
  const create = () =>
    ada.call(`PUT /v1/docs/${org}/list`, json({ kind: 'json', content: { list: [] } }, 'PUT', key));
  assert.deepEqual(
    (await Promise.all([create(), create()])).map(({ status }) => status),
    [201, 201],
  );
  assert.equal(
    (await bob.call(`PUT /v1/docs/${org}/list`, json({ kind: 'json' }, 'PUT', key))).refused,
    '409 exists',
  );
  const add = (as: Api) =>
    as.call(`PATCH /v1/docs/${org}/list`, patch(ADD('/list/-', 'x'), { 'idempotency-key': 'k-1' }));
  const answers = await Promise.all([add(ada), add(ada), add(ada)]);
  assert.deepEqual(
    answers.map(({ body }) => body),
    new Array(3).fill({ version: 2 }),
  );
  const tag = answers[0]?.headers.get('etag') ?? '';
  await ada.call(`PATCH /v1/docs/${org}/list`, patch(ADD('/list/-', 'y')));
  const late = await add(ada);
  assert.deepEqual([late.body, late.headers.get('etag')], [{ version: 2 }, tag]);
  assert.equal((await add(bob)).body.version, 4, 'the key of another user is another one');
  assert.deepEqual((await ada.call(`GET /v1/docs/${org}/list`)).body.content, { list: ['x', 'y', 'x'] });
  const long = { 'idempotency-key': 'x'.repeat(201) };
  assert.equal((await ada.call(`PATCH /v1/docs/${org}/list`, patch([], long))).refused, '400 bad-message');
});

test('DOC-6 a repeated key wins over If-Match, since the patch has committed', async () => {
  const { api, org } = await open.use();
  await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json' }));
  const tag = (await api.call(`GET /v1/docs/${org}/plan`)).headers.get('etag') ?? '';
  const once = () =>
    api.call(`PATCH /v1/docs/${org}/plan`, patch(ADD('/a', 1), { 'if-match': tag, 'idempotency-key': 'k' }));
  assert.deepEqual((await once()).body, { version: 1 });
  assert.deepEqual((await once()).body, { version: 1 });
});

test('DOC-7 DOC-8 a deleted document is gone for everyone, and comes back with its history', async (t) => {
  const { node, api, org } = await open.use();
  await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json', content: { a: 1 } }));
  const before = (await api.call(`GET /v1/docs/${org}/plan`)).body;
  const client = await WireClient.connect(t, node.socketUrl, { client: 'reader-1234' });
  await client.open(`${org}/plan`);
  assert.equal((await api.call(`DELETE /v1/docs/${org}/plan`)).status, 204);
  assert.deepEqual(await client.next('closed'), {
    type: 'closed',
    doc: `${org}/plan`,
    code: 'deleted',
    message: 'the document is gone',
  });
  assert.equal((await api.call(`GET /v1/docs/${org}/plan`)).refused, '404 not-found');
  assert.equal((await api.call(`DELETE /v1/docs/${org}/plan`)).refused, '404 not-found');
  client.send({ type: 'open', doc: `${org}/plan` });
  assert.equal((await client.next('error')).code, 'not-found');
  assert.equal((await api.call(`POST /v1/docs/${org}/plan/undelete`)).status, 204);
  assert.deepEqual((await api.call(`GET /v1/docs/${org}/plan`)).body, before);
  assert.equal((await api.call(`POST /v1/docs/${org}/plan/undelete`)).refused, '409 exists');
  assert.equal((await api.call(`POST /v1/docs/${org}/other/undelete`)).refused, '404 not-found');
});

test('DOC-7 the name of a deleted document is free: a new one has another history', async () => {
  const { api, org } = await open.use();
  const make = async () => (await api.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json' }))).body.history;
  const first = await make();
  await api.call(`DELETE /v1/docs/${org}/plan`);
  const second = await make();
  assert.notEqual(first, second);
  assert.equal((await api.call(`POST /v1/docs/${org}/plan/undelete`)).refused, '409 exists');
  await api.call(`DELETE /v1/docs/${org}/plan`);
  await api.call(`POST /v1/docs/${org}/plan/undelete`);
  assert.equal(
    (await api.call(`GET /v1/docs/${org}/plan`)).body.history,
    second,
    'the one that was deleted last',
  );
});

test('DOC-8 a document that was deleted longer than retention.trashMs ago does not come back', async (t) => {
  const { api } = await startOwn(t, { retention: { trashMs: 0 } });
  await api.call('PUT /v1/docs/acme/plan', json({ kind: 'json' }));
  await api.call('DELETE /v1/docs/acme/plan');
  assert.equal((await api.call('POST /v1/docs/acme/plan/undelete')).refused, '404 not-found');
});

test('DOC-9 every row of an erased document is gone when the answer comes, also of one in the trash', async (t) => {
  const { node, api } = await startOwn(t, { snapshot: { minBytes: '1KiB' } });
  const rows = () =>
    query(node.storageUrl, async (sql) => {
      const [found] = await sql<{ rows: number }[]>`SELECT (
        (SELECT count(*) FROM delta) + (SELECT count(*) FROM snapshot) + (SELECT count(*) FROM client_seq)
        + (SELECT count(*) FROM document))::int AS rows`;
      return found?.rows;
    });
  const fill = async () => {
    await api.call('PUT /v1/docs/acme/plan', json({ kind: 'json', content: { text: 'x'.repeat(3_000) } }));
    for (let n = 0; n < 5; n++)
      await api.call('PATCH /v1/docs/acme/plan', patch(ADD(`/m${n}`, 'y'.repeat(1_500))));
  };
  await fill();
  assert.ok(((await rows()) ?? 0) > 5);
  assert.equal((await api.call('DELETE /v1/docs/acme/plan?erase=true')).status, 204);
  assert.equal(await rows(), 0);
  assert.equal((await api.call('DELETE /v1/docs/acme/plan?erase=true')).refused, '404 not-found');
  await fill();
  await api.call('DELETE /v1/docs/acme/plan');
  await fill();
  await api.call('DELETE /v1/docs/acme/plan');
  assert.equal((await api.call('DELETE /v1/docs/acme/plan?erase=true')).status, 204);
  assert.equal(await rows(), 0);
});

test('DOC-10 each call demands its role', async () => {
  const { api, org } = await guarded.use();
  const owner = api.as(await tokenOf('owner', { [`${org}/*`]: 'owner' }));
  await owner.call(`PUT /v1/docs/${org}/plan`, json({ kind: 'json' }));
  const calls: [string, RequestInit | undefined, string][] = [
    [`GET /v1/docs/${org}/plan`, undefined, 'viewer'],
    [`PATCH /v1/docs/${org}/plan`, patch(ADD('/a', 1)), 'editor'],
    [`PUT /v1/docs/${org}/new`, json({ kind: 'json' }), 'editor'],
    [`DELETE /v1/docs/${org}/new`, undefined, 'owner'],
    [`POST /v1/docs/${org}/new/undelete`, undefined, 'owner'],
    [`DELETE /v1/docs/${org}/new?erase=true`, undefined, 'owner'],
  ];
  const roles = ['viewer', 'commenter', 'editor', 'owner'];
  for (const [call, init, least] of calls) {
    const stranger = api.as(await tokenOf('s', { 'other/*': 'owner' }));
    assert.equal((await stranger.call(call, init)).refused, '404 not-found', call);
    for (const role of roles.slice(0, roles.indexOf(least))) {
      const low = api.as(await tokenOf('u', { [`${org}/*`]: role }));
      assert.equal((await low.call(call, init)).refused, '403 forbidden', `${call} ${role}`);
    }
    const fit = api.as(await tokenOf('u', { [`${org}/*`]: least }));
    assert.ok((await fit.call(call, init)).status < 300, `${call} ${least}`);
  }
});

test('DOC-11 a list shows what the caller may read, page by page, with the facts of each document', async () => {
  const { api, org } = await guarded.use();
  const owner = api.as(await tokenOf('olga', { [`${org}/*`]: 'owner', 'other/*': 'owner' }));
  for (const name of ['a', 'b-1', 'b-2', 'b-3', 'c', 'd'])
    await owner.call(`PUT /v1/docs/${org}/${name}`, json({ kind: 'json', content: { name } }));
  await owner.call('PUT /v1/docs/other/x', json({ kind: 'rich-text' }));
  await owner.call(`PATCH /v1/docs/${org}/c`, patch(ADD('/more', 'x'.repeat(100))));
  const namesOf = async (as: Api, path: string): Promise<string[]> => {
    const { body } = await as.call(`GET ${path}`);
    return (body.docs as { doc: string }[]).map(({ doc }) => doc.slice(org.length + 1));
  };
  assert.deepEqual(await namesOf(owner, `/v1/docs/${org}`), ['a', 'b-1', 'b-2', 'b-3', 'c', 'd']);
  assert.deepEqual(await namesOf(owner, `/v1/docs/${org}?prefix=b-`), ['b-1', 'b-2', 'b-3']);
  const some = api.as(
    await tokenOf('sam', {
      [`${org}/b*`]: 'viewer',
      [`${org}/b-2`]: 'editor',
      [`${org}/d`]: 'viewer',
      [`${org}/zz`]: 'viewer',
    }),
  );
  assert.deepEqual(await namesOf(some, `/v1/docs/${org}`), ['b-1', 'b-2', 'b-3', 'd']);
  assert.deepEqual(await namesOf(some, `/v1/docs/${org}?prefix=b-2`), ['b-2']);
  assert.deepEqual(await namesOf(some, `/v1/docs/${org}?prefix=a`), []);
  const stranger = api.as(await tokenOf('eve', { 'other/*': 'owner' }));
  assert.deepEqual(
    (await stranger.call(`GET /v1/docs/${org}`)).body,
    (await stranger.call('GET /v1/docs/nobody')).body,
  );
  const admin = api.as(await tokenOf('root', {}, { admin: true }));
  assert.equal((await namesOf(admin, `/v1/docs/${org}`)).length, 6);

  const paged: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await some.call(`GET /v1/docs/${org}?limit=1${cursor}`);
    paged.push(...(body.docs as { doc: string }[]).map(({ doc }) => doc));
    if (body.next === undefined) break;
    cursor = `&cursor=${String(body.next)}`;
  }
  assert.deepEqual(paged, [`${org}/b-1`, `${org}/b-2`, `${org}/b-3`, `${org}/d`]);

  const { body } = await owner.call(`GET /v1/docs/${org}?prefix=c`);
  const [c] = body.docs as Record<string, unknown>[];
  assert.deepEqual([c?.doc, c?.kind, c?.version, c?.createdBy], [`${org}/c`, 'json', 2, 'olga']);
  assert.ok(Number(c?.bytes) > 100 && Number(c?.bytes) < 1_000);
  assert.ok(Date.parse(String(c?.createdAt)) <= Date.parse(String(c?.updatedAt)));

  await owner.call(`DELETE /v1/docs/${org}/c`);
  await owner.call(`DELETE /v1/docs/${org}/a`);
  assert.deepEqual(await namesOf(owner, `/v1/docs/${org}?deleted=true`), ['a', 'c']);
  assert.deepEqual(await namesOf(some, `/v1/docs/${org}?deleted=true`), []);
  const editor = api.as(await tokenOf('ed', { [`${org}/*`]: 'editor' }));
  assert.deepEqual(await namesOf(editor, `/v1/docs/${org}?deleted=true`), []);
  for (const wrong of ['/v1/docs/ACME', `/v1/docs/${org}?prefix=a/b`])
    assert.equal((await owner.call(`GET ${wrong}`)).refused, '400 bad-name');
  // PostgreSQL stores no text with the character 0.
  const nul = Buffer.from('["\\u0000",1]').toString('base64url');
  for (const wrong of ['?limit=0', '?limit=1001', '?cursor=x', `?cursor=${nul}`, '?deleted=1', '?n=1'])
    assert.equal((await owner.call(`GET /v1/docs/${org}${wrong}`)).refused, '400 bad-message', wrong);
});

test('DOC-2 a document of megabytes is read whole, and many at once', async (t) => {
  const { api } = await startOwn(t, { limits: { workMs: '10s' } });
  const content = { lines: Array.from({ length: 12_000 }, (_, n) => `line ${n} ${'ä'.repeat(40)}`) };
  const made = await api.call('PUT /v1/docs/acme/large', json({ kind: 'json', content }));
  assert.equal(made.status, 201);
  const all = await Promise.all(Array.from({ length: 5 }, () => api.call('GET /v1/docs/acme/large')));
  for (const { body } of all) assert.deepEqual(body.content, content);
});

test('DOC-4 SUBMIT-14 of a yjs update in a body the bytes count, and not its base64', () => {
  const text = Buffer.alloc(301).toString('base64');
  assert.ok(patchOf(text, { depth: 10 }, 301));
  assert.throws(() => patchOf(text, { depth: 10 }, 300), { code: 'too-large' });
});
