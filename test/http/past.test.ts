// A document's past over HTTP on a real node: pages of history, earlier versions, names, authors, restore and revert.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { type Api, FileApi, json, patch } from './api-client.ts';

/** Shared by the tests. Each has an organisation of its own. */
const open = new FileApi();
const guarded = new FileApi({ auth: { mode: 'jwt', jwt: { secret: TOKEN_SECRET } } });

const add = (path: string, value: unknown) => [{ op: 'add', path, value }];
const post = (body: unknown, headers: Record<string, string> = {}) => json(body, 'POST', headers);

/** Makes a json document with three patches on top of an empty one. Returns its path. */
async function plan(api: Api, org: string): Promise<string> {
  const doc = `/v1/docs/${org}/plan`;
  await api.call(`PUT ${doc}`, json({ kind: 'json' }));
  for (const step of [add('/a', 1), add('/b', 2), add('/a', 3)]) {
    const answer = await api.call(`PATCH ${doc}`, patch(step));
    assert.equal(answer.status, 200);
  }
  return doc;
}

test('HIST-1: history comes in pages, with the user and the time of each patch', async () => {
  const { api, org } = await guarded.use();
  const ada = api.as(await tokenOf('ada', { [`${org}/*`]: 'owner' }));
  const doc = await plan(ada, org);
  const first = await ada.call(`GET ${doc}/history?limit=2`);
  const ops = first.body.ops as { version: number; user: string; at: string; op: unknown }[];
  assert.deepEqual(
    ops.map(({ version, user, op }) => [version, user, op]),
    [
      [1, 'ada', add('/a', 1)],
      [2, 'ada', add('/b', 2)],
    ],
  );
  const rest = await ada.call(`GET ${doc}/history?limit=2&cursor=${String(first.body.next)}`);
  assert.deepEqual(
    (rest.body.ops as { version: number }[]).map(({ version }) => version),
    [3],
  );
  assert.equal(rest.body.next, undefined);
  assert.deepEqual((await ada.call(`GET ${doc}/history?from=4`)).body, { ops: [] });
  assert.equal((await ada.call(`GET ${doc}/history?from=9`)).refused, '404 version-unknown');
  assert.equal((await ada.call(`GET ${doc}/history?from=0`)).refused, '400 bad-message');
  assert.equal((await ada.call(`GET /v1/docs/${org}/none/history`)).refused, '404 not-found');
});

test('DOC-11 HIST-1 HIST-3: a forged cursor, also one with the character 0, is refused with a code', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  await api.call(`PUT ${doc}/versions/a`, json({}));
  const forged: (readonly [list: string, cursor: string])[] = [];
  for (const list of [`${doc}/history`, `${doc}/versions`])
    for (const cursor of ['%00', 'a%00', '', 'x'.repeat(101)]) forged.push([list, cursor]);
  for (const text of [
    '["\\u0000",1]',
    '["a\\u0000b",1]',
    '["\\ud800",1]',
    '["a",1e300]',
    '["a"]',
    '{}',
    'null',
    'x',
  ])
    forged.push([`/v1/docs/${org}`, Buffer.from(text).toString('base64url')]);
  for (const [list, cursor] of forged) {
    const { refused } = await api.call(`GET ${list}?cursor=${cursor}`);
    assert.equal(refused, '400 bad-message', `${list} ${cursor}`);
  }
});

test('HIST-2: a version is read by its number, by a time and by a name', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  const old = await api.call(`GET ${doc}?version=2`);
  assert.deepEqual(old.body.content, { a: 1, b: 2 });
  assert.equal(old.body.version, 2);
  assert.equal(old.headers.get('etag'), `"${String(old.body.history)}.2"`);
  assert.deepEqual((await api.call(`GET ${doc}?version=0`)).body.content, {});
  const { ops } = (await api.call(`GET ${doc}/history`)).body as { ops: { at: string }[] };
  const at = ops[0]?.at ?? '';
  assert.deepEqual(
    (await api.call(`GET ${doc}?at=${encodeURIComponent('2099-01-01T00:00:00Z')}`)).body.version,
    3,
  );
  assert.ok(Number((await api.call(`GET ${doc}?at=${encodeURIComponent(at)}`)).body.version) >= 0);
  assert.equal((await api.call(`GET ${doc}?at=2001-01-01T00:00:00Z`)).refused, '404 version-unknown');
  assert.equal((await api.call(`GET ${doc}?version=4`)).refused, '404 version-unknown');
  assert.equal((await api.call(`GET ${doc}?name=none`)).refused, '404 not-found');
  for (const wrong of [
    'version=1&name=none',
    'version=',
    'version=0x1',
    'version=1e0',
    'version=-1',
    'version=%201',
  ])
    assert.equal((await api.call(`GET ${doc}?${wrong}`)).refused, '400 bad-message', wrong);
});

