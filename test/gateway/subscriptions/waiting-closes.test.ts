// Closes that come directly behind an open or a submit, at a gateway whose owners and time the test controls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ACK,
  CLOSE,
  CLOSED,
  COMMIT,
  OPEN,
  OPEN_FAILED,
  PRESENCE,
  REFUSED,
  SUBMIT,
} from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { EVERYONE } from '../../../src/identity/user.ts';
import { until } from '../../support/until.ts';
import { type Answer, Owner, opened, startGateway } from '../fake-owners.ts';

const DOC = 'acme/plan';
const HERE = [shardOf(DOC)];
const OWNER_WAIT_MS = 1_000;

function start(options: Parameters<typeof startGateway>[0] = {}) {
  const started = startGateway({ ownerWaitMs: OWNER_WAIT_MS, ...options });
  const owner = new Owner();
  started.place(HERE, owner);
  const client = started.connect('client-1');
  /** The owner answers the last open. */
  const answerOpen = (by = owner): void => started.gateway.messages(by, [opened(by.opens.at(-1))]);
  const open = (): void => {
    client.send({ type: 'open', doc: DOC });
    answerOpen();
  };
  const close = (id: number | string): void => client.send({ type: 'close', doc: DOC, id });
  const sent = (by = owner): number[] => by.heard.map(([type]) => type);
  const subscriptionId = (by = owner): number => by.opens.at(-1)?.subscriptionId ?? 0;
  /** Time passes until the gateway has nothing to do at once. */
  const settle = (): void => started.tick(0);
  const told = (): string[] => client.all().flatMap((m) => (m.type === 'welcome' ? [] : [wordOf(m)]));
  return { ...started, owner, client, open, answerOpen, close, sent, subscriptionId, settle, told };
}

const wordOf = ({ type, code, id, seq }: Answer): string =>
  [type, code, id, seq].filter((part) => part !== undefined).join(' ');

test('CLOSE-1 a close waits for the answers to the submits before it', () => {
  for (const [kind, word] of [
    ['ack', 'ack 1'],
    ['reject', 'reject bad-op 1'],
    ['open', 'error overloaded 1'],
  ] as const) {
    const { client, owner, open, close, sent, subscriptionId, settle, told, gateway } = start();
    open();
    client.submit(DOC, 1);
    close('c');
    settle();
    assert.deepEqual(sent(), [OPEN, SUBMIT]);
    assert.deepEqual(told(), []);
    const at = [owner.channelId, subscriptionId(), 1] as const;
    gateway.messages(owner, [
      kind === 'ack' ? [ACK, ...at, 1] : [REFUSED, ...at, kind === 'reject' ? 'bad-op' : 'overloaded', 'no'],
    ]);
    settle();
    assert.deepEqual(sent(), [OPEN, SUBMIT, CLOSE]);
    assert.deepEqual(told(), [word, 'closed c']);
    assert.equal(client.session.unansweredBytes, 0);
    assert.equal(gateway.documents, 0);
  }
});

test('CLOSE-1 the author of the last submit gets its commit before closed', () => {
  const { client, owner, open, close, subscriptionId, settle, told, gateway } = start();
  open();
  for (const seq of [1, 2]) client.submit(DOC, seq);
  close('c');
  for (const seq of [1, 2]) {
    const text = `{"type":"commit","seq":${seq}}`;
    const frame = Buffer.from([0x81, text.length, ...Buffer.from(text)]);
    gateway.messages(owner, [[COMMIT, owner.channelId, seq, frame, null, [subscriptionId(), seq]]]);
    settle();
    assert.deepEqual(told(), ['commit 1', 'commit 2', 'closed c'].slice(0, seq === 1 ? 1 : 3));
  }
});

test('CLOSE-1 an open with its close directly behind is opened, and then closed', () => {
  const { client, owner, answerOpen, close, sent, settle, gateway, timers } = start();
  client.send({ type: 'open', doc: DOC });
  client.submit(DOC, 1);
  close('c');
  settle();
  assert.deepEqual([sent(), client.answers('closed')], [[OPEN, SUBMIT], []]);
  answerOpen();
  settle();
  assert.deepEqual([sent(), client.answers('closed')], [[OPEN, SUBMIT], []]);
  gateway.messages(owner, [[ACK, owner.channelId, owner.opens[0]?.subscriptionId ?? 0, 1, 1]]);
  settle();
  assert.deepEqual(sent(), [OPEN, SUBMIT, CLOSE]);
  assert.equal(client.answers('closed')[0]?.id, 'c');
  assert.deepEqual([gateway.documents, timers()], [0, 0]);
});

