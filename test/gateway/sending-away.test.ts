// A node that cannot serve for long sends its clients away, and takes them again when it can.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientConnection } from '../../src/gateway/client-connection.ts';
import { OpenDocuments } from '../../src/gateway/open-documents.ts';
import { Channel } from '../../src/gateway/subscriptions/channel.ts';
import { Subscription } from '../../src/gateway/subscriptions/subscription.ts';
import { SEND_AWAY_AFTER_MS, sendClientsAway } from '../../src/membership/sending-away.ts';
import { Scheduler } from '../sim/scheduler.ts';

test('a pause is no reason to send clients away; a lasting outage is, once, and it ends', async () => {
  const clock = new Scheduler();
  const ownership = { isServing: true };
  const done: string[] = [];
  const log = { info: () => undefined, warn: () => undefined };
  const sockets = {
    sendAway: async () => void done.push('away'),
    takeAgain: () => void done.push('back'),
    sendSomeAway: () => [],
  };
  const run = (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });
  let isLeaving = false;
  const stop = sendClientsAway({ ownership, sockets, isLeaving: () => isLeaving, clock, log });
  await run(1000);
  ownership.isServing = false;
  await run(SEND_AWAY_AFTER_MS - 500);
  ownership.isServing = true;
  await run(1000);
  assert.deepEqual(done, []);
  ownership.isServing = false;
  await run(20_000);
  assert.deepEqual(done, ['away']);
  ownership.isServing = true;
  await run(1000);
  assert.deepEqual(done, ['away', 'back']);
  isLeaving = true;
  ownership.isServing = false;
  await run(20_000);
  assert.deepEqual(done, ['away', 'back'], 'who leaves sends them away as it does');
  isLeaving = false;
  ownership.isServing = true;
  await run(1000);
  stop();
  ownership.isServing = false;
  await run(20_000);
  assert.deepEqual(done, ['away', 'back']);
});

test('a client with an open document whose live owner is not reached for long goes to another node', async () => {
  const clock = new Scheduler();
  let unreached: readonly number[] = [];
  const ownership = { isServing: true, neighbours: { unreachedShards: () => unreached } };
  const sent: (readonly boolean[])[] = [];
  const timesSent = () => sent.filter((chosen) => chosen.includes(true)).length;
  const log = { info: () => undefined, warn: () => undefined };
  const has = (...docs: [doc: string, shard: number][]) => {
    const open = new OpenDocuments();
    const connection = { open } as ClientConnection;
    for (const [doc, shard] of docs) {
      const channel = new Channel(doc, shard, 1);
      open.set(
        new Subscription({ connection, channel, askedAt: 0, role: 'owner', request: {}, before: undefined }),
      );
    }
    return connection;
  };
  const sessions = [has(), has(['acme/a', 1]), has(['acme/a', 1], ['acme/b', 2]), has(['acme/c', 3])];
  const sockets = {
    sendAway: () => Promise.reject(new Error('it serves')),
    takeAgain: () => undefined,
    sendSomeAway: (
      _count: number,
      _spreadMs: number,
      mayGo: (client: string, session: ClientConnection) => boolean,
    ) => {
      const chosen = sessions.map((session, at) => mayGo(`client-${at}`, session));
      sent.push(chosen);
      return chosen.flatMap((goes, at) => (goes ? [`client-${at}`] : []));
    },
  };
  const run = (ms: number) => clock.run({ until: () => false, untilMs: clock.now() + ms });
  const stop = sendClientsAway({ ownership, sockets, isLeaving: () => false, clock, log });
  unreached = [2, 3];
  await run(SEND_AWAY_AFTER_MS - 500);
  unreached = [];
  await run(1000);
  unreached = [2, 3];
  await run(SEND_AWAY_AFTER_MS - 500);
  assert.deepEqual(sent, [], 'a change of owner is shorter than that');
  await run(1000);
  assert.deepEqual(sent[0], [false, false, true, true]);
  assert.equal(timesSent(), 1, 'who has come back stays for a while');
  await run(15_000);
  assert.equal(timesSent(), 2, 'and then tries again');
  unreached = [];
  const before = sent.length;
  await run(10_000);
  assert.equal(sent.length, before);
  stop();
});