test('HIST-3: a version gets a name, which is listed, moved and taken away', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  const name = encodeURIComponent('first draft / ünï');
  const put = await api.call(`PUT ${doc}/versions/${name}`, json({ version: 1 }));
  assert.equal(put.status, 201);
  assert.equal(put.body.name, 'first draft / ünï');
  assert.deepEqual((await api.call(`GET ${doc}?name=${name}`)).body.content, { a: 1 });
  assert.equal((await api.call(`PUT ${doc}/versions/${name}`)).status, 200, 'without a body: the head');
  assert.equal((await api.call(`GET ${doc}/versions/${name}`)).body.version, 3);
  await api.call(`PUT ${doc}/versions/a`, json({}));
  const page = await api.call(`GET ${doc}/versions?limit=1`);
  assert.equal(page.body.next, 'a');
  const rest = await api.call(`GET ${doc}/versions?cursor=a`);
  assert.equal((rest.body.versions as unknown[]).length, 1);
  assert.equal((await api.call(`DELETE ${doc}/versions/a`)).status, 204);
  assert.equal((await api.call(`DELETE ${doc}/versions/a`)).refused, '404 not-found');
  assert.equal((await api.call(`GET ${doc}/versions/a`)).refused, '404 not-found');
  assert.equal(
    (await api.call(`PUT ${doc}/versions/b`, json({ version: 9 }))).refused,
    '404 version-unknown',
  );
  assert.equal(
    (await api.call(`PUT ${doc}/versions/${'x'.repeat(101)}`, json({}))).refused,
    '400 bad-message',
  );
});

test('HIST-4: authors tell who wrote what is there now', async () => {
  const { api, org } = await guarded.use();
  const ada = api.as(await tokenOf('ada', { [`${org}/*`]: 'owner' }));
  const bob = api.as(await tokenOf('bob', { [`${org}/*`]: 'editor' }));
  const text = `/v1/docs/${org}/text`;
  const doc = `/v1/docs/${org}/plan`;
  await ada.call(`PUT ${text}`, json({ kind: 'rich-text' }));
  await ada.call(`PATCH ${text}`, json({ op: [{ insert: 'Hello' }] }, 'PATCH'));
  await bob.call(`PATCH ${text}`, json({ op: [{ retain: 5 }, { insert: ' world' }] }, 'PATCH'));
  const answer = await ada.call(`GET ${text}/authors`);
  const authors = answer.body.authors as { insert: string; author?: { user: string; version: number } }[];
  assert.deepEqual(
    authors.map(({ insert, author }) => [insert, author?.user, author?.version]),
    [
      ['Hello', 'ada', 1],
      [' world', 'bob', 2],
      ['\n', undefined, undefined],
    ],
  );
  const tag = answer.headers.get('etag') ?? '';
  assert.equal((await ada.call(`GET ${text}/authors`, { headers: { 'if-none-match': tag } })).status, 304);
  await ada.call(`PUT ${doc}`, json({ kind: 'json' }));
  await ada.call(`PATCH ${doc}`, patch(add('/a', { b: 1 })));
  await bob.call(`PATCH ${doc}`, patch(add('/a/b', 2)));
  const byPointer = (await ada.call(`GET ${doc}/authors`)).body.authors as Record<
    string,
    { user: string } | null
  >;
  assert.deepEqual(Object.fromEntries(Object.entries(byPointer).map(([at, author]) => [at, author?.user])), {
    '': undefined,
    '/a': 'ada',
    '/a/b': 'bob',
  });
});

