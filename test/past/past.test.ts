// The past of documents in a real PostgreSQL: pages, versions by number, time and name, authors, and the patches that
// restore and revert.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doPastJob } from '../../actors/compute/past-job.ts';
import type { PastStore } from '../../actors/storage/past-store.ts';
import { createPastStore } from '../../actors/storage/past-store-postgres.ts';
import type { Wire } from '../../protocol/messages.ts';
import { codeOf, jsonOf, NEVER, resultOf, stage } from './stage.ts';

const PAGE = { limit: 100, maxBytes: 1 << 20 };
const add = (path: string, value: number): Wire => [{ op: 'add', path, value }];

test('HIST-1: a page has the patches in order with their users and times, and tells where the next one begins', async (t) => {
  const { past, commit, document } = await stage(t, 'json');
  const before = Date.now();
  await commit('ada', add('/a', 1), add('/b', 2));
  await commit('bob', add('/c', 3));
  await commit('ada', add('/d', 4), add('/e', 5), add('/f', 6));
  const plan = await document();
  assert.equal(plan.head, 6);
  const first = resultOf(await past.page(plan, { limit: 4 }));
  assert.deepEqual(
    first.patches.map(({ version, client, user, op }) => [version, client, user, jsonOf(op)]),
    [
      [1, 'ada-client', 'ada', add('/a', 1)],
      [2, 'ada-client', 'ada', add('/b', 2)],
      [3, 'bob-client', 'bob', add('/c', 3)],
      [4, 'ada-client', 'ada', add('/d', 4)],
    ],
  );
  assert.equal(first.next, 5);
  for (const { at } of first.patches) assert.ok(at >= before - 60_000 && at <= Date.now() + 60_000);
  const rest = resultOf(await past.page(plan, { from: 5, limit: 4 }));
  assert.deepEqual(
    rest.patches.map(({ version }) => version),
    [5, 6],
  );
  assert.equal(rest.next, undefined);
  const middle = resultOf(await past.page(plan, { from: 2, to: 5, limit: 2 }));
  assert.deepEqual([middle.patches.map(({ version }) => version), middle.next], [[2, 3], 4]);
  assert.deepEqual(resultOf(await past.page(plan, { from: 7, limit: 2 })).patches, []);
  assert.equal(codeOf(await past.page(plan, { from: 8, limit: 2 })), 'version-unknown');
});

test('HIST-2: every kept version is folded from the snapshot below it, and is the document as it was', async (t) => {
  const { past, commit, snapshot, document, jobs } = await stage(t, 'json');
  const expected: object[] = [{}];
  for (let i = 1; i <= 12; i++) {
    await commit(i % 2 ? 'ada' : 'bob', add(`/k${i % 5}`, i));
    expected.push({ ...expected.at(-1), [`k${i % 5}`]: i });
    if (i % 4 === 0) await snapshot();
  }
  const plan = await document();
  for (const [version, content] of expected.entries())
    assert.deepEqual(jsonOf(resultOf(await past.content(plan, version, NEVER))), content);
  assert.equal(codeOf(await past.content(plan, 13, NEVER)), 'version-unknown');
  assert.equal(codeOf(await past.version(plan, { version: 13 })), 'version-unknown');
  const done = jobs.length;
  await past.content(plan, 5, NEVER);
  assert.equal(jobs.length, done, 'a version that is cached is not folded again');
});

test('HIST-2: the cache holds no more bytes than it may', async (t) => {
  const { past, commit, document, jobs } = await stage(t, 'json', { cacheBytes: 600 });
  for (let i = 1; i <= 8; i++)
    await commit('ada', [{ op: 'add', path: '/text', value: 'x'.repeat(100) + i }]);
  const plan = await document();
  for (let version = 1; version <= 8; version++) await past.content(plan, version, NEVER);
  const done = jobs.length;
  await past.content(plan, 8, NEVER);
  assert.equal(jobs.length, done, 'the newest is kept');
  await past.content(plan, 1, NEVER);
  assert.equal(jobs.length, done + 1, 'the oldest has left');
});

test('HIST-2: a time means the last version that was written until then', async (t) => {
  const { past, commit, document, admin } = await stage(t, 'json');
  for (let i = 1; i <= 9; i++) await commit('ada', add('/a', i), add('/b', i));
  const start = Date.parse('2026-01-01T00:00:00Z');
  await admin`UPDATE delta SET at = ${new Date(start).toISOString()}::timestamptz + last * interval '1 minute'`;
  await admin`UPDATE document SET created_at = ${new Date(start).toISOString()}::timestamptz`;
  const plan = await document();
  const minute = 60_000;
  const at = async (time: number) => resultOf(await past.version(plan, { at: time }));
  assert.equal(await at(start), 0);
  for (let run = 2; run <= 18; run += 2) {
    assert.equal(await at(start + run * minute), run);
    assert.equal(await at(start + run * minute - 1), run - 2);
  }
  assert.equal(await at(start + 1_000_000 * minute), 18);
  assert.equal(codeOf(await past.version(plan, { at: start - 1 })), 'version-unknown');
});

