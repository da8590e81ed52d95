// A gateway's state of documents and sockets: the sockets that read a document, and the document that a
// socket edits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACK, REFUSED, type ToGateway } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import type { ClientConnection } from '../../../src/gateway/client-connection.ts';
import { Channel } from '../../../src/gateway/subscriptions/channel.ts';
import { Subscription } from '../../../src/gateway/subscriptions/subscription.ts';
import { heapBytes } from '../../support/heap.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

test('a subscription that leaves reads no more, and all others do', () => {
  const channel = new Channel('acme/plan', 1, 1);
  const all = ['a', 'b', 'c', 'd'].map((name) => {
    const connection = { client: name } as ClientConnection;
    return subscriptionOf(connection, channel);
  });
  const readers = (): string =>
    channel.readers
      .map(({ client }) => client)
      .sort()
      .join('');
  for (const each of all) channel.join(each);
  for (const [place, left] of [
    [1, 'acd'],
    [3, 'ac'],
    [0, 'c'],
    [2, ''],
  ] as const) {
    const leaver = all[place];
    assert.ok(leaver);
    channel.leave(leaver);
    channel.leave(leaver);
    assert.equal(readers(), left);
  }
});

test('a document that was closed and opened again is edited through its new subscription', () => {
  const started = startGateway();
  const owner = new Owner();
  started.place([shardOf('acme/plan'), shardOf('acme/other')], owner);
  const client = started.connect('client-1');
  const open = (doc: string): number => {
    client.send({ type: 'open', doc });
    const at = owner.opens.at(-1);
    assert.ok(at);
    started.gateway.messages(owner, [opened(at, 0)]);
    return at.subscriptionId;
  };
  const subOfLast = (): unknown => owner.heard.at(-1)?.[2];
  const first = open('acme/plan');
  client.submit('acme/plan', 1);
  assert.equal(subOfLast(), first);
  started.gateway.messages(owner, [[ACK, owner.channelId, first, 1, 1]]);
  client.send({ type: 'close', doc: 'acme/plan' });
  client.submit('acme/plan', 2);
  assert.equal(client.answers('error').at(-1)?.code, 'not-open');
  const second = open('acme/plan');
  assert.notEqual(second, first);
  client.submit('acme/plan', 3);
  assert.equal(subOfLast(), second);
  const other = open('acme/other');
  client.submit('acme/other', 1);
  assert.equal(subOfLast(), other);
  client.submit('acme/plan', 4);
  assert.equal(subOfLast(), second);
  const again = open('acme/plan');
  client.submit('acme/plan', 5);
  assert.equal(subOfLast(), again, 'also where it was still open');
  client.submit('', 1);
  assert.equal(client.answers('error').at(-1)?.code, 'bad-name');
});

test('the gateway keeps nothing of a text that is no document name', () => {
  const { connect } = startGateway();
  const clients = Array.from({ length: 20 }, (_, n) => connect(`client-${n + 10}`));
  const before = heapBytes();
  for (const client of clients) client.submit(`${'z'.repeat(500_000)}${client.session.client}`, 1);
  const kept = heapBytes() - before;
  assert.ok(kept < 2_000_000, `${kept} bytes are kept`);
  for (const client of clients) assert.equal(client.answers('error').at(-1)?.code, 'bad-name');
});

test('a subscription and the ownership of a channel make legal moves only', () => {
  const channel = new Channel('acme/plan', 1, 1);
  const subscription = subscriptionOf({} as ClientConnection, channel);
  subscription.setMode('catching-up');
  subscription.setMode('joined');
  assert.throws(() => subscription.setMode('joined'), /from joined to joined/);
  assert.throws(() => subscription.setMode('opening'), /from joined to opening/);
  subscription.setMode('resuming');
  assert.throws(() => subscription.setMode('catching-up'), /from resuming to catching-up/);
  const link = new Owner();
  assert.throws(() => channel.setOwnership({ mode: 'waiting' }), /from waiting to waiting/);
  const backingOff = { mode: 'backing-off', link, cancel: () => undefined } as const;
  assert.throws(() => channel.setOwnership(backingOff), /from waiting to backing-off/);
  channel.setOwnership({ mode: 'linked', link });
  channel.setOwnership(backingOff);
  assert.throws(() => channel.setOwnership(backingOff), /from backing-off to backing-off/);
});

test('ORDER-1 an owner that answers against the rules ends one subscription, and the others go on', (t) => {
  const started = startGateway();
  const owner = new Owner();
  started.place([shardOf('acme/plan')], owner);
  const [first, second] = ['client-1', 'client-2'].map((name) => {
    const client = started.connect(name);
    client.send({ type: 'open', doc: 'acme/plan' });
    started.gateway.messages(owner, [opened(owner.opens.at(-1), 3)]);
    const closed = t.mock.method(client.session.socket, 'close', () => undefined);
    return { client, closed };
  });
  assert.ok(first && second);
  const [mine, others] = owner.opens;
  // The first is joined, so its document cannot be opened once more.
  started.gateway.messages(owner, [opened(mine, 3), refusal(mine, 7), refusal(others, 8)]);
  assert.equal(first.closed.mock.calls[0]?.arguments[0], CLOSE_CODES.draining);
  assert.match(started.broken.join(), /client-1.*from joined to joined/);
  assert.equal(started.broken.length, 1);
  assert.deepEqual(first.client.answers('reject'), []);
  assert.equal(second.client.answers('reject').at(-1)?.seq, 8);
  assert.equal(second.closed.mock.callCount(), 0);
});

function subscriptionOf(connection: ClientConnection, channel: Channel): Subscription {
  return new Subscription({ connection, channel, askedAt: 0, role: 'owner', request: {}, before: undefined });
}

const refusal = (at: { channelId: number; subscriptionId: number } | undefined, seq: number): ToGateway => [
  REFUSED,
  at?.channelId ?? 0,
  at?.subscriptionId ?? 0,
  seq,
  'bad-op',
  'refused',
];
