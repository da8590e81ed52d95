// A host gives final answers only as the owner: not before the database has seen its session live since the
// request, and never once the session is fenced, even if the session does not know of the fence. Found by the
// simulation with seed 6908.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  CLOSE,
  COMMIT,
  jsonOp,
  OPEN_FAILED,
  OPENED,
  REFUSED,
  RESET,
  SUBMIT,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { heapBytes } from '../../support/heap.ts';
import { gate, type Harness, HOST_LIMITS, startHost, withStore } from './host-harness.ts';

const DOC = 'acme/plan';

/** The refusals, as [seq, code]. */
const refusals = (messages: readonly ToGateway[]): (readonly [number, string])[] =>
  messages.flatMap((m) => (m[0] === REFUSED ? [[m[3], m[4]] as const] : []));
const historyIn = (messages: readonly ToGateway[]): string =>
  messages.flatMap((m) => (m[0] === OPENED ? [m[5]] : []))[0] ?? '';

/**
 * The document is open for client 1, whose seqs 1 and 3 are versions 1 and 2, and for `others`. Afterwards
 * each question whether the session lives waits for its gate.
 */
async function withQuestions(t: TestContext, limits = HOST_LIMITS, others?: (host: Harness) => void) {
  const questions: ReturnType<typeof gate>[] = [];
  let isHeld = false;
  const database = createMemoryDatabase();
  const asking = withStore(database, (store) => ({
    isLive: async () => {
      if (!isHeld) return store.isLive();
      const question = gate();
      questions.push(question);
      await question.opened;
      return store.isLive();
    },
  }));
  const host = await startHost(asking, limits);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  host.submit(1, 1, -1, [{ insert: 'a' }]);
  host.submit(1, 3, -1, [{ insert: 'b' }]);
  others?.(host);
  await host.idle();
  isHeld = true;
  const history = historyIn(host.got.splice(0));
  const fence = async (): Promise<void> => {
    const control = database.control();
    const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
    assert.equal(await control.fence(me, { session: host.session }), true);
  };
  return { database, host, history, questions, fence };
}

test('ONCE-1 a patch is rejected only after the database has seen the session live since it came', async (t) => {
  const { host, questions } = await withQuestions(t);
  host.submit(1, 4, 99, [{ insert: 'c' }]);
  host.submit(1, 2, -1, [{ insert: 'c' }]);
  host.submit(1, 5, -1, [{ retain: 99 }]);
  await host.idle();
  assert.deepEqual(host.got, []);
  assert.equal(questions.length, 1, 'one question for all of a turn');
  // The answer of the first question may be older than this submit.
  host.submit(1, 6, 99, [{ insert: 'c' }]);
  await host.idle();
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(refusals(host.got.splice(0)), [
    [4, 'version-unknown'],
    [2, 'seq-used'],
    [5, 'bad-op'],
  ]);
  assert.equal(questions.length, 2);
  questions[1]?.open();
  await host.idle();
  assert.deepEqual(refusals(host.got), [[6, 'version-unknown']]);
});

test('a fenced session rejects nothing, and ends', async (t) => {
  const { host, questions, fence } = await withQuestions(t);
  host.submit(1, 4, 99, [{ insert: 'c' }]);
  await host.idle();
  await fence();
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(host.got, []);
  assert.deepEqual(host.lost, ['fenced']);
});

test('ONCE-1 a session that does not know yet that it is fenced rejects no patch that its successor has committed', async (t) => {
  const database = createMemoryDatabase();
  const control = database.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  const first = await startHost(database);
  t.after(() => first.host.dispose());
  const write = async (host: Harness, seq: number, base: number): Promise<void> => {
    host.submit(1, seq, base, [{ insert: 'x' }]);
    await host.idle();
  };
  first.open(1, DOC);
  await write(first, 1, 0);
  await control.fence(me, { session: first.session });
  const second = await startHost(database);
  t.after(() => second.host.dispose());
  second.open(1, DOC);
  await write(second, 2, 1);
  await write(second, 3, 2);
  // The answer is lost, and the client is back at the first host, which has seen nothing of the commit.
  first.got.length = 0;
  await write(first, 3, 2);
  assert.deepEqual(first.got, []);
  assert.deepEqual(first.lost, ['fenced']);
});

