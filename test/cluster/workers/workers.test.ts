// A worker's death: only its documents pause, and no client notices. A document that kills its worker three
// times is put out of service, and the other documents live.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { SessionRow } from '../../../actors/storage/store.ts';
import { createControlStore } from '../../../actors/storage/store-postgres.ts';
import { encodeOperatorEvent } from '../../../cluster/operator-events.ts';
import { Workers } from '../../../cluster/workers/workers.ts';
import { configFrom } from '../../../config/load.ts';
import { hostLimits } from '../../../src/host-limits.ts';
import { NodeMetrics } from '../../../src/observability/node-metrics.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { startTestNode } from '../../support/node.ts';
import { type Message, WireClient } from '../../support/wire-client.ts';

const workerModule = new URL('../../support/faulty-worker.js', import.meta.url);

const text = (message: Message): string =>
  (message.snapshot as { insert: string }[]).map((step) => step.insert).join('');

test('a worker that dies in mid-edit is replaced: its clients see a pause, each edit commits once', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-kill-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const node = await startTestNode(t, { workerModule, config: { workers: 1 } });
  const author = await WireClient.connect(t, node.socketUrl, { client: 'author-1' });
  const reader = await WireClient.connect(t, node.socketUrl, { client: 'reader-1' });
  await author.open('acme/plan', 'rich-text');
  await reader.open('acme/plan');
  author.send({ type: 'presence', doc: 'acme/plan', data: { name: 'Ann' } });
  await reader.next('presence');
  await author.submit('acme/plan', 1, [{ insert: 'before ' }], 0);
  for (const [index, insert] of [`KILL-ONCE ${join(directory, 'done')}`, 'b', 'c'].entries()) {
    author.send({ type: 'submit', doc: 'acme/plan', seq: index + 2, base: 1, op: [{ insert }] });
  }
  const versions: number[] = [];
  /** Reads commits of one or several versions until `last`. */
  const readTo = async (last: number): Promise<void> => {
    while ((versions.at(-1) ?? 0) < last) {
      const commit = await reader.next('commit');
      const { length } = commit.ops as unknown[];
      const version = commit.version as number;
      versions.push(...Array.from({ length }, (_, i) => version - length + 1 + i));
    }
  };
  await readTo(4);
  await author.submit('acme/plan', 5, [{ insert: 'after ' }]);
  await readTo(5);
  assert.deepEqual(versions, [1, 2, 3, 4, 5], 'no gap, no repeat over the change of owner');
  assert.equal(reader.closed, undefined);
  assert.equal(author.closed, undefined);
  const fresh = await WireClient.connect(t, node.socketUrl, { client: 'fresh-01' });
  const opened = await fresh.open('acme/plan');
  assert.equal(opened.version, 5);
  assert.deepEqual(opened.presence, { 'author-1': { name: 'Ann' } }, 'presence is announced again');
});

test('a document that kills its worker three times is quarantined, its neighbours live', async (t) => {
  const node = await startTestNode(t, { workerModule, config: { workers: 1 } });
  const poisoner = await WireClient.connect(t, node.socketUrl, { client: 'poisoner' });
  const neighbour = await WireClient.connect(t, node.socketUrl, { client: 'neighbour' });
  await poisoner.open('acme/poison', 'rich-text');
  await neighbour.open('acme/plan', 'rich-text');
  await neighbour.submit('acme/plan', 1, [{ insert: 'safe' }]);
  const answer = await poisoner.submit('acme/poison', 1, [{ insert: 'KILL' }], 0);
  assert.equal(answer.type, 'error');
  assert.equal(answer.code, 'unavailable');
  assert.equal(answer.retryable, true);
  await neighbour.submit('acme/plan', 2, [{ insert: 'still ' }]);
  const fresh = await WireClient.connect(t, node.socketUrl, { client: 'fresh-01' });
  assert.equal(text(await fresh.open('acme/plan')), 'still safe\n');
  fresh.send({ type: 'open', doc: 'acme/poison', id: 7 });
  const refused = await fresh.next('error');
  assert.deepEqual([refused.id, refused.code], [7, 'unavailable']);
  const answers = [answer, refused].map(({ retryAfterMs }) => Number(retryAfterMs));
  assert.ok(
    answers.every((ms) => ms >= 10_000 && ms < 12_000),
    `ERR-6: 10 s at most and a spread, not ${answers.join(', ')} ms`,
  );
});