test('HIST-3: a named version outlives retention, and what is before the kept history is too old', async (t) => {
  const { past, commit, snapshot, fold, document } = await stage(t, 'json');
  await commit('ada', add('/a', 1));
  await commit('ada', add('/a', 2));
  const named = resultOf(
    await past.putName(await document(), { name: 'first draft', version: 1, user: 'ada' }, NEVER),
  );
  assert.equal(named.created, true);
  await commit('bob', add('/a', 3), add('/a', 4), add('/a', 5));
  await snapshot();
  await commit('bob', add('/a', 6));
  await fold();
  const plan = await document();
  assert.equal(plan.folded, 5);
  const version = resultOf(await past.version(plan, { name: 'first draft' }));
  assert.equal(version, 1);
  assert.deepEqual(jsonOf(resultOf(await past.content(plan, version, NEVER))), { a: 1 });
  assert.deepEqual(jsonOf(resultOf(await past.content(plan, 5, NEVER))), { a: 5 });
  for (const old of [2, 4]) assert.equal(codeOf(await past.content(plan, old, NEVER)), 'version-too-old');
  assert.equal(codeOf(await past.page(plan, { from: 5, limit: 10 })), 'version-too-old');
  assert.deepEqual(
    resultOf(await past.page(plan, { limit: 10 })).patches.map(({ version: of }) => of),
    [6],
  );
  assert.equal(codeOf(await past.patchToRevert(plan, { from: 4, to: 6 }, NEVER)), 'version-too-old');
  const restore = resultOf(await past.patchToRestore(plan, 1, NEVER));
  assert.equal(restore.base, 6);
  assert.deepEqual(jsonOf(restore.op ?? new Uint8Array()), [{ op: 'replace', path: '/a', value: 1 }]);
});

test('HIST-3: names are listed in order, moved, removed, and bounded', async (t) => {
  const { past, commit, document } = await stage(t, 'json', { namedVersions: 2 });
  await commit('ada', add('/a', 1), add('/a', 2));
  const plan = await document();
  const put = (name: string, version: number) => past.putName(plan, { name, version, user: 'ada' }, NEVER);
  resultOf(await put('b', 1));
  resultOf(await put('a', 2));
  assert.equal(codeOf(await put('c', 1)), 'too-large');
  assert.equal(resultOf(await put('b', 2)).created, false);
  const names = await past.names(plan, '', 10);
  assert.deepEqual(
    names.map(({ name, version, user }) => [name, version, user]),
    [
      ['a', 2, 'ada'],
      ['b', 2, 'ada'],
    ],
  );
  assert.deepEqual(await past.names(plan, 'a', 10), names.slice(1));
  assert.deepEqual(await past.name(plan, 'b'), names[1]);
  assert.equal(await past.removeName(plan, 'b'), true);
  assert.equal(await past.removeName(plan, 'b'), false);
  assert.equal(await past.name(plan, 'b'), undefined);
  assert.equal(codeOf(await past.version(plan, { name: 'b' })), 'not-found');
  assert.equal(codeOf(await put('c', 3)), 'version-unknown');
});

test('HIST-3: a document that is removed takes its named versions along', async (t) => {
  const { past, commit, document, admin } = await stage(t, 'json');
  await commit('ada', add('/a', 1));
  const plan = await document();
  resultOf(await past.putName(plan, { name: 'a', version: 1, user: 'ada' }, NEVER));
  await admin`DELETE FROM document WHERE id = ${plan.id}`;
  assert.deepEqual(await past.names(plan, '', 10), []);
  assert.equal(codeOf(await past.putName(plan, { name: 'b', version: 1, user: 'ada' }, NEVER)), 'not-found');
});

for (const kind of ['rich-text', 'json'] as const)
  test(`HIST-4: ${kind}: authors are the same whether folded from the start or from what was kept`, async (t) => {
    const { past, commit, document, admin } = await stage(t, kind);
    const patch = (i: number): Wire =>
      kind === 'json'
        ? [
            i % 7 === 0
              ? { op: 'add', path: '/list', value: [0, 1, 2] }
              : i % 7 < 4
                ? { op: 'add', path: `/list/${i % 3}`, value: { i } }
                : { op: 'replace', path: '/list/0', value: i },
          ]
        : [{ retain: (i * 7) % (i + 1) }, { insert: 'ab' }, ...(i % 3 ? [] : [{ delete: 1 }])].filter(
            (step) => !('retain' in step && step.retain === 0),
          );
    for (let round = 0; round < 3; round++) {
      const patches = Array.from({ length: 1_000 }, (_, i) => patch(round * 1_000 + i));
      await commit(round % 2 ? 'bob' : 'ada', ...patches);
      if (round === 1) await past.authors(await document(), NEVER);
    }
    const [kept] = await admin<{ version: string }[]>`SELECT version::text FROM known_authors`;
    assert.equal(kept?.version, '2000');
    const plan = await document();
    const incremental = jsonOf(resultOf(await past.authors(plan, NEVER)));
    await admin`DELETE FROM known_authors`;
    const other = { ...plan, history: `${plan.history}-other` };
    assert.deepEqual(jsonOf(resultOf(await past.authors(other, NEVER))), incremental);
  });

