// A worker's host on the memory store: the gate, unknown outcomes, fencing and restarts, seen over a link.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Link } from '../../../actors/link/link.ts';
import {
  ACK,
  COMMIT,
  JSON_FRAMES,
  OPEN,
  OPENED,
  REFUSED,
  type ToGateway,
  type ToOwner,
} from '../../../actors/link/link-messages.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { loopback } from '../../support/loopback.ts';
import { until } from '../../support/until.ts';
import { frameMessage, HOST_LIMITS, startHost } from './host-harness.ts';

const DOC = 'acme/plan';

const tags = (messages: readonly ToGateway[]): number[] => messages.map((message) => message[0]);
const commits = (messages: readonly ToGateway[]): Record<string, unknown>[] =>
  messages.flatMap((m) => (m[0] === COMMIT && m[3] !== null ? [frameMessage(m[3])] : []));

test('DUR-1 while the database is away nothing that depends on a patch is told; when it is back all comes in order', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const database = createMemoryDatabase();
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  const [first] = host.got.splice(0);
  assert.ok(first?.[0] === OPENED);
  database.setAvailable(false);
  host.submit(1, 1, 0, [{ insert: 'a' }]);
  host.open(2, DOC, { since: 0, history: first[5] });
  host.submit(1, 1, 0, [{ insert: 'a' }]);
  host.submit(1, 2, 0, [{ retain: 99 }]);
  await host.idle();
  assert.deepEqual(host.got, [], 'no commit, no opened, no ack, no reject');
  database.setAvailable(true);
  await host.idle();
  // A rejection waits also for the word that the session lives, and that question is asked again after a pause.
  t.mock.timers.tick(1000);
  await host.idle();
  assert.deepEqual(tags(host.got), [COMMIT, OPENED, ACK, REFUSED]);
});

test('ONCE-1 a connection lost in mid-commit: the patch is told once and is in the log once, whichever way it went', async (t) => {
  for (const where of ['before-commit', 'after-commit'] as const) {
    const database = createMemoryDatabase();
    const host = await startHost(database);
    t.after(() => host.host.dispose());
    host.open(1, DOC);
    await host.idle();
    host.got.length = 0;
    database.loseConnection(host.session, where);
    host.submit(1, 1, 0, [{ insert: 'a' }]);
    await host.idle();
    assert.deepEqual(
      commits(host.got).map((m) => m.version),
      [1],
      where,
    );
  }
});

test('a fenced session tells nobody anything any more', async (t) => {
  const database = createMemoryDatabase();
  const control = database.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  host.got.length = 0;
  assert.equal(await control.fence(me, { session: host.session }), true);
  host.submit(1, 1, 0, [{ insert: 'a' }]);
  await host.idle();
  assert.deepEqual(host.lost, ['fenced']);
  assert.deepEqual(host.got, []);
});

test('a database that has lost commits is noticed before anything is acknowledged on top', async (t) => {
  const database = createMemoryDatabase();
  const first = await startHost(database);
  first.open(1, DOC);
  for (let seq = 1; seq <= 5; seq++) first.submit(1, seq, -1, [{ insert: 'a' }]);
  await first.idle();
  const history = first.got.flatMap((m) => (m[0] === OPENED ? [m[5]] : []))[0];
  assert.ok(history !== undefined);
  // The log loses its tail under a document that is in memory, and the connection is a new one.
  database.loseAbove(Number.parseInt(history, 36), 3);
  database.loseConnection(first.session, 'before-commit');
  first.got.length = 0;
  first.submit(1, 6, -1, [{ insert: 'b' }]);
  await first.idle();
  assert.deepEqual(first.lost, ['gap']);
  assert.deepEqual(commits(first.got), []);
  first.host.dispose();
  t.diagnostic(`history ${history}`);
});

test('ONCE-1 a successor knows the seqs of its predecessor', async (t) => {
  const database = createMemoryDatabase();
  const control = database.control();
  const me = await control.openSession({ run: 'control', node: 'test', slot: -1 });
  const first = await startHost(database);
  first.open(1, DOC);
  first.submit(1, 1, 0, [{ insert: 'a' }]);
  first.submit(1, 4, 0, [{ insert: 'b' }]);
  await until(() => first.got.some((message) => message[0] === COMMIT && message[2] === 2));
  await control.fence(me, { session: first.session });
  first.host.dispose();
  const second = await startHost(database);
  t.after(() => second.host.dispose());
  second.open(1, DOC);
  second.submit(1, 4, 0, [{ insert: 'b' }]);
  second.submit(1, 2, 0, [{ insert: 'c' }]);
  second.submit(1, 5, 2, [{ insert: 'd' }]);
  await until(() => second.got.length >= 4);
  assert.deepEqual(tags(second.got), [OPENED, ACK, REFUSED, COMMIT]);
  const [, ack, refused] = second.got;
  assert.deepEqual(ack?.slice(3), [4, 2]);
  assert.equal(refused?.[4], 'seq-used');
});