test('ERR-6 a quarantined document comes back by itself, and an operator brings it back on a node that is alone', async (t) => {
  const quarantines: unknown[] = [];
  const node = await startTestNode(t, {
    workerModule,
    config: { workers: 1, actors: { quarantineMs: 3000 } },
    onLogLine: ({ doc, forMs }) => {
      if (forMs !== undefined) quarantines.push([doc, forMs]);
    },
  });
  const poisoner = await WireClient.connect(t, node.socketUrl, { client: 'poisoner' });
  await poisoner.open('acme/poison', 'rich-text');
  /** Opens the document as a client does that comes back after the announced time. */
  const openLater = async (client: WireClient): Promise<Message> => {
    for (;;) {
      client.send({ type: 'open', doc: 'acme/poison', id: 1 });
      const answer = await client.take((m) => m.id === 1, 'an answer to the open');
      if (answer.type === 'opened') return answer;
      await new Promise((resolve) => setTimeout(resolve, Number(answer.retryAfterMs)));
    }
  };
  await poisoner.submit('acme/poison', 1, [{ insert: 'KILL' }], 0);
  const back = await WireClient.connect(t, node.socketUrl, { client: 'back-001' });
  assert.equal((await openLater(back)).version, 0);
  // One more death now suffices.
  const again = await back.submit('acme/poison', 1, [{ insert: 'KILL' }], 0);
  assert.ok(Number(again.retryAfterMs) > 0, 'it is told when to come again');
  // The answer tells what is left of the time, so the time itself is read from the log.
  assert.deepEqual(
    quarantines,
    [3000, 6000].map((forMs) => ['acme/poison', forMs]),
    'the second time is twice as long',
  );
  // A gateway that waits for the document asks its owner again within 2 s. A gateway that does not wait asks
  // at once.
  for (const client of [poisoner, back]) {
    client.send({ type: 'close', doc: 'acme/poison' });
    await client.next('closed');
  }
  const store = createControlStore({ url: node.storageUrl, connectTimeoutMs: 5000, answerTimeoutMs: 10_000 });
  t.after(() => store.close());
  let tell: (event: string) => void = () => undefined;
  const answered = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const events = await store.listen({
    onEvent: (event) => {
      if (event.includes('"released"')) tell(event);
    },
    onGap: () => undefined,
  });
  t.after(() => events.close());
  await store.notify(encodeOperatorEvent({ type: 'release', doc: 'acme/poison' }));
  const { doc, wasQuarantined } = JSON.parse(await answered) as { doc: string; wasQuarantined: boolean };
  assert.deepEqual([doc, wasQuarantined], ['acme/poison', true]);
  const released = await WireClient.connect(t, node.socketUrl, { client: 'released' });
  // The worker hears of it over a port of its own, and an `open` may arrive earlier.
  for (let tries = 1; ; tries++) {
    released.send({ type: 'open', doc: 'acme/poison', id: tries });
    const answer = await released.take((m) => m.id === tries, 'an answer to the open');
    if (answer.type === 'opened') return;
    assert.ok(tries < 40, `still out of service for ${answer.retryAfterMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

for (const how of ['kill', 'stop'] as const) {
  test(`${how}: no worker starts afterwards, though one was being replaced`, async (t) => {
    const { workers, listed, told, threads } = await stage(t);
    await workers.start();
    workers.refuseBelow(1);
    const answer = await listed;
    await workers[how]();
    answer(true);
    await settled();
    assert.equal(threads.length, 1);
    assert.deepEqual(told, ['up', 'down']);
  });
}

test('a worker of a run that others have fenced is not replaced: the run is over', async (t) => {
  const { workers, listed, told, threads } = await stage(t);
  await workers.start();
  workers.refuseBelow(1);
  const answer = await listed;
  answer(false);
  await settled();
  assert.equal(threads.length, 1);
  assert.deepEqual(told, ['up', 'down', 'fenced']);
});

test('a worker that is starting when a document is quarantined hears of it', async (t) => {
  const { workers, listed, threads } = await stage(t);
  // The test does not wait: the worker may end before the pool has heard that it was ready, and another one
  // would then have to start.
  void workers.start();
  for (let death = 1; death <= 3; death++) workers.countFailure('acme/poison');
  // The worker ends at its first message.
  await listed;
  assert.equal(threads.length, 1);
});

/** A pool of one worker, which ends at its first message. The test answers which sessions exist then. */
async function stage(t: TestContext) {
  const control = createMemoryDatabase().control();
  const controlSession = await control.openSession({ run: 'run-a', node: 'a', slot: -1, address: 'a:1' });
  const rows = await control.sessions();
  let ask: (answer: (isLive: boolean) => void) => void = () => undefined;
  /** Resolves when the pool asks whether the run is live, with the function that answers. */
  const listed = new Promise<(isLive: boolean) => void>((resolve) => {
    ask = resolve;
  });
  const sessions = (): Promise<readonly SessionRow[]> =>
    new Promise((resolve) => ask((isLive) => resolve(isLive ? rows : [])));
  const threads: Worker[] = [];
  const started = (thread: Worker): void => void threads.push(thread);
  process.on('worker', started);
  t.after(async () => {
    process.off('worker', started);
    await workers.kill();
    for (const thread of threads) await thread.terminate();
  });
  const told: string[] = [];
  const workers = new Workers({
    counts: new NodeMetrics().thread,
    slots: 1,
    run: 'run-a',
    node: 'a',
    heapMb: 64,
    stallMs: 10_000,
    storage: { url: '', lowestTimeline: 0, connectTimeoutMs: 1, answerTimeoutMs: 1, readConnections: 1 },
    limits: hostLimits(configFrom({})),
    control: Object.assign(control, { sessions }),
    controlSession,
    liveness: null,
    onWrites: () => undefined,
    slotListener: {
      up: () => told.push('up'),
      down: () => told.push('down'),
      docFailed: () => undefined,
      quarantined: () => undefined,
      fenced: () => told.push('fenced'),
    },
    messages: () => undefined,
    fold: () => Promise.resolve(undefined),
    snapshotJob: () => Promise.reject(new Error('no snapshot is prepared here')),
    log: () => undefined,
    workerModule: new URL('../../support/ending-worker.js', import.meta.url),
  });
  return { workers, listed, told, threads };
}

/** Lets the reactions to an answer run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