test('HIST-5: restoring is one new patch, once for each idempotency key, and the history stays', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  const restore = () => api.call(`POST ${doc}/restore`, post({ version: 1 }, { 'idempotency-key': 'k1' }));
  const restored = await restore();
  assert.deepEqual(restored.body, { version: 4 });
  assert.deepEqual((await api.call(`GET ${doc}`)).body.content, { a: 1 });
  assert.deepEqual((await restore()).body, { version: 4 }, 'the same request again is the same patch');
  assert.deepEqual(
    (await api.call(`POST ${doc}/restore`, post({ version: 4 }))).body,
    { version: 4 },
    'nothing to do',
  );
  assert.deepEqual((await api.call(`GET ${doc}?version=3`)).body.content, { a: 3, b: 2 });
  assert.equal((await api.call(`POST ${doc}/restore`, post({ name: 'none' }))).refused, '404 not-found');
  assert.equal((await api.call(`POST ${doc}/restore`, post({ version: 9 }))).refused, '404 version-unknown');
  assert.equal((await api.call(`POST ${doc}/restore`, post({}))).refused, '400 bad-message');
});

test('HIST-5 HIST-6 DOC-6: a request that has been applied is answered again after its version is out of reach', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  await api.call(`PUT ${doc}/versions/first`, json({ version: 1 }));
  const restore = (key: string) =>
    api.call(`POST ${doc}/restore`, post({ name: 'first' }, { 'idempotency-key': key }));
  assert.deepEqual((await restore('k1')).body, { version: 4 });
  await api.call(`DELETE ${doc}/versions/first`);
  const again = await restore('k1');
  assert.deepEqual([again.body, again.headers.get('etag')?.endsWith('.4"')], [{ version: 4 }, true]);
  assert.equal((await restore('k2')).refused, '404 not-found');
  // The key alone decides, also where the body alone would be refused.
  const revert = (to: number, key: string) =>
    api.call(`POST ${doc}/revert`, post({ from: 4, to }, { 'idempotency-key': key }));
  assert.deepEqual((await revert(4, 'k3')).body, { version: 5 });
  assert.deepEqual((await revert(99, 'k3')).body, { version: 5 });
  assert.equal((await revert(99, 'k4')).refused, '404 version-unknown');
  assert.deepEqual((await api.call(`GET ${doc}`)).body.version, 5);
});

test('HIST-5 HIST-6: with nothing to do nothing is committed, with a key too, and the key stands for that answer', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  const keyed = async (path: string, body: object, key: string) => {
    const { body: answer, headers } = await api.call(
      `POST ${doc}/${path}`,
      post(body, { 'idempotency-key': key }),
    );
    assert.ok(headers.get('etag')?.endsWith(`.${answer.version}"`));
    return answer;
  };
  const nobody = { from: 1, to: 3, user: 'nobody' };
  assert.deepEqual(await keyed('restore', { version: 3 }, 'k1'), { version: 3 });
  assert.deepEqual(await keyed('revert', nobody, 'k2'), { version: 3 });
  assert.equal((await api.call(`GET ${doc}`)).body.version, 3);
  await api.call(`PATCH ${doc}`, patch(add('/c', 4)));
  assert.deepEqual(await keyed('restore', { version: 3 }, 'k1'), { version: 3 });
  assert.deepEqual((await api.call(`GET ${doc}`)).body.content, { a: 3, b: 2, c: 4 }, 'later edits stay');
  assert.deepEqual(await keyed('restore', { version: 3 }, 'k3'), { version: 5 });
  assert.deepEqual(await keyed('restore', { version: 5 }, 'k3'), { version: 5 });
});

test('HIST-5: requests with one key at one time, and edits meanwhile, leave one restored patch in a log without a gap', async () => {
  const { api, org } = await open.use();
  const doc = await plan(api, org);
  const restores = Array.from({ length: 4 }, () =>
    api.call(`POST ${doc}/restore`, post({ version: 1 }, { 'idempotency-key': 'all' })),
  );
  const edits = Array.from({ length: 12 }, (_, i) => api.call(`PATCH ${doc}`, patch(add(`/e${i}`, i))));
  const answers = await Promise.all(restores);
  const edited = await Promise.all(edits);
  const versions = new Set(answers.map(({ body }) => body.version));
  assert.equal(versions.size, 1, JSON.stringify(answers.map(({ body }) => body)));
  for (const { status } of edited) assert.equal(status, 200);
  const { ops } = (await api.call(`GET ${doc}/history?limit=100`)).body as {
    ops: { version: number; client: string }[];
  };
  assert.deepEqual(
    ops.map(({ version }) => version),
    Array.from({ length: 3 + 12 + 1 }, (_, i) => i + 1),
  );
  const [restored = 0] = [...versions] as number[];
  const { client } = ops[restored - 1] ?? {};
  assert.equal(ops.filter((op) => op.client === client).length, 1);
});