test('CLOSE-1 behind an open that fails, the document is not open, as if the close had come later', () => {
  const { client, owner, close, settle, told, gateway, subscriptionId } = start();
  client.send({ type: 'open', doc: DOC, id: 'o' });
  close('c');
  gateway.messages(owner, [[OPEN_FAILED, owner.channelId, subscriptionId(), 'not-found', 'no']]);
  settle();
  assert.deepEqual(told(), ['error not-found o', 'error not-open c']);
  assert.equal(client.session.waiting, undefined);
});

test('CLOSE-1 a second open of an open document is answered before the close, also when it fails', () => {
  for (const fails of [true, false]) {
    const { client, owner, open, answerOpen, close, settle, told, gateway, subscriptionId } = start();
    open();
    client.send({ type: 'open', doc: DOC, id: 'again' });
    client.submit(DOC, 1);
    close('c');
    const at = subscriptionId();
    if (fails) gateway.messages(owner, [[OPEN_FAILED, owner.channelId, at, 'wrong-kind', 'no']]);
    else answerOpen();
    settle();
    assert.deepEqual(client.answers('closed'), []);
    const first = owner.opens[0]?.subscriptionId ?? 0;
    gateway.messages(owner, [[ACK, owner.channelId, fails ? first : at, 1, 1]]);
    settle();
    assert.deepEqual(told(), [...(fails ? ['error wrong-kind again'] : []), 'ack 1', 'closed c']);
    assert.equal(gateway.documents, 0);
  }
});

test('CLOSE-1 messages behind a close that waits keep their order, and other documents go on', () => {
  const { client, owner, open, answerOpen, close, sent, settle, told, gateway, subscriptionId } = start();
  open();
  client.submit(DOC, 1);
  close('c');
  client.submit(DOC, 2);
  client.send({ type: 'open', doc: DOC, id: 'again' });
  client.submit(DOC, 3);
  close('d');
  client.send({ type: 'presence', doc: DOC, data: 1, id: 'p' });
  close('e');
  client.send({ type: 'ping', id: 'ping', doc: DOC });
  assert.deepEqual(told(), ['pong ping']);
  gateway.messages(owner, [[ACK, owner.channelId, subscriptionId(), 1, 1]]);
  settle();
  assert.deepEqual(told().slice(1), ['ack 1', 'closed c', 'error not-open 2']);
  assert.deepEqual(sent(), [OPEN, SUBMIT, CLOSE, OPEN, SUBMIT]);
  answerOpen();
  gateway.messages(owner, [[ACK, owner.channelId, subscriptionId(), 3, 2]]);
  settle();
  assert.deepEqual(told().slice(4), ['ack 3', 'closed d', 'error not-open p', 'error not-open e']);
  assert.deepEqual([gateway.documents, client.session.waiting], [0, undefined]);
});

test('CLOSE-1 PRES-4 the presence ends when the close comes, not when it is carried out', () => {
  const { client, owner, open, close, settle } = start();
  open();
  client.send({ type: 'presence', doc: DOC, data: 1 });
  client.submit(DOC, 1);
  close('c');
  settle();
  const presence = owner.heard.flatMap((message) => (message[0] === PRESENCE ? [message[3]] : []));
  assert.deepEqual(presence, ['1', null]);
  assert.equal(client.session.hasPresence, false);
});

test('CLOSE-1 a subscription that ends for another reason meanwhile leaves nothing behind', () => {
  for (const code of ['deleted', 'replaced'] as const) {
    const { client, owner, open, close, settle, told, gateway, subscriptionId, timers } = start();
    open();
    client.submit(DOC, 1);
    close('c');
    gateway.messages(owner, [[CLOSED, owner.channelId, subscriptionId(), code]]);
    settle();
    assert.deepEqual(told(), [`closed ${code}`, 'error not-open c']);
    assert.deepEqual([client.session.waiting, client.session.unansweredBytes], [undefined, 0]);
    assert.deepEqual([gateway.documents, timers()], [0, 0]);
  }
});

