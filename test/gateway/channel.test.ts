// A gateway's state of documents and sockets: the sockets that read a document, and the document that a
// socket edits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOf } from '../../actors/shard.ts';
import type { ClientConnection } from '../../src/gateway/client-connection.ts';
import { Channel, type Subscription } from '../../src/gateway/subscriptions/channel.ts';
import { heapBytes } from '../support/heap.ts';
import { Owner, opened, startGateway } from './fake-owners.ts';

test('a subscription that leaves reads no more, and all others do', () => {
  const channel = new Channel('acme/plan', 1, 1);
  const all = ['a', 'b', 'c', 'd'].map((name) => {
    const connection = { client: name } as ClientConnection;
    return { connection, channel, index: -1 } as Subscription;
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