test('HIST-4: a job that is stopped leaves its authors so far to the next one', async (t) => {
  const { url, commit, document, admin } = await stage(t, 'rich-text');
  await commit('ada', ...Array.from({ length: 900 }, (): Wire => [{ insert: 'a' }]));
  await commit('bob', [{ insert: 'b' }]);
  const { id, kind, history, folded, head } = await document();
  const store = createPastStore({ url }, 1);
  t.after(() => store.close());
  let last = 450;
  const stopped: PastStore = {
    ...store,
    patches: (of, after, upTo) =>
      after >= last ? Promise.reject(new Error('stopped')) : store.patches(of, after, upTo, PAGE),
  };
  const job = {
    document: { id },
    kind,
    history,
    folded,
    type: 'authors',
    version: head,
    keepEvery: 200,
  } as const;
  await assert.rejects(doPastJob(stopped, job), /stopped/);
  const [kept] = await admin<{ version: string }[]>`SELECT version::text FROM known_authors`;
  assert.equal(kept?.version, '400');
  last = head;
  const outcome = await doPastJob(stopped, job);
  assert.ok(outcome.ok);
  const authors = jsonOf(outcome.bytes) as { insert: string; author?: { version: number } }[];
  assert.deepEqual(
    authors.slice(0, 3).map(({ insert, author }) => [insert, author?.version]),
    [
      ['b', 901],
      ['a', 900],
      ['a', 899],
    ],
  );
  assert.equal(authors.length, 902);
});

test('HIST-4: rich-text: text from before the kept history has no author', async (t) => {
  const { past, commit, snapshot, fold, document } = await stage(t, 'rich-text');
  await commit('ada', [{ insert: 'old ' }]);
  await commit('ada', [{ insert: 'very ' }]);
  await snapshot();
  await commit('bob', [{ retain: 5 }, { insert: 'new ' }]);
  await fold();
  const authors = jsonOf(resultOf(await past.authors(await document(), NEVER))) as {
    insert: string;
    author?: { user: string; version: number };
  }[];
  assert.deepEqual(
    authors.map(({ insert, author }) => [insert, author?.user, author?.version]),
    [
      ['very ', undefined, undefined],
      ['new ', 'bob', 3],
      ['old \n', undefined, undefined],
    ],
  );
});

test('HIST-4: a yjs document has no authors and no reverts', async (t) => {
  const { past, commit, document } = await stage(t, 'yjs');
  await commit('ada', Uint8Array.of(0, 0));
  const plan = await document();
  assert.equal(codeOf(await past.authors(plan, NEVER)), 'wrong-kind');
  assert.equal(codeOf(await past.patchToRevert(plan, { from: 1, to: 1 }, NEVER)), 'wrong-kind');
  assert.equal(resultOf(await past.patchToRestore(plan, 1, NEVER)).op, undefined);
});

test('HIST-6: the patches of one user in a span are taken back, and all others stay', async (t) => {
  const { past, commit, snapshot, document } = await stage(t, 'rich-text');
  await commit('ada', [{ insert: 'Hello ' }]);
  await snapshot();
  await commit('bob', [{ retain: 6 }, { insert: 'world' }]);
  await commit('ada', [{ retain: 11 }, { insert: '!' }]);
  await commit('bob', [{ retain: 12 }, { insert: '?' }]);
  const plan = await document();
  const revert = async (from: number, to: number, user?: string) => {
    const { base, op } = resultOf(await past.patchToRevert(plan, { from, to, user }, NEVER));
    assert.equal(base, 4);
    return op && jsonOf(op);
  };
  assert.deepEqual(await revert(2, 4, 'ada'), [{ retain: 11 }, { delete: 1 }]);
  assert.deepEqual(await revert(1, 4, 'ada'), [{ delete: 6 }, { retain: 5 }, { delete: 1 }]);
  assert.deepEqual(await revert(2, 2), [{ retain: 6 }, { delete: 5 }]);
  assert.equal(await revert(1, 4, 'eve'), undefined);
  assert.equal(codeOf(await past.patchToRevert(plan, { from: 3, to: 2 }, NEVER)), 'bad-message');
  assert.equal(codeOf(await past.patchToRevert(plan, { from: 1, to: 5 }, NEVER)), 'version-unknown');
});