test('CLOSE-1 AUTH-7 a close that waits when the right is lost is answered', async () => {
  let role: 'editor' | undefined = 'editor';
  const identity = {
    identify: async (sub = '') => ({ ...EVERYONE, sub, roleIn: () => role }),
    renew: async () => assert.fail('no session'),
  };
  const started = startGateway({ identity });
  const owner = new Owner();
  started.place(HERE, owner);
  const client = started.connect('client-1', 'ada');
  await until(() => client.answers('welcome').length === 1);
  client.send({ type: 'open', doc: DOC });
  started.gateway.messages(owner, [opened(owner.opens[0])]);
  client.submit(DOC, 1);
  client.send({ type: 'close', doc: DOC, id: 'c' });
  role = undefined;
  client.send({ type: 'hello', client: 'client-1', token: 'ada' });
  await until(() => client.answers('welcome').length === 2);
  started.tick(0);
  assert.deepEqual(client.all().slice(2).map(wordOf), ['closed forbidden', 'error not-open c']);
  assert.deepEqual([started.gateway.documents, started.timers()], [0, 0]);
});

test('CLOSE-1 a close waits through a change of owner, and for the end of the wait for one', () => {
  for (const comes of [true, false]) {
    const { client, owner, open, answerOpen, close, settle, told, gateway, lose, place, tick, sent, timers } =
      start();
    open();
    client.submit(DOC, 1);
    close('c');
    lose(HERE, owner);
    settle();
    assert.deepEqual(told(), []);
    if (comes) {
      const next = new Owner();
      place(HERE, next);
      answerOpen(next);
      assert.deepEqual(sent(next), [OPEN, SUBMIT]);
      gateway.messages(next, [[ACK, next.channelId, next.opens[0]?.subscriptionId ?? 0, 1, 1]]);
      settle();
      assert.deepEqual(sent(next), [OPEN, SUBMIT, CLOSE]);
    } else tick(OWNER_WAIT_MS);
    assert.deepEqual(told(), [comes ? 'ack 1' : 'error unavailable 1', 'closed c']);
    assert.deepEqual([gateway.documents, timers()], [0, 0]);
  }
});

test('CLOSE-1 an open that no owner takes is answered before its close', () => {
  const { client, owner, close, lose, tick, told, gateway, timers } = start();
  lose(HERE, owner);
  client.send({ type: 'open', doc: DOC, id: 'o' });
  client.submit(DOC, 1);
  close('c');
  tick(OWNER_WAIT_MS);
  assert.deepEqual(told(), ['error unavailable 1', 'error unavailable o', 'error not-open c']);
  assert.deepEqual([gateway.documents, timers()], [0, 0]);
});

test('CLOSE-1 a socket that goes away takes its waiting close along', () => {
  const { client, owner, open, close, settle, sent, gateway, timers, subscriptionId, told } = start();
  open();
  client.submit(DOC, 1);
  close('c');
  client.send({ type: 'open', doc: DOC });
  gateway.disconnected(client.session);
  assert.deepEqual(sent(), [OPEN, SUBMIT, CLOSE]);
  gateway.messages(owner, [[ACK, owner.channelId, subscriptionId(), 1, 1]]);
  settle();
  assert.deepEqual(told(), []);
  assert.deepEqual([gateway.documents, gateway.subscriptions, timers()], [0, 0, 0]);
  assert.equal(client.session.waiting, undefined);
});

test('CLOSE-1 more behind a waiting close than a socket may have waiting closes the socket', () => {
  const { client, open, close } = start();
  open();
  client.submit(DOC, 1);
  close('c');
  for (let i = 0; i < 5; i++) client.send({ type: 'presence', doc: DOC, data: 'x'.repeat(500_000) });
  assert.equal(client.closeCode(), 1013);
});

test('OPEN-10 a document whose close waits counts as open once', () => {
  const { client, owner, open, close, gateway } = start();
  open();
  client.submit(DOC, 1);
  close('c');
  for (let i = 1; i < 100; i++) client.send({ type: 'open', doc: `acme/d${i}` });
  client.send({ type: 'open', doc: 'acme/more', id: 'more' });
  assert.deepEqual(
    client.answers('error').map(({ code, id }) => [code, id]),
    [['overloaded', 'more']],
  );
  assert.equal(gateway.documents, 100);
  assert.equal(owner.opens.length, 1);
});
