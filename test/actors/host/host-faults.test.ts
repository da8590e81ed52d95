// A host when one document fails: the log stays whole, every message is answered, and the other documents go
// on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, systemClock } from '../../../actors/clock.ts';
import {
  CLOSE,
  COMMIT,
  JSON_FRAMES,
  jsonOp,
  LOST,
  OPEN,
  OPEN_FAILED,
  OPENED,
  PRESENCE,
  PULL,
  REFUSED,
  RESET,
  SUBMIT,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { frameMessage, gate, HOST_LIMITS, startHost, withStore } from './host-harness.ts';

const DOC = 'acme/plan';

/** The id of a session that takes no shards over. */
const NO_SESSION = 999_999;

const historyIn = (messages: readonly ToGateway[]): string =>
  messages.flatMap((m) => (m[0] === OPENED ? [m[5]] : []))[0] ?? '';

test('ORDER-1 patches behind one that the store refuses are not committed without it', async (t) => {
  const database = createMemoryDatabase();
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC, { client: 'client\u0000nul' });
  host.open(2, DOC);
  await host.idle();
  const id = Number.parseInt(historyIn(host.got), 36);
  database.setAvailable(false);
  host.submit(1, 1, -1, [{ insert: 'a' }]);
  await host.idle();
  host.submit(2, 1, -1, [{ insert: 'b' }]);
  await host.idle();
  database.setAvailable(true);
  await host.idle();
  const reader = database.worker();
  await reader.open({ run: 'reader', node: 'test', slot: 1 });
  const [loaded] = await reader.load([id]);
  assert.deepEqual(loaded?.deltas, []);
});

test('a document that fails while its patches are on their way takes no other document with it', async (t) => {
  let letAppend: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    letAppend = resolve;
  });
  const database = withStore(createMemoryDatabase(), (store) => ({
    append: async (...batch) => {
      await held;
      return store.append(...batch);
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  host.submit(1, 1, -1, [{ insert: 'a' }]);
  await host.idle();
  // The patch is no JSON, so the document throws.
  host.send([SUBMIT, 1, 1, 2, -1, jsonOp('{')]);
  await host.idle();
  assert.ok(host.got.some((m) => m[0] === RESET));
  // A gateway now opens the document again.
  const request = { doc: DOC, client: 'client-1', user: 'u', role: 'owner', codec: JSON_FRAMES } as const;
  host.send([OPEN, 2, 2, request]);
  host.send([SUBMIT, 2, 2, 1, -1, jsonOp(JSON.stringify([{ insert: 'a' }]))]);
  await host.idle();
  letAppend();
  await host.idle();
  assert.deepEqual(host.lost, [], 'the worker goes on');
});

test('an exception after an answer of the store drops that document alone', async (t) => {
  const database = withStore(createMemoryDatabase(), (store) => ({
    history: async (...asked) =>
      (await store.history(...asked)).map((delta) => ({ ...delta, op: Buffer.from('no JSON') })),
  }));
  const host = await startHost(database, {
    ...HOST_LIMITS,
    actor: { ...HOST_LIMITS.actor, residentOps: 2 },
  });
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  for (let seq = 1; seq <= 20; seq++) {
    host.submit(1, seq, -1, [{ insert: 'a' }]);
    await host.idle();
  }
  host.got.length = 0;
  host.submit(1, 21, 0, [{ insert: 'b' }]);
  await host.idle();
  assert.deepEqual(
    host.got.map((m) => m[0]),
    [RESET],
  );
});

test('PRES-4 a client that closes a document that has left memory is gone, also while the database is away', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const database = createMemoryDatabase();
  const host = await startHost(database, { ...HOST_LIMITS, memoryBytes: 0 });
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  host.open(2, DOC);
  host.send([PRESENCE, 1, 1, '"here"']);
  await host.idle();
  t.mock.timers.tick(1000);
  database.setAvailable(false);
  host.send([CLOSE, 1, 1]);
  await host.idle();
  database.setAvailable(true);
  host.got.length = 0;
  host.open(3, DOC);
  await host.idle();
  const opened = host.got.find((m) => m[0] === OPENED);
  assert.ok(opened?.[0] === OPENED && opened[3][0] !== undefined);
  assert.deepEqual(frameMessage(opened[3][0]).presence, {});
});

test('OPEN-4 a catch-up that meets a document out of memory and a database out of reach is ended, not forgotten', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const database = createMemoryDatabase();
  const host = await startHost(database, {
    ...HOST_LIMITS,
    memoryBytes: 0,
    actor: { ...HOST_LIMITS.actor, receiveBytes: 16 * 1024, residentOps: 16 },
  });
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  for (let seq = 1; seq <= 300; seq++) {
    host.submit(1, seq, -1, [{ insert: `edit ${seq} `.repeat(4) }]);
    if (seq % 20 === 0) await host.idle();
  }
  const history = historyIn(host.got);
  host.open(2, DOC, { since: 0, history });
  await host.idle();
  host.got.length = 0;
  // The first sweep folds, the second unloads.
  t.mock.timers.tick(1000);
  await host.idle();
  t.mock.timers.tick(1000);
  database.setAvailable(false);
  host.send([PULL, 1, 2]);
  await host.idle();
  database.setAvailable(true);
  host.submit(1, 301, -1, [{ insert: 'more' }]);
  await host.idle();
  assert.ok(
    host.got.some((m) => m[0] === COMMIT),
    'the document is back',
  );
  assert.ok(
    host.got.some((m) => (m[0] === LOST || m[0] === OPENED) && m[2] === 2),
    'the reader hears something',
  );
});

