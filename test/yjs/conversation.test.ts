// A client of y-websocket at a gateway whose owners and time the test controls: what waits, what bounds it, and how a change
// of owner and a slow reader are met.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ACK,
  COMMIT,
  OPENED,
  REFUSED,
  SUBMIT,
  SYNC_OP,
  type ToGateway,
  UPDATE_OP,
} from '../../actors/link/link-messages.ts';
import { shardOf } from '../../actors/shard.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { EVERYONE } from '../../src/identity/user.ts';
import { writeAwareness } from '../../src/yjs/wire/awareness.ts';
import { awarenessBody, step1Body, step2Body, updateBody } from '../../src/yjs/wire/body.ts';
import { YWebsocketEndpoint } from '../../src/yjs/y-websocket.ts';
import { LIMITS, Owner, startGateway } from '../gateway/fake-owners.ts';
import { until } from '../support/until.ts';

const DOC = 'acme/plan';
const KiB = 1024;
const UPDATE_BYTES = 256 * KiB;
const EMPTY = Uint8Array.of(0);

function start(identity?: Identity) {
  const started = startGateway(identity === undefined ? {} : { identity });
  const owner = new Owner();
  started.place([shardOf(DOC)], owner);
  const endpoint = new YWebsocketEndpoint({
    gateway: started.gateway,
    limits: LIMITS,
    updateBytes: UPDATE_BYTES,
    after: started.after,
    random: () => 0.5,
  });
  const connectYjs = () => {
    const client = started.newSession(undefined);
    endpoint.attach(client.session, `/yjs/${DOC}`, undefined);
    const send = (body: Uint8Array): void => started.gateway.receive(client.session, body, false);
    return { ...client, send, bytes: () => Buffer.concat(client.written) };
  };
  const open = () => {
    const client = connectYjs();
    client.send(step1Body(EMPTY));
    started.gateway.messages(owner, [openedBy(owner)]);
    return client;
  };
  return { ...started, owner, connectYjs, open };
}

function openedBy(owner: Owner, updates: readonly Uint8Array[] = [], version = 0): ToGateway {
  const at = owner.opens.at(-1);
  assert.ok(at, 'an open');
  const state = { vector: EMPTY, states: [] };
  return [OPENED, at.channelId, at.subscriptionId, updates, version, 'h1', [], true, 0, null, state];
}

const submitsOf = (owner: Owner) =>
  owner.heard.flatMap((message) => (message[0] === SUBMIT ? [message] : []));

/** A made-up update, which only an owner would look into. */
const update = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);

test('YWS-3 messages wait for the user and for the document, in their order, and step 2 comes last', async () => {
  const { identity, letIn } = slowIdentity();
  const { owner, connectYjs, gateway } = start(identity);
  const client = connectYjs();
  client.send(updateBody(update(1)));
  client.send(step1Body(EMPTY));
  client.send(step2Body(update(2)));
  assert.equal(owner.opens.length, 0);
  letIn();
  await until(() => owner.opens.length === 1);
  assert.deepEqual(owner.submits, []);
  gateway.messages(owner, [openedBy(owner, [update(3), update(4)])]);
  assert.deepEqual(
    submitsOf(owner).map(([, , , seq, , [encoding, bytes]]) => [seq, encoding, bytes.length]),
    [
      [1, UPDATE_OP, 1],
      [2, SYNC_OP, 2],
    ],
  );
  const types = [Buffer.of(0, 2, 3), Buffer.of(0, 1, 4), Buffer.of(0, 0, 1)];
  const places = types.map((type) => client.bytes().indexOf(type));
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
  );
  assert.ok(places.every((at) => at >= 0));
});

test('updates beyond limits.inflight wait, without being refused, until earlier ones have an answer', () => {
  const { owner, open, gateway } = start();
  const client = open();
  for (let i = 0; i < LIMITS.inflight + 10; i++) client.send(updateBody(update(1)));
  assert.equal(owner.submits.length, LIMITS.inflight);
  const subscription = owner.opens.at(-1)?.subscriptionId ?? 0;
  gateway.messages(owner, [
    [COMMIT, owner.channelId, 2, null, null, [subscription, 1, subscription, 2], [update(1)]],
  ]);
  assert.equal(owner.submits.length, LIMITS.inflight + 2);
  gateway.messages(owner, [[ACK, owner.channelId, subscription, 3, 2]]);
  assert.deepEqual(owner.submits.slice(-2), [LIMITS.inflight + 2, LIMITS.inflight + 3]);
  assert.equal(client.closeCode(), undefined);
});

test('YWS-7 a malformed message that was held ends its own client, and the others go on', () => {
  const { owner, open, gateway, tick, broken } = start();
  const [client, other] = [open(), open()];
  const [{ subscriptionId = 0 } = {}] = owner.opens;
  client.send(awarenessBody(writeAwareness([{ yjsClient: 1, clock: 1, text: '{}' }])));
  for (let i = 0; i < LIMITS.inflight + 1; i++) client.send(updateBody(update(1)));
  client.send(awarenessBody(writeAwareness([{ yjsClient: 1, clock: 2, text: 'no JSON' }])));
  gateway.messages(owner, [[COMMIT, owner.channelId, 1, null, null, [subscriptionId, 1], [update(1)]]]);
  tick(10_000);
  assert.equal(client.closeCode(), 4400);
  assert.equal(other.closeCode(), undefined);
  assert.deepEqual(broken, []);
});

