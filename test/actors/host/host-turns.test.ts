// A host whose work takes more time than a slice: turns, their bounds, and the order of messages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COMMIT,
  jsonOp,
  OPEN_FAILED,
  OPENED,
  REFUSED,
  RESET,
  SUBMIT,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { SHARDS } from '../../../actors/shard.ts';
import { createMemoryDatabase } from '../../doubles/store-memory.ts';
import { frameMessage, type Harness, HOST_LIMITS, openOn, startHost } from './host-harness.ts';

const edit = (text: string): string => JSON.stringify([{ insert: text }]);
const versions = (got: readonly ToGateway[], channelId: number): number[] =>
  got.flatMap((m) => (m[0] === COMMIT && m[1] === channelId ? [m[2]] : []));

/** Each reading of the thread's time is `ms` after the last, so each message costs that much. */
function costing(): { ms: number; readonly spentMs: () => number } {
  let now = 0;
  const cost = {
    ms: 0,
    spentMs: () => {
      now += cost.ms;
      return now;
    },
  };
  return cost;
}

/**
 * Runs turns of the event loop until the condition holds. Between costly patches the thread rests by the
 * clock.
 */
async function until(host: Harness, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50_000 && !holds(); turn++)
    await (turn % 10 === 9 ? new Promise((resolve) => setTimeout(resolve, 1)) : host.turn());
  assert.ok(holds());
}

test('a document gets its turn between two costly patches of another, and both keep their order', async (t) => {
  const cost = costing();
  const host = await startHost(createMemoryDatabase(), HOST_LIMITS, cost.spentMs);
  t.after(() => host.host.dispose());
  openOn(host, 1, 1, 'acme/heavy');
  openOn(host, 2, 2, 'acme/light');
  await host.idle();
  host.got.length = 0;
  cost.ms = 50;
  for (let seq = 1; seq <= 24; seq++) host.send([SUBMIT, 1, 1, seq, -1, jsonOp(edit(`${seq},`))]);
  host.send([SUBMIT, 2, 2, 1, -1, jsonOp(edit('now'))]);
  await until(host, () => versions(host.got, 1).at(-1) === 24);
  const commits = host.got.filter((m) => m[0] === COMMIT);
  const light = commits.findIndex((m) => m[1] === 2);
  assert.ok(light >= 0 && light <= 2, `the other document's commit is number ${light + 1}`);
  const seqs = commits.flatMap((m) =>
    m[0] === COMMIT && m[1] === 1 && m[3] !== null
      ? (frameMessage(m[3]).ops as { seq: number }[]).map(({ seq }) => seq)
      : [],
  );
  assert.deepEqual(
    seqs,
    Array.from({ length: 24 }, (_, at) => at + 1),
  );
});

test('SUBMIT-10 the messages that wait for a turn are bounded for each document, and its clients are told so', async (t) => {
  const cost = costing();
  const limits = {
    ...HOST_LIMITS,
    actor: { ...HOST_LIMITS.actor, mailbox: { messages: 10, bytes: 1024 * 1024 } },
  };
  const host = await startHost(createMemoryDatabase(), limits, cost.spentMs);
  t.after(() => host.host.dispose());
  openOn(host, 1, 1, 'acme/heavy');
  openOn(host, 2, 2, 'acme/light');
  await host.idle();
  host.got.length = 0;
  cost.ms = 50;
  for (let seq = 1; seq <= 30; seq++) host.send([SUBMIT, 1, 1, seq, -1, jsonOp(edit('x'))]);
  host.send([SUBMIT, 2, 2, 1, -1, jsonOp(edit('now'))]);
  await until(host, () => versions(host.got, 1).at(-1) === 11);
  const refused = host.got.flatMap((m) => (m[0] === REFUSED ? [[m[1], m[4]]] : []));
  assert.equal(refused.length, 19);
  assert.ok(refused.every(([channelId, code]) => channelId === 1 && code === 'overloaded'));
  assert.deepEqual(versions(host.got, 2), [1]);
});

test('a link counts a message as handled when its document has had its turn', async (t) => {
  const cost = costing();
  const limits = { ...HOST_LIMITS, link: { ...HOST_LIMITS.link, windowMessages: 200 } };
  const host = await startHost(createMemoryDatabase(), limits, cost.spentMs);
  t.after(() => host.host.dispose());
  openOn(host, 1, 1, 'acme/heavy');
  await host.idle();
  cost.ms = 50;
  for (let seq = 1; seq <= 30; seq++) host.send([SUBMIT, 1, 1, seq, -1, jsonOp(edit('x'))]);
  await host.turn();
  await host.turn();
  assert.ok(host.backlog() > 20, `${host.backlog()} are not handled`);
  await until(host, () => versions(host.got, 1).at(-1) === 30);
  // The credits are told with the messages of the other direction.
  assert.ok(host.backlog() <= 20, `${host.backlog()} are not handled`);
});

test('hundreds who wait for one version are answered in slices, in order, and others come between', async (t) => {
  const cost = costing();
  const host = await startHost(createMemoryDatabase(), HOST_LIMITS, cost.spentMs);
  t.after(() => host.host.dispose());
  openOn(host, 1, 1, 'acme/heavy');
  openOn(host, 2, 2, 'acme/light');
  await host.idle();
  host.got.length = 0;
  // Each `opened` takes half a slice.
  cost.ms = 4;
  host.send([SUBMIT, 1, 1, 1, -1, jsonOp(edit('x'))]);
  for (let subscriptionId = 10; subscriptionId < 90; subscriptionId++)
    openOn(host, 1, subscriptionId, 'acme/heavy');
  host.send([SUBMIT, 2, 2, 1, -1, jsonOp(edit('now'))]);
  host.send([SUBMIT, 1, 1, 2, -1, jsonOp(edit('y'))]);
  const openedSubs = () => host.got.flatMap((m) => (m[0] === OPENED ? [m[2]] : []));
  await until(host, () => versions(host.got, 1).at(-1) === 2 && openedSubs().length === 80);
  const opened = openedSubs();
  assert.deepEqual(
    opened.toSorted((a, b) => a - b),
    Array.from({ length: 80 }, (_, at) => at + 10),
  );
  const light = host.got.findIndex((m) => m[0] === COMMIT && m[1] === 2);
  const before = host.got.slice(0, light).filter((m) => m[0] === OPENED).length;
  assert.ok(light >= 0 && before < 40, `${before} of them were answered before the other document`);
  assert.deepEqual(versions(host.got, 1), [1, 2]);
});

test('a document that is handed over while messages wait for their turn sends its gateways on, and refuses nothing', async (t) => {
  const cost = costing();
  const database = createMemoryDatabase();
  const host = await startHost(database, HOST_LIMITS, cost.spentMs);
  t.after(() => host.host.dispose());
  const other = await database.worker().open({ run: 'other', node: 'test', slot: 1 });
  openOn(host, 1, 1, 'acme/heavy');
  await host.idle();
  host.got.length = 0;
  cost.ms = 50;
  for (let seq = 1; seq <= 8; seq++) host.send([SUBMIT, 1, 1, seq, -1, jsonOp(edit('x'))]);
  openOn(host, 1, 5, 'acme/heavy');
  await host.turn();
  await host.turn();
  await host.host.release(
    Array.from({ length: SHARDS }, (_, shard) => shard),
    other.id,
  );
  await host.idle();
  assert.deepEqual(
    host.got.filter((m) => m[0] === REFUSED || m[0] === OPEN_FAILED),
    [],
  );
  assert.ok(host.got.some((m) => m[0] === RESET && m[1] === 1));
});