test('OPEN-4 a snapshot is given after the database has seen the session live: to who has none, or more than the head', async (t) => {
  const { host, history, questions } = await withQuestions(t);
  host.open(2, DOC, { since: 3, history });
  host.submit(2, 1, -1, [{ insert: 'c' }]);
  host.open(3, DOC, { since: 2, history });
  host.open(4, DOC);
  host.open(5, DOC, { since: 2, history: 'another' });
  await host.idle();
  assert.deepEqual(
    host.got.splice(0).map((m) => [m[0], m[2]]),
    [[OPENED, 3]],
    'who is given patches needs no word',
  );
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(
    host.got.map((m) => [m[0], m[2]]),
    [
      [OPENED, 2],
      [COMMIT, 3],
      [OPENED, 4],
      [OPENED, 5],
    ],
  );
});

test('OPEN-4 the open for which a document is read needs no question, and an open that comes during the reads does', async (t) => {
  const database = createMemoryDatabase();
  const reads = gate();
  const questions: ReturnType<typeof gate>[] = [];
  const host = await startHost(
    withStore(database, (store) => ({
      find: async (...asked) => {
        await reads.opened;
        return store.find(...asked);
      },
      isLive: async () => {
        const question = gate();
        questions.push(question);
        await question.opened;
        return store.isLive();
      },
    })),
  );
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  host.open(2, DOC);
  await host.idle();
  reads.open();
  await host.idle();
  const opened = () => host.got.flatMap((m) => (m[0] === OPENED ? [m[2]] : []));
  assert.deepEqual(opened(), [1]);
  assert.equal(questions.length, 1);
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(opened(), [1, 2]);
});

test('OPEN-4 a fenced session gives no snapshot, and ends', async (t) => {
  for (const since of [undefined, 3]) {
    const { host, history, questions, fence } = await withQuestions(t);
    await fence();
    host.open(2, DOC, since === undefined ? {} : { since, history });
    await host.idle();
    questions[0]?.open();
    await host.idle();
    assert.deepEqual(host.got, []);
    assert.deepEqual(host.lost, ['fenced']);
  }
});

test('OPEN-4 a fenced session gives no snapshot either in place of patches that are folded away', async (t) => {
  let isFolded = false;
  const database = createMemoryDatabase();
  const folding = withStore(database, (store) => ({
    history: async (...asked) => (isFolded ? [] : store.history(...asked)),
  }));
  const host = await startHost(folding, {
    ...HOST_LIMITS,
    actor: { ...HOST_LIMITS.actor, residentOps: 2 },
  });
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  for (let seq = 1; seq <= 20; seq++) {
    host.submit(1, seq, -1, [{ insert: 'a' }]);
    await host.idle();
  }
  const history = historyIn(host.got.splice(0));
  isFolded = true;
  const control = database.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  await control.fence(me, { session: host.session });
  host.open(2, DOC, { since: 0, history });
  await host.idle();
  assert.deepEqual(host.got, []);
  assert.deepEqual(host.lost, ['fenced']);
});

test('an open that waits keeps neither what its client sent after it has left, nor old patches in memory', async (t) => {
  const { host, history } = await withQuestions(t, {
    ...HOST_LIMITS,
    actor: { ...HOST_LIMITS.actor, residentOps: 2 },
  });
  await host.idle();
  const before = heapBytes();
  for (let n = 2; n < 22; n++) {
    host.open(n, DOC);
    for (let seq = 1; seq <= 64; seq++)
      host.send([SUBMIT, 1, n, seq, -1, jsonOp('x'.repeat(10_000) + n + seq)]);
    host.send([CLOSE, 1, n]);
  }
  await host.idle();
  const kept = heapBytes() - before;
  assert.ok(kept < 5_000_000, `${kept} bytes of 12,800,000`);
  host.open(22, DOC);
  for (let seq = 4; seq <= 40; seq++) {
    host.submit(1, seq, -1, [{ insert: 'a' }]);
    await host.idle();
  }
  // Such old patches have left memory and are fetched, so the answer comes in a chunk, not with the head.
  host.got.length = 0;
  host.open(23, DOC, { since: 2, history });
  await host.idle();
  const first = host.got.find((m) => m[0] === OPENED && m[2] === 23);
  assert.equal(first?.[7], false, 'they are not in memory');
});

