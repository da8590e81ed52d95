// Presence for readers that did not keep up for a while: the newest states come late, but they come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATES } from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { CLOSE_CODES } from '../../../protocol/errors.ts';
import { websocketFrame } from '../../../protocol/websocket-frame.ts';
import { CLIENTS_KEPT } from '../../../src/gateway/subscriptions/missed-presence.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

const KiB = 1024;
const DOC = 'acme/plan';
const snapshot = websocketFrame(
  Buffer.from(JSON.stringify({ type: 'opened', pad: 'x'.repeat(300 * KiB) })),
  false,
);

/** Two readers. One of them stands still with a snapshot in front of it. */
function start() {
  const { connect, gateway, place, tick, timers } = startGateway();
  const owner = new Owner();
  place([shardOf(DOC)], owner);
  const [slow, other] = [connect('client-slow'), connect('client-other')];
  slow.stopReading();
  for (const client of [slow, other]) {
    client.send({ type: 'open', doc: DOC });
    gateway.messages(owner, [opened(owner.opens.at(-1), 0, client === slow ? [snapshot] : [])]);
  }
  // The snapshot's turn is over.
  tick(1000);
  const states = (...told: (string | null)[]): void =>
    gateway.messages(owner, [[STATES, owner.channelId, told]]);
  const told = (client: typeof slow) => client.answers('presence').map((frame) => frame.states);
  return { slow, other, states, told, tick, timers, gateway, owner };
}

test('PRES-3 a reader that was slow is told the newest states, also of clients that are gone', async () => {
  const { slow, other, states, told, tick, timers } = start();
  const before = timers();
  states('client-1', '1', 'client-2', '1');
  states('client-1', '2', 'client-slow', '"own"');
  states('client-2', null);
  assert.deepEqual(told(other), [
    { 'client-1': 1, 'client-2': 1 },
    { 'client-1': 2, 'client-slow': 'own' },
    { 'client-2': null },
  ]);
  tick(1000);
  assert.deepEqual(told(slow), [], 'it does not keep up yet');
  await slow.readOn();
  states('client-3', '3');
  assert.deepEqual(told(slow), [], 'newer states do not overtake those that it has missed');
  tick(1000);
  assert.deepEqual(told(slow), [{ 'client-1': 2, 'client-2': null, 'client-3': 3 }]);
  states('client-3', '4');
  assert.deepEqual(told(slow).at(-1), { 'client-3': 4 });
  tick(1000);
  assert.equal(told(slow).length, 2, 'nothing is told twice');
  assert.equal(timers(), before, 'nothing waits');
});

test('PRES-3 a slow reader that leaves is forgotten', async () => {
  const { slow, states, told, tick, timers } = start();
  const before = timers();
  states('client-1', '1');
  slow.send({ type: 'close', doc: DOC });
  tick(1000);
  await slow.readOn();
  assert.deepEqual(told(slow), []);
  assert.equal(timers(), before);
});

test('PRES-3 a reader that has missed more clients than are kept opens the document again', async (t) => {
  const { slow, other, states, told, tick } = start();
  // This socket was never connected, so there is nothing to close.
  const closed = t.mock.method(slow.session.socket, 'close', () => undefined);
  for (let n = 0; n <= CLIENTS_KEPT; n++) states(`client-${n}`, '1');
  await slow.readOn();
  tick(1000);
  assert.deepEqual(told(slow), []);
  assert.deepEqual(closed.mock.calls[0]?.arguments, [CLOSE_CODES.draining, 'open again']);
  assert.equal(other.session.closed, false);
});