/** An identity whose answer the test gives. */
function slowIdentity() {
  let letIn: (user: typeof EVERYONE) => void = () => undefined;
  const identity: Identity = {
    identify: () =>
      new Promise((resolve) => {
        letIn = resolve;
      }),
    renew: async (user) => user,
  };
  return { identity, letIn: () => letIn(EVERYONE) };
}

test('a client of which too much is held while its user is looked up ends with 1013', () => {
  const { owner, connectYjs, tick } = start(slowIdentity().identity);
  const client = connectYjs();
  for (let i = 0; i < 12; i++) client.send(updateBody(update(60 * KiB)));
  tick(10_000);
  assert.equal(client.closeCode(), 1013);
  assert.deepEqual(owner.heard, []);
  assert.equal(client.bytes().length, 0);
});

test('a socket is read again when its user is known, because its step 1 may be still to come', async () => {
  const { identity, letIn } = slowIdentity();
  const { owner, connectYjs } = start(identity);
  const client = connectYjs();
  client.send(updateBody(update(60 * KiB)));
  client.send(updateBody(update(60 * KiB)));
  assert.equal(client.isPaused(), true);
  letIn();
  await until(() => !client.isPaused());
  client.send(step1Body(EMPTY));
  await until(() => owner.opens.length === 1);
  assert.equal(client.closeCode(), undefined);
});

test('a client whose user is known, and that sends much in place of a step 1, ends with 1013', () => {
  const { owner, connectYjs, tick } = start();
  const client = connectYjs();
  client.send(updateBody(update(60 * KiB)));
  client.send(updateBody(update(60 * KiB)));
  assert.equal(client.isPaused(), false);
  tick(10_000);
  assert.equal(client.closeCode(), 1013);
  assert.deepEqual(owner.heard, []);
});

test('YWS-8 a user without a right is told before any step 1', async () => {
  const { owner, connectYjs, tick } = start({
    identify: async () => ({ ...EVERYONE, roleIn: () => undefined }),
    renew: async (user) => user,
  });
  const client = connectYjs();
  await until(() => {
    tick(1);
    return client.bytes().length > 0;
  });
  assert.ok(client.bytes().includes(Buffer.of(2, 0)));
  tick(10_000);
  assert.equal(client.closeCode(), 4403);
  assert.deepEqual(owner.heard, []);
});

test('YWS-6 an update above the largest ends with 1009, one that may come later with 1013', () => {
  for (const [bytes, code] of [
    [UPDATE_BYTES + 1, 1009],
    [1, 1013],
  ] as const) {
    const { owner, open, gateway, tick } = start();
    const client = open();
    client.send(updateBody(update(bytes)));
    const subscription = owner.opens.at(-1)?.subscriptionId ?? 0;
    if (code === 1013)
      gateway.messages(owner, [[REFUSED, owner.channelId, subscription, 1, 'overloaded', 'later']]);
    else assert.deepEqual(owner.submits, []);
    tick(10_000);
    assert.equal(client.closeCode(), code);
  }
});

test('YWS-6 an update that added nothing, and whose seq another owner does not know any more, ends with 1013 and no denial', () => {
  const { owner, open, gateway, place, lose, tick } = start();
  const client = open();
  client.send(step2Body(EMPTY));
  client.send(updateBody(update(9)));
  assert.deepEqual(owner.submits, [1, 2]);
  lose([shardOf(DOC)], owner);
  const next = new Owner();
  place([shardOf(DOC)], next);
  gateway.messages(next, [openedBy(next)]);
  assert.deepEqual(next.submits, [1, 2]);
  const subscription = next.opens.at(-1)?.subscriptionId ?? 0;
  gateway.messages(next, [
    [REFUSED, next.channelId, subscription, 1, 'seq-used', 'a higher seq has committed'],
  ]);
  assert.ok(!client.bytes().includes(Buffer.from('a higher seq has committed')));
  tick(10_000);
  assert.equal(client.closeCode(), 1013);
});

test('a change of owner is hidden: updates that were missed come, and updates under way are sent again', () => {
  const { owner, open, gateway, place, lose } = start();
  const client = open();
  client.send(updateBody(update(9)));
  lose([shardOf(DOC)], owner);
  client.send(updateBody(update(8)));
  const next = new Owner();
  place([shardOf(DOC)], next);
  const [again] = next.opens;
  assert.deepEqual(
    [again?.request.since, again?.request.resume, again?.request.vector],
    [0, true, undefined],
  );
  assert.deepEqual(next.submits, []);
  gateway.messages(next, [openedBy(next, [update(5)], 1)]);
  assert.deepEqual(next.submits, [1, 2]);
  assert.ok(client.bytes().includes(Buffer.of(0, 2, 5, 7, 7, 7, 7, 7)));
  assert.equal(
    client.bytes().lastIndexOf(Buffer.of(0, 1, 2, 0, 0)),
    client.bytes().indexOf(Buffer.of(0, 1, 2, 0, 0)),
  );
  assert.equal(client.closeCode(), undefined);
});

test('a reader that stands still is closed with 4508, and the others get every commit', () => {
  const { owner, open, gateway } = start();
  const [slow, other] = [open(), open()];
  slow.stopReading();
  for (let version = 1; version <= 12; version++)
    gateway.messages(owner, [[COMMIT, owner.channelId, version, null, null, [], [update(200 * KiB)]]]);
  assert.equal(slow.closeCode(), 4508);
  assert.equal(other.closeCode(), undefined);
  assert.ok(other.bytes().length > 12 * 200 * KiB);
});
