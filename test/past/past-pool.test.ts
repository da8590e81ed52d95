// The threads for documents' pasts: they do the jobs, one that nobody waits for is stopped, and one that takes too long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPastStore } from '../../actors/storage/past-store-postgres.ts';
import { withoutLateAnswers } from '../../src/compute/ended-threads.ts';
import { startPastPool } from '../../src/compute/past-pool.ts';
import { Past } from '../../src/past/past.ts';
import { codeOf, jsonOf, NEVER, resultOf, stage } from './stage.ts';

test('HIST-2: a thread folds old versions, also after a job that was given up', async (t) => {
  const { url, commit, document } = await stage(t, 'json');
  for (let i = 1; i <= 5; i++) await commit('ada', [{ op: 'add', path: '/a', value: i }]);
  const store = createPastStore({ url }, 1);
  t.after(() => store.close());
  const pool = startPastPool({
    threads: 1,
    timeoutMs: 60_000,
    waiting: 1,
    onEnded: (error) => assert.fail(String(error)),
  });
  t.after(() => pool.stop());
  const storage = { url, lowestTimeline: 0, connectTimeoutMs: 5_000, answerTimeoutMs: 10_000 };
  const options = {
    store,
    pool,
    storage: () => storage,
    cacheBytes: 1 << 20,
    namedVersions: 1,
    newClientId: () => 1,
  };
  const past = new Past(options);
  const plan = await document();
  assert.deepEqual(jsonOf(resultOf(await past.content(plan, 3, NEVER))), { a: 3 });

  const gone = new AbortController();
  const given = past.content(plan, 4, gone.signal);
  const waits = past.content(plan, 5, NEVER);
  assert.equal(codeOf(await past.content(plan, 1, NEVER)), 'overloaded');
  gone.abort(new Error('the client has gone'));
  await assert.rejects(given, /the client has gone/);
  assert.deepEqual(jsonOf(resultOf(await waits)), { a: 5 });
  assert.deepEqual(jsonOf(resultOf(await past.content(plan, 4, NEVER))), { a: 4 });
});

test('HIST-2: a job that takes longer than it may is stopped, and is told as too large', async (t) => {
  const { url, commit, document } = await stage(t, 'json');
  await commit('ada', [{ op: 'add', path: '/a', value: 1 }]);
  const plan = await document();
  const pool = startPastPool({ threads: 1, timeoutMs: 1, waiting: 1, onEnded: () => undefined });
  t.after(() => pool.stop());
  const storage = { url, lowestTimeline: 0, connectTimeoutMs: 5_000, answerTimeoutMs: 10_000 };
  const { id, kind, history, folded } = plan;
  const task = {
    storage,
    job: { document: { id }, kind, history, folded, type: 'content', version: 1 },
  } as const;
  const outcome = await pool.run(task, NEVER);
  assert.equal(outcome.ok ? 'made' : outcome.code, 'too-large');
});

test('an answer that comes when its job has just been given up is no end of a thread', () => {
  const ended: unknown[] = [];
  const pass = withoutLateAnswers((error) => ended.push(error));
  pass(new Error("Unexpected message from Worker: { taskId: 1, result: 'a part of a document' }"));
  const failed = new Error('Worker terminated due to reaching memory limit');
  pass(failed);
  assert.deepEqual(ended, [failed]);
});

test('HIST-7: jobs of a pool that stops are told as overloaded, those under way too', async (t) => {
  const { url, commit, document } = await stage(t, 'json');
  await commit('ada', [{ op: 'add', path: '/a', value: 1 }]);
  const { id, kind, history, folded } = await document();
  const pool = startPastPool({ threads: 1, timeoutMs: 60_000, waiting: 1, onEnded: () => undefined });
  const storage = { url, lowestTimeline: 0, connectTimeoutMs: 5_000, answerTimeoutMs: 10_000 };
  const task = {
    storage,
    job: { document: { id }, kind, history, folded, type: 'content', version: 1 },
  } as const;
  const jobs = [pool.run(task, NEVER), pool.run(task, NEVER)];
  await pool.stop();
  for (const job of [...jobs, pool.run(task, NEVER)]) {
    const outcome = await job;
    assert.equal(outcome.ok ? 'made' : outcome.code, 'overloaded');
  }
});