test('OPEN-4, ORDER-1 since far back comes in chunks without gap or repeat while others write', async (t) => {
  const database = createMemoryDatabase();
  const host = await startHost(database, {
    ...HOST_LIMITS,
    // Frames of at most 4 KiB of patches.
    actor: { ...HOST_LIMITS.actor, receiveBytes: 64 * 1024, residentOps: 16 },
  });
  t.after(() => host.host.dispose());
  host.open(1, DOC);
  await host.idle();
  const total = 600;
  for (let seq = 1; seq <= total; seq++) {
    host.submit(1, seq, -1, [{ insert: `edit ${seq} `.repeat(4) }]);
    if (seq % 20 === 0) await host.idle();
  }
  const history = host.got.flatMap((m) => (m[0] === OPENED ? [m[5]] : []))[0] ?? '';
  host.got.length = 0;
  host.open(2, DOC, { since: 0, history });
  const versions: number[] = [];
  for (let complete = false, seq = total; !complete; seq++) {
    host.submit(1, seq + 1, -1, [{ insert: 'more' }]);
    await host.idle();
    for (const message of host.got.splice(0)) {
      if (message[0] === COMMIT && complete && message[3] !== null)
        versions.push(...range(frameMessage(message[3])));
      if (message[0] !== OPENED) continue;
      for (const frame of message[3]) versions.push(...range(frameMessage(frame)));
      complete = message[7];
      if (!complete) host.send([5, 1, 2]);
    }
  }
  assert.deepEqual(
    versions,
    Array.from({ length: versions.length }, (_, i) => i + 1),
  );
  assert.ok(versions.length > total);
});

/** Versions that an `opened` or `commit` carries. */
function range(message: Record<string, unknown>): number[] {
  const { length } = message.ops as unknown[];
  const version = message.version as number;
  return Array.from({ length }, (_, i) => version - length + 1 + i);
}

test('one link, one frame per document and commit, however many have it open', async (t) => {
  const database = createMemoryDatabase();
  const host = await startHost(database);
  t.after(() => host.host.dispose());
  for (let subscriptionId = 1; subscriptionId <= 300; subscriptionId++) host.open(subscriptionId, DOC);
  await host.idle();
  host.got.length = 0;
  for (let subscriptionId = 1; subscriptionId <= 50; subscriptionId++)
    host.submit(subscriptionId, 1, 0, [{ insert: 'x' }]);
  await host.idle();
  const told = host.got.filter((m) => m[0] === COMMIT);
  assert.ok(told.length <= 2, `${told.length} frames`);
  assert.deepEqual(
    commits(told).flatMap(range),
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    told.flatMap((m) => (m[0] === COMMIT ? m[5] : [])),
    Array.from({ length: 50 }, (_, i) => [i + 1, 1]).flat(),
    'each author finds its seq acknowledged',
  );
});

test('three nodes with a hundred readers each cost the owner three messages for a commit, of one encoding', async (t) => {
  const host = await startHost(createMemoryDatabase());
  t.after(() => host.host.dispose());
  const others = [1, 2].map((id) => {
    const { near, far } = loopback();
    const got: ToGateway[] = [];
    host.host.addLink(id, far);
    const link = new Link<ToOwner, ToGateway>(near, HOST_LIMITS.link, (messages) => got.push(...messages));
    return { got, send: (message: ToOwner) => link.send(message), idle: () => near.idle() };
  });
  const nodes = [{ got: host.got, send: host.send, idle: host.idle }, ...others];
  for (const [node, { send }] of nodes.entries()) {
    for (let subscriptionId = 1; subscriptionId <= 100; subscriptionId++) {
      const request = {
        doc: DOC,
        client: `client-${node}-${subscriptionId}`,
        user: 'u',
        role: 'owner',
        kind: 'rich-text',
      } as const;
      send([OPEN, 1, subscriptionId, { ...request, codec: JSON_FRAMES }]);
    }
  }
  for (const { idle } of nodes) await idle();
  for (const { got } of nodes) assert.equal(tags(got.splice(0)).filter((tag) => tag === OPENED).length, 100);
  for (let seq = 1; seq <= 5; seq++) {
    host.submit(1, seq, seq - 1, [{ insert: 'x' }]);
    for (const { idle } of nodes) await idle();
    const frames = nodes.map(({ got }) => {
      const [message, ...more] = got.splice(0);
      assert.ok(message?.[0] === COMMIT && more.length === 0);
      return Buffer.from(message[3] ?? []);
    });
    for (const frame of frames) assert.ok(frame.length > 0 && frame.equals(frames[0] ?? Buffer.of()));
  }
});