test('OPEN-4 a catch-up that has reached what is durable waits for the store, it does not spin', async (t) => {
  const database = createMemoryDatabase();
  const host = await startHost(database, {
    ...HOST_LIMITS,
    actor: { ...HOST_LIMITS.actor, receiveBytes: 16 * 1024 },
  });
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  const history = historyIn(host.got.splice(0));
  database.setAvailable(false);
  for (let seq = 1; seq <= 60; seq++) host.submit(1, seq, -1, [{ insert: `edit ${seq} `.repeat(4) }]);
  await host.idle();
  host.open(2, DOC, { since: 0, history });
  for (let pulls = 0; pulls < 10; pulls++) {
    await host.idle();
    const chunks = host.got.splice(0).filter((m) => m[0] === OPENED && !m[7]);
    assert.ok(pulls === 0 || chunks.length === 0, 'a chunk with nothing in it asks for the next at once');
    if (chunks.length > 0) host.send([PULL, 1, 2]);
  }
});

test('a load that the store answers late, when its actor has gone, leaves the patches of the next actor alone', async (t) => {
  const late = gate();
  const appends = gate();
  let finds = 0;
  const database = withStore(createMemoryDatabase(), (store) => ({
    find: async (...name) => {
      if (++finds === 1) await late.opened;
      return store.find(...name);
    },
    append: async (...batch) => {
      await appends.opened;
      return store.append(...batch);
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  // No session takes the shard, so the document starts over here.
  await host.host.release([shardOf(DOC)], NO_SESSION);
  host.open(2, DOC);
  await host.idle();
  host.submit(2, 1, -1, [{ insert: 'a' }]);
  await host.idle();
  host.submit(2, 2, -1, [{ insert: 'b' }]);
  await host.idle();
  late.open();
  await host.idle();
  appends.open();
  await host.idle();
  const versions = host.got.flatMap((message) => (message[0] === COMMIT ? [message[2]] : []));
  assert.equal(versions.at(-1), 2);
});

test('ERR-6 a quarantined document is refused, with a time after which to ask again; its neighbours are not', async (t) => {
  let skippedMs = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + skippedMs };
  const host = await startHost(createMemoryDatabase(), HOST_LIMITS, undefined, clock);
  t.after(() => host.host.dispose());
  const told = (): unknown[] =>
    host.got
      .splice(0)
      .map((message) =>
        message[0] === OPEN_FAILED ? message[3] : message[0] === OPENED ? 'opened' : message[0],
      );
  host.host.quarantine({ doc: DOC, forMs: 50_000, round: 1 });
  host.open(1, DOC);
  host.send([
    OPEN,
    2,
    2,
    { doc: 'acme/other', client: 'c', user: 'u', role: 'owner', codec: JSON_FRAMES, kind: 'json' },
  ]);
  await host.idle();
  const [refused] = host.got;
  const retryAfterMs = refused?.[0] === OPEN_FAILED ? (refused[5] ?? 0) : 0;
  assert.equal(retryAfterMs, 10_000, 'an operator may release it any time');
  assert.deepEqual(told(), ['unavailable', 'opened']);
  skippedMs = 50_000;
  host.open(3, DOC);
  await host.idle();
  assert.deepEqual(told(), ['opened'], 'it is back by itself');
  host.host.quarantine({ doc: DOC, forMs: 50_000, round: 2 });
  host.open(4, DOC);
  await host.idle();
  assert.deepEqual(told(), [RESET, 'unavailable']);
  host.host.releaseQuarantined(DOC);
  host.open(5, DOC);
  await host.idle();
  assert.deepEqual(told(), ['opened'], 'released');
});

test('a document whose handling throws three times is quarantined, and each time is told to the thread that counts', async (t) => {
  const host = await startHost(createMemoryDatabase());
  t.after(() => host.host.dispose());
  for (let time = 1; time <= 3; time++) {
    host.open(time, DOC);
    await host.idle();
    // The patch is no JSON, so the document throws.
    host.send([SUBMIT, 1, time, 1, -1, jsonOp('{')]);
    await host.idle();
  }
  host.got.length = 0;
  host.open(4, DOC);
  await host.idle();
  assert.deepEqual(
    host.got.map((message) => (message[0] === OPEN_FAILED ? message[3] : message[0])),
    ['unavailable'],
  );
  assert.deepEqual(host.failed, [DOC, DOC, DOC]);
});

test('patches of a document that has started over do not follow the hand-over of its shard', async (t) => {
  const appends = gate();
  const memory = createMemoryDatabase();
  const database = withStore(memory, (store) => ({
    append: async (...batch) => {
      await appends.opened;
      return store.append(...batch);
    },
  }));
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  const id = Number.parseInt(historyIn(host.got), 36);
  host.submit(1, 1, -1, [{ insert: 'a' }]);
  await host.idle();
  host.submit(1, 2, -1, [{ insert: 'b' }]);
  // The patch is no JSON, so the document throws, while one patch is on its way and one waits.
  host.send([SUBMIT, 1, 1, 3, -1, jsonOp('{')]);
  await host.idle();
  const other = memory.worker();
  const { id: to } = await other.open({ run: 'other', node: 'other', slot: 0 });
  const released = host.host.release([shardOf(DOC)], to);
  appends.open();
  assert.equal((await released).size, 1);
  await host.idle();
  const [loaded] = await other.load([id]);
  assert.deepEqual(
    loaded?.deltas.map(({ version }) => version),
    [1],
  );
});

test('every request whose answer is dropped with the queue of a link that is too slow is told to start over', async (t) => {
  const link = { ...HOST_LIMITS.link, windowBytes: 64 };
  const host = await startHost(createMemoryDatabase(), { ...HOST_LIMITS, link });
  t.after(() => host.host.dispose());
  const channels = Array.from({ length: 20 }, (_, i) => 100 + i);
  // None of them is open, so the answers go over channels that the host does not keep.
  for (const channelId of channels) host.send([SUBMIT, channelId, 1, 1, 0, jsonOp('[]')]);
  await host.idle();
  await host.turn();
  await host.idle();
  const answered = new Set(host.got.flatMap((m) => (m[0] === REFUSED || m[0] === RESET ? [m[1]] : [])));
  assert.deepEqual([...answered].toSorted(), channels);
  assert.ok(
    host.got.some((m) => m[0] === RESET),
    'the link did not overflow',
  );
});