test('HIST-5: yjs: restoring brings the content back', async () => {
  const { api, org } = await open.use();
  const doc = new Y.Doc();
  const text = doc.getText('t');
  text.insert(0, 'first');
  const state = () => Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64');
  await api.call(`PUT /v1/docs/${org}/y`, json({ kind: 'yjs', content: state() }));
  text.delete(0, 5);
  text.insert(0, 'second');
  await api.call(`PATCH /v1/docs/${org}/y`, json({ op: state() }, 'PATCH'));
  assert.equal((await api.call(`POST /v1/docs/${org}/y/restore`, post({ version: 1 }))).body.version, 3);
  Y.applyUpdate(doc, Buffer.from(String((await api.call(`GET /v1/docs/${org}/y`)).body.content), 'base64'));
  assert.equal(text.toString(), 'first');
  assert.equal(
    (await api.call(`POST /v1/docs/${org}/y/revert`, post({ from: 1, to: 2 }))).refused,
    '409 wrong-kind',
  );
  assert.equal((await api.call(`GET /v1/docs/${org}/y/authors`)).refused, '409 wrong-kind');
});

test('HIST-6: what one user did is taken back, and the edits of others stay', async () => {
  const { api, org } = await guarded.use();
  const ada = api.as(await tokenOf('ada', { [`${org}/*`]: 'owner' }));
  const bob = api.as(await tokenOf('bob', { [`${org}/*`]: 'editor' }));
  const text = `/v1/docs/${org}/text`;
  await ada.call(`PUT ${text}`, json({ kind: 'rich-text' }));
  await ada.call(`PATCH ${text}`, json({ op: [{ insert: 'Hello' }] }, 'PATCH'));
  await bob.call(`PATCH ${text}`, json({ op: [{ retain: 5 }, { insert: ' world' }] }, 'PATCH'));
  await ada.call(`PATCH ${text}`, json({ op: [{ insert: '> ' }] }, 'PATCH'));
  const reverted = await bob.call(`POST ${text}/revert`, post({ from: 1, to: 3, user: 'ada' }));
  assert.deepEqual(reverted.body, { version: 4 });
  assert.deepEqual((await ada.call(`GET ${text}`)).body.content, [{ insert: ' world\n' }]);
  assert.equal((await bob.call(`POST ${text}/revert`, post({ from: 3, to: 2 }))).refused, '400 bad-message');
  assert.equal(
    (await bob.call(`POST ${text}/revert`, post({ from: 1, to: 9 }))).refused,
    '404 version-unknown',
  );
});

test('HIST-7: each call has its role, and without any right the document does not exist', async () => {
  const { api, org } = await guarded.use();
  const owner = api.as(await tokenOf('ada', { [`${org}/*`]: 'owner' }));
  const doc = await plan(owner, org);
  const calls: [call: string, init: RequestInit, least: 'viewer' | 'editor' | 'owner'][] = [
    [`GET ${doc}/history`, {}, 'viewer'],
    [`GET ${doc}/authors`, {}, 'viewer'],
    [`GET ${doc}/versions`, {}, 'viewer'],
    [`GET ${doc}?version=1`, {}, 'viewer'],
    [`POST ${doc}/revert`, post({ from: 3, to: 3 }), 'editor'],
    [`PUT ${doc}/versions/a`, json({}), 'owner'],
    [`POST ${doc}/restore`, post({ version: 1 }), 'owner'],
    [`DELETE ${doc}/versions/a`, {}, 'owner'],
  ];
  const roles = ['viewer', 'editor', 'owner'] as const;
  const stranger = api.as(await tokenOf('eve', { 'other/*': 'owner' }));
  for (const [call, init, least] of calls) {
    assert.equal((await stranger.call(call, init)).refused, '404 not-found', call);
    for (const role of roles) {
      const caller = api.as(await tokenOf(`${role}-user`, { [`${org}/*`]: role }));
      const { refused } = await caller.call(call, init);
      const mayCall = roles.indexOf(role) >= roles.indexOf(least);
      assert.equal(refused, mayCall ? undefined : '403 forbidden', `${call} as ${role}`);
      if (mayCall && call.startsWith('DELETE')) break;
    }
  }
});
