// A document's actor: acks while a client is caught up, channels without a subscriber, and the actor's memory
// of clients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEPT_CLIENTS } from '../../../actors/document/document.ts';
import {
  ACK,
  CLOSE,
  CLOSED,
  COMMIT,
  jsonOp,
  OPEN_FAILED,
  OPENED,
  RESET,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { frameMessage } from '../host/host-harness.ts';
import { ActorHarness, HISTORY, lastOpened } from './actor-harness.ts';

const tags = (messages: readonly ToGateway[]): number[] => messages.map((message) => message[0]);

test('ORDER-1 a catch-up that was opened again since does not let out acks of what is still to come', () => {
  const harness = new ActorHarness();
  harness.open(1);
  harness.open(2);
  harness.write(1, 200);
  harness.taken();
  harness.open(20, { client: 'client-2', replaces: 2, since: 0, history: HISTORY });
  for (;;) {
    const { 4: version } = lastOpened(harness.taken(), 20);
    if (version >= 190) break;
    harness.pull(20);
  }
  harness.submit(1, 201, 'not durable');
  // Its last chunk waits for the store.
  harness.pull(20);
  harness.open(21, { client: 'client-2', replaces: 20, since: 0, history: HISTORY });
  assert.equal(lastOpened(harness.taken(), 21)[7], false);
  harness.send([2, 1, 21, 1, -1, jsonOp(JSON.stringify([{ insert: 'mine' }]))]);
  harness.commit();
  harness.send([2, 1, 21, 1, -1, jsonOp(JSON.stringify([{ insert: 'mine' }]))]);
  const told = harness.taken();
  assert.ok(!tags(told).includes(ACK), 'it has not had that version yet');
  assert.ok(!told.some((m) => m[0] === OPENED && m[2] === 20), 'what was answered is over');
});

test('opens of the wrong kind, of no document, and replaced ones leave no channel behind', () => {
  const harness = new ActorHarness();
  const { actor } = harness;
  harness.openOnNewChannel(1);
  for (let subscriptionId = 2; subscriptionId < 100; subscriptionId++)
    harness.openOnNewChannel(subscriptionId, { kind: 'json' });
  assert.equal(tags(harness.taken()).filter((tag) => tag === OPEN_FAILED).length, 98);
  assert.equal(actor.releaseChannels().length, 98);
  assert.deepEqual(actor.channels, [{ link: 0, channelId: 101 }]);
  assert.deepEqual(actor.releaseChannels(), []);
  // The client comes over another link, and its old subscription has ended.
  harness.openOnNewChannel(100, { client: 'client-1' }, 1);
  assert.deepEqual(actor.releaseChannels(), [{ link: 0, channelId: 101 }]);
  actor.unload();
  actor.handle(1, [CLOSE, 200, 100]);
  assert.deepEqual(actor.releaseChannels(), [{ link: 1, channelId: 200 }], 'also while it is not in memory');
  const missing = new ActorHarness();
  missing.exists = false;
  for (let subscriptionId = 1; subscriptionId < 10; subscriptionId++)
    missing.openOnNewChannel(subscriptionId);
  assert.equal(missing.actor.releaseChannels().length, 9);
  assert.deepEqual(missing.actor.channels, []);
});

test('a gateway that resumes what its client has left for another does not take the document from it', () => {
  const harness = new ActorHarness();
  const client = 'client-1';
  const again = { client, since: 0, history: HISTORY, resume: true, again: true } as const;
  const closed = () => harness.taken().flatMap((m) => (m[0] === CLOSED ? [m[1]] : []));
  harness.open(1, { client, askedAt: 2000 }, 1, 11);
  harness.taken();
  // The subscription that the client has opened at this owner counts as the newer one, whatever the gateways'
  // clocks say.
  harness.open(2, { ...again, askedAt: 1000 }, 2, 12);
  assert.deepEqual(harness.taken(), [[CLOSED, 12, 2, 'replaced']], 'the socket it had before is told');
  harness.open(3, { ...again, askedAt: 3000 }, 3, 13);
  assert.deepEqual(closed(), [13]);
  // The same socket, over a new connection between the nodes.
  harness.open(4, { ...again, askedAt: 2000 }, 1, 14);
  assert.deepEqual(closed(), [11]);
  // Of two subscriptions that gateways have brought along, the later by the clocks counts.
  harness.open(5, { ...again, askedAt: 1000 }, 2, 15);
  assert.deepEqual(closed(), [15]);
  harness.open(6, { ...again, askedAt: 3000 }, 3, 16);
  assert.deepEqual(closed(), [14]);
  // An open of the client itself always succeeds.
  harness.open(7, { client, askedAt: 1000 }, 2, 17);
  assert.deepEqual(closed(), [16]);
});

test('a channel is kept while an open of it waits for the document', () => {
  const harness = new ActorHarness();
  const { actor } = harness;
  harness.exists = false;
  harness.openOnNewChannel(1);
  // The first refusal comes while the next open is in the mailbox.
  actor.channels.push({ link: 0, channelId: 7 });
  actor.handle(0, [1, 7, 2, { doc: 'acme/plan', client: 'client-2', user: 'u', role: 'owner', codec: 0 }]);
  assert.deepEqual(actor.releaseChannels(), [{ link: 0, channelId: 101 }]);
  assert.deepEqual(actor.channels, [{ link: 0, channelId: 7 }]);
});

test('ONCE-1 of clients that are away so many are remembered, and those forgotten are recalled from the log', () => {
  const harness = new ActorHarness();
  harness.open(1);
  const total = 4 * KEPT_CLIENTS;
  for (let subscriptionId = 2; subscriptionId <= total; subscriptionId++) {
    harness.open(subscriptionId);
    harness.submit(subscriptionId, 1, 'x');
    harness.close(subscriptionId);
    harness.commit();
    assert.ok(harness.document.rememberedClients <= 2 * KEPT_CLIENTS + 2, `${subscriptionId}`);
  }
  harness.taken();
  const { length } = harness.log;
  // The oldest client, and the latest.
  for (const subscriptionId of [2, total]) {
    harness.open(subscriptionId, { since: length, history: HISTORY });
    harness.submit(subscriptionId, 1, 'x');
    harness.submit(subscriptionId, 1, 'x');
    harness.commit();
    const told = harness.taken();
    assert.deepEqual(tags(told), [OPENED, ACK, ACK]);
    assert.deepEqual(told[1]?.slice(3), [1, subscriptionId - 1]);
  }
  assert.equal(harness.log.length, length, 'nothing commits twice');
});

test('ONCE-1 present clients, and patches that are not durable, are never forgotten', () => {
  const harness = new ActorHarness();
  harness.open(1);
  harness.submit(1, 1, 'first of all');
  harness.commit();
  const total = 3 * KEPT_CLIENTS;
  for (let subscriptionId = 2; subscriptionId <= total; subscriptionId++) {
    harness.open(subscriptionId);
    harness.submit(subscriptionId, 1, 'x');
    harness.close(subscriptionId);
    // Nothing after the first is durable yet.
    harness.actor.durableTo(1);
  }
  assert.equal(harness.document.rememberedClients, total);
  // The memory is looked through again after as many new clients.
  for (let subscriptionId = total + 1; subscriptionId <= total + KEPT_CLIENTS; subscriptionId++) {
    harness.open(subscriptionId);
    harness.submit(subscriptionId, 1, 'x');
    harness.close(subscriptionId);
    harness.commit();
  }
  assert.ok(harness.document.rememberedClients <= 2 * KEPT_CLIENTS + 1);
  assert.equal(harness.document.needsRecall('client-1'), false);
  assert.equal(harness.document.needsRecall('client-2'), true);
  assert.equal(harness.document.lastSeqAt('client-2', total), undefined, 'only the log knows');
});

test('a patch that the store refused makes every client open again', () => {
  const harness = new ActorHarness();
  harness.open(1);
  harness.submit(1, 1, 'x');
  harness.actor.refusedByStore([{ client: 'client-1', seq: 1 }]);
  assert.equal(harness.taken().at(-1)?.[0], RESET);
  assert.ok(!tags(harness.taken()).includes(COMMIT));
});

test('OPEN-6 ORDER-1 a client that opens a large document while it is edited gets the last snapshot and the patches since', () => {
  const harness = new ActorHarness({ receiveBytes: 1024 * 1024, residentOps: 1000 });
  harness.open(1);
  harness.submit(1, 1, 'a'.repeat(100_000));
  harness.commit();
  harness.open(2);
  harness.submit(1, 2, 'b');
  harness.submit(1, 3, 'c');
  harness.taken();
  harness.open(3);
  harness.open(4, { client: 'client-1' });
  assert.ok(
    harness.taken().every((message) => message[0] !== OPENED),
    'nothing is shown that is not durable',
  );
  harness.commit();
  const told = harness.taken();
  for (const [subscriptionId, lastSeq, seqs] of [
    [3, 0, []],
    [4, 1, [2, 3]],
  ] as const) {
    const [, , , frames, version, , own, complete] = lastOpened(told, subscriptionId);
    const [opened, commit] = frames.map(frameMessage);
    assert.ok(commit);
    assert.deepEqual([opened?.type, opened?.version, opened?.lastSeq], ['opened', 1, lastSeq]);
    assert.deepEqual(opened?.snapshot, [{ insert: `${'a'.repeat(100_000)}\n` }]);
    assert.deepEqual([commit.type, commit.version], ['commit', 3]);
    assert.deepEqual(
      (commit.ops as { op: unknown }[]).map(({ op }) => op),
      [[{ insert: 'b' }], [{ insert: 'c' }]],
    );
    assert.deepEqual([frames.length, version, own, complete], [2, 3, seqs, true]);
  }
  // If the patches since exceed an eighth of the document, they would cost readers more than a snapshot costs
  // here.
  harness.submit(4, 4, 'd'.repeat(20_000));
  harness.commit();
  harness.open(5);
  const fresh = lastOpened(harness.taken(), 5);
  assert.deepEqual([fresh[3].length, frameMessage(fresh[3][0] ?? new Uint8Array()).version], [1, 4]);
});
