// The authors of a long document are kept before somebody asks for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Wire } from '../../protocol/messages.ts';
import { AuthorsAhead, type AuthorsAheadOptions } from '../../src/past/authors-ahead.ts';
import { jsonOf, NEVER, resultOf, stage } from './stage.ts';

const LEAST = 5;
const DOC = { doc: 7, kind: 'json' } as const;

for (const kind of ['json', 'rich-text'] as const)
  test(`HIST-4: ${kind}: the authors of a long document are kept with a snapshot, and answers go on from there`, async (t) => {
    const { past, commit, document, admin, jobs } = await stage(t, kind);
    const problems: unknown[] = [];
    const ahead = new AuthorsAhead({ past, least: LEAST, onProblem: (error) => problems.push(error) });
    const edit = (i: number): Wire =>
      kind === 'json' ? [{ op: 'add', path: `/k${i % 4}`, value: i }] : [{ insert: `${i} ` }];
    const keptAfter = async (version: number): Promise<string | undefined> => {
      const user = ['ada', 'bob', 'cleo'][version % 3] ?? 'ada';
      await commit(user, edit(version));
      ahead.snapshotWritten({ doc: (await document()).id, kind, version });
      await ahead.idle();
      const [row] = await admin<{ version: string }[]>`SELECT version::text FROM known_authors`;
      return row?.version;
    };
    for (let version = 1; version < LEAST; version++) assert.equal(await keptAfter(version), undefined);
    for (let version = LEAST; version < 2 * LEAST; version++) assert.equal(await keptAfter(version), '5');
    assert.equal(await keptAfter(2 * LEAST), '10');
    assert.equal(await keptAfter(2 * LEAST + 1), '10');
    assert.deepEqual([jobs, problems], [['keep-authors', 'keep-authors'], []]);
    const plan = await document();
    const fromKept = jsonOf(resultOf(await past.authors(plan, NEVER)));
    await admin`DELETE FROM known_authors`;
    const other = { ...plan, history: `${plan.history}-other` };
    assert.deepEqual(jsonOf(resultOf(await past.authors(other, NEVER))), fromKept);
  });

test('HIST-4: one document is worked on at a time, and what fails is tried again when the log has grown as much', async () => {
  const asked: number[] = [];
  const problems: unknown[] = [];
  let answer: AuthorsAheadOptions['past']['keepAuthors'] = async () => {
    throw new Error('the database is away');
  };
  const past: AuthorsAheadOptions['past'] = {
    keepAuthors: (doc, least, signal) => {
      asked.push(doc);
      return answer(doc, least, signal);
    },
  };
  const ahead = new AuthorsAhead({ past, least: LEAST, onProblem: (error) => problems.push(String(error)) });
  ahead.snapshotWritten({ ...DOC, kind: 'yjs', version: LEAST });
  ahead.snapshotWritten({ ...DOC, version: LEAST });
  ahead.snapshotWritten({ ...DOC, doc: 8, version: LEAST });
  await ahead.idle();
  ahead.snapshotWritten({ ...DOC, version: LEAST + 1 });
  await ahead.idle();
  assert.deepEqual([asked, problems], [[7], ['Error: the database is away']]);
  answer = async () => ({ ok: true, value: 2 * LEAST });
  for (const version of [2 * LEAST, 2 * LEAST + 1, 3 * LEAST]) {
    ahead.snapshotWritten({ ...DOC, version });
    await ahead.idle();
  }
  assert.deepEqual(asked, [7, 7, 7]);
  answer = async () => ({ ok: false, code: 'too-large', message: 'it takes too long' });
  ahead.snapshotWritten({ ...DOC, doc: 8, version: LEAST });
  await ahead.idle();
  assert.deepEqual([asked.at(-1), problems.at(-1)], [8, 'it takes too long']);
});

test('HIST-4: the work under way is given up when the node stops', async () => {
  const problems: unknown[] = [];
  let asked = 0;
  const past: AuthorsAheadOptions['past'] = {
    keepAuthors: (_doc, _least, signal) =>
      new Promise((_, reject) => {
        asked++;
        signal.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const ahead = new AuthorsAhead({ past, least: LEAST, onProblem: (error) => problems.push(error) });
  ahead.snapshotWritten({ ...DOC, version: LEAST });
  ahead.end();
  await ahead.idle();
  ahead.snapshotWritten({ ...DOC, doc: 8, version: LEAST });
  assert.deepEqual([asked, problems], [1, []]);
});