test('while the database is away nothing is rejected; when it is back the question is asked again', async (t) => {
  const database = createMemoryDatabase();
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  host.open(2, DOC);
  await host.idle();
  host.got.length = 0;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  database.setAvailable(false);
  host.submit(1, 1, 99, [{ insert: 'a' }]);
  host.submit(2, 1, 99, [{ insert: 'a' }]);
  host.open(3, DOC);
  for (let i = 0; i < 3; i++) {
    await host.idle();
    t.mock.timers.tick(1000);
  }
  await host.idle();
  assert.deepEqual(
    host.got.splice(0).map((m) => [m[0], m[2], m[3]]),
    [[OPEN_FAILED, 3, 'unavailable']],
    'who asks for a snapshot is told so',
  );
  database.setAvailable(true);
  t.mock.timers.tick(1000);
  await host.idle();
  assert.deepEqual(refusals(host.got), [
    [1, 'version-unknown'],
    [1, 'version-unknown'],
  ]);
});

test('with too many rejections that wait, submits are overloaded', async (t) => {
  const { host, questions } = await withQuestions(t);
  for (let n = 0; n < 10_000; n++) {
    host.submit(1, 4 + n, 99, [{ insert: 'c' }]);
    if (n % 500 === 0) await host.idle();
  }
  await host.idle();
  assert.deepEqual(host.got.splice(0), []);
  host.submit(1, 20_000, -1, [{ insert: 'c' }]);
  await host.idle();
  assert.deepEqual(refusals(host.got.splice(0)), [[20_000, 'overloaded']]);
  while (questions.length > 0) {
    questions.shift()?.open();
    await host.idle();
  }
  assert.equal(refusals(host.got.splice(0)).length, 10_000);
  host.submit(1, 20_000, -1, [{ insert: 'c' }]);
  await host.idle();
  assert.equal(host.got[0]?.[0], COMMIT);
});

test('a document does not leave memory under a rejection that waits', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { host, questions } = await withQuestions(t, { ...HOST_LIMITS, memoryBytes: 0 });
  host.submit(1, 4, 99, [{ insert: 'c' }]);
  await host.idle();
  for (let sweeps = 0; sweeps < 3; sweeps++) {
    t.mock.timers.tick(1000);
    await host.idle();
  }
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(refusals(host.got), [[4, 'version-unknown']]);
});

test('a rejection that waits holds up no hand-over, and is not told after it', async (t) => {
  const { database, host, questions } = await withQuestions(t);
  host.submit(1, 4, 99, [{ insert: 'c' }]);
  await host.idle();
  const { id: to } = await database.worker().open({ run: 'other', node: 'other', slot: 0 });
  assert.equal((await host.host.release([shardOf(DOC)], to)).size, 1);
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(
    host.got.map((m) => m[0]),
    [RESET],
  );
});

test('a submit at which its document fails is rejected after the database has seen the session live; submits that come meanwhile are sent again', async (t) => {
  const { host, questions } = await withQuestions(t);
  // The patch is no JSON, so the document throws.
  host.send([SUBMIT, 1, 1, 4, -1, jsonOp('{')]);
  host.submit(1, 5, -1, [{ insert: 'c' }]);
  await host.idle();
  assert.deepEqual(host.got, []);
  questions[0]?.open();
  await host.idle();
  assert.deepEqual(refusals(host.got), [
    [4, 'bad-op'],
    [5, 'unavailable'],
  ]);
  assert.ok(host.got.some((m) => m[0] === RESET));
});

test('a patch that the store cannot hold is rejected after the database has seen the session live', async (t) => {
  for (const fenced of [false, true]) {
    const { host, questions, fence } = await withQuestions(t, HOST_LIMITS, (each) =>
      each.open(2, DOC, { client: 'client\u0000nul' }),
    );
    host.submit(2, 1, -1, [{ insert: 'c' }]);
    await host.idle();
    assert.deepEqual(host.got, []);
    if (fenced) await fence();
    questions[0]?.open();
    await host.idle();
    assert.deepEqual(refusals(host.got), fenced ? [] : [[1, 'bad-op']]);
    assert.deepEqual(host.lost, fenced ? ['fenced'] : []);
  }
});
