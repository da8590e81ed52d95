// Owners come, go and refuse, and the gateway hides it: clients see no more than a pause. Over 400 lines,
// because the ways to lose an owner are read as one list.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CLOSE,
  COMMIT,
  NOT_OWNER,
  OPEN_FAILED,
  OPENED,
  PRESENCE,
  RESET,
  STATES,
  type ToGateway,
} from '../../../actors/link/link-messages.ts';
import { shardOf } from '../../../actors/shard.ts';
import { websocketFrame } from '../../../protocol/websocket-frame.ts';
import { Owner, opened, startGateway } from '../fake-owners.ts';

const DOC = 'acme/plan';
const SHARD = shardOf(DOC);
const HERE = [SHARD];
const ELSEWHERE = [(SHARD + 1) % 4096];
const frame = (message: object) => websocketFrame(Buffer.from(JSON.stringify(message)), false);
const commit = (version: number) =>
  frame({ type: 'commit', doc: DOC, version, ops: [{ client: 'other', seq: version, op: [] }] });

/** The answer to the last open, whose frame shows the presence of these clients. */
const showing = (owner: Owner, present: readonly string[]): ToGateway => {
  const at = owner.opens.at(-1);
  assert.ok(at, 'an open');
  return [OPENED, at.channelId, at.subscriptionId, [], 0, 'h', [], true, 0, null, null, present];
};

/** A gateway with one owner, at which these clients have the document open. */
function withOpen(options: Parameters<typeof startGateway>[0], ...names: string[]) {
  const started = startGateway(options);
  const owner = new Owner();
  started.place(HERE, owner);
  const clients = names.map((name) => started.connect(name));
  for (const client of clients) client.send({ type: 'open', doc: DOC });
  started.gateway.messages(
    owner,
    owner.opens.map((at) => opened(at)),
  );
  return { ...started, owner, clients };
}

test('ORDER-1 a document that starts over is resumed once, also when an owner comes meanwhile', () => {
  const { gateway, owner, tick } = withOpen({}, 'client-1');
  gateway.messages(owner, [[RESET, owner.channelId]]);
  // Another worker of the node has come back.
  gateway.changed();
  gateway.changed(HERE);
  assert.equal(owner.opens.length, 1, 'it comes back before its time');
  tick(50);
  gateway.messages(owner, [opened(owner.opens[1])]);
  gateway.messages(owner, [[COMMIT, owner.channelId, 1, commit(1), null, []]]);
  gateway.changed();
  tick(60_000);
  assert.equal(owner.opens.length, 2, 'an open with a since that has been passed brings commits twice');
});

test('SUBMIT-5 a commit goes to its author first, and to each reader once', () => {
  const { gateway, owner, clients, writes } = withOpen({}, 'client-1', 'client-2', 'client-3');
  const author = owner.opens[2]?.subscriptionId ?? 0;
  clients[2]?.submit(DOC, 1);
  writes.length = 0;
  gateway.messages(owner, [[COMMIT, owner.channelId, 1, commit(1), null, [author, 1]]]);
  assert.equal(writes[0], clients[2]?.session);
  assert.deepEqual(
    clients.map(({ session }) => writes.filter((each) => each === session).length),
    [1, 1, 1],
  );
});

test('a document that its owner drops again and again comes back less and less often', () => {
  const { gateway, owner, tick } = withOpen({}, 'client-1');
  gateway.messages(owner, [[RESET, owner.channelId]]);
  for (const [delay, opens] of [
    [37, 1],
    [1, 2],
    [74, 2],
    [1, 3],
  ] as const) {
    tick(delay);
    assert.equal(owner.opens.length, opens);
    if (delay === 1) gateway.messages(owner, [[RESET, owner.channelId]]);
  }
  tick(5000);
  assert.equal(owner.opens.length, 4);
});

test('ORDER-1 SUBMIT-4 a shard that has moved is resumed at the new owner at once, and the old one does not count', () => {
  const { gateway, owner, place, clients } = withOpen({}, 'client-1', 'client-2');
  const [a, b] = clients;
  assert.ok(a && b);
  a.send({ type: 'presence', doc: DOC, data: 'here' });
  const old = owner.channelId;
  gateway.messages(owner, [[COMMIT, old, 1, commit(1), null, []]]);
  for (const seq of [1, 2]) a.submit(DOC, seq);
  const next = new Owner();
  place(HERE, next);
  gateway.messages(owner, [[COMMIT, old, 2, commit(2), null, []]]);
  gateway.messages(owner, [[RESET, old]]);
  assert.deepEqual(
    next.opens.map(({ request }) => [request.client, request.since, request.resume]),
    [
      ['client-1', 1, true],
      ['client-2', 1, true],
    ],
  );
  a.submit(DOC, 3);
  gateway.messages(
    next,
    next.opens.map((at) => opened(at, 2, [commit(2)])),
  );
  assert.deepEqual(next.submits, [1, 2, 3]);
  assert.ok(next.heard.some((m) => m[0] === PRESENCE && m[3] === '"here"'));
  for (const client of [a, b]) {
    assert.deepEqual(
      client.answers('commit').map((m) => m.version),
      [1, 2],
    );
    assert.deepEqual(client.answers('error'), []);
  }
  assert.deepEqual(
    owner.heard.flatMap((m) => (m[0] === CLOSE ? [m[2]] : [])),
    owner.opens.map(({ subscriptionId }) => subscriptionId),
    'an owner that lives on keeps nobody',
  );
});

test('ORDER-1 a change tells of its shards only, and one without a change disturbs nobody', () => {
  const { gateway, owner, router, place } = withOpen({}, 'client-1');
  const next = new Owner();
  place(ELSEWHERE, next);
  gateway.changed();
  gateway.changed(HERE);
  router.setOwner(HERE, next);
  gateway.changed(ELSEWHERE);
  assert.deepEqual([owner.heard.length, next.heard.length], [1, 0]);
  gateway.changed(HERE);
  assert.equal(next.opens.length, 1);
});

test('ORDER-1 a subscription that is suspended while the shard has no owner is resumed when there is one', () => {
  const { gateway, owner, place, clients } = withOpen({}, 'client-1');
  const old = owner.channelId;
  place(HERE, undefined);
  gateway.messages(owner, [[COMMIT, old, 1, commit(1), null, []]]);
  clients[0]?.submit(DOC, 1);
  const next = new Owner();
  place(HERE, next);
  gateway.messages(next, [opened(next.opens[0], 1, [commit(1)])]);
  assert.deepEqual(next.opens[0]?.request.since, 0);
  assert.deepEqual(next.submits, [1]);
  assert.equal(clients[0]?.answers('commit').length, 1);
});

for (const [name, tag] of [
  ['RESET', RESET],
  ['NOT_OWNER', NOT_OWNER],
] as const) {
  test(`ORDER-1 ${name}: at once to another owner that the router knows already`, () => {
    const { gateway, owner, router } = withOpen({}, 'client-1');
    const next = new Owner();
    router.setOwner(HERE, next);
    gateway.messages(owner, [[tag, owner.channelId]]);
    assert.deepEqual([owner.opens.length, next.opens.length], [1, 1]);
    gateway.changed(HERE);
    assert.equal(next.opens.length, 1, 'and once only');
  });

  test(`ORDER-1 ${name}: waits, and a change of its shard ends the waiting`, () => {
    const { gateway, owner, place, tick, clients } = withOpen({}, 'client-1');
    clients[0]?.submit(DOC, 1);
    gateway.messages(owner, [[tag, owner.channelId]]);
    const next = new Owner();
    place(HERE, next);
    gateway.messages(next, [opened(next.opens[0])]);
    tick(60_000);
    assert.deepEqual([owner.opens.length, next.opens.length], [1, 1]);
    assert.deepEqual(next.submits, [1]);
    assert.deepEqual(clients[0]?.answers('error'), []);
  });

  test(`ORDER-1 ${name}: where there is no owner it asks nobody until there is one`, () => {
    const { gateway, owner, router, place, tick } = withOpen({}, 'client-1');
    router.setOwner(HERE, undefined);
    gateway.messages(owner, [[tag, owner.channelId]]);
    tick(5000);
    assert.equal(owner.opens.length, 1);
    place(HERE, owner);
    assert.equal(owner.opens.length, 2);
  });
}

test('SUBMIT-10 past ownerWaitMs without an owner who waits is told to try again, and later ones at once', () => {
  const { owner, place, lose, tick, connect, clients } = withOpen({ ownerWaitMs: 1000 }, 'client-1');
  const [a] = clients;
  assert.ok(a);
  lose(HERE, owner);
  for (const seq of [1, 2]) a.submit(DOC, seq);
  const b = connect('client-2');
  b.send({ type: 'open', doc: DOC, id: 7 });
  b.submit(DOC, 1);
  tick(999);
  assert.deepEqual([...a.answers('error'), ...b.answers('error')], []);
  tick(1);
  const told = ({ code, retryable, retryAfterMs, seq, id, doc }: ReturnType<typeof a.answers>[number]) => {
    assert.deepEqual([code, retryable, doc], ['unavailable', true, DOC]);
    assert.ok(retryAfterMs !== undefined && retryAfterMs > 0);
    return seq ?? `open ${id}`;
  };
  assert.deepEqual(a.answers('error').map(told), [1, 2]);
  assert.deepEqual(b.answers('error').map(told), [1, 'open 7']);
  assert.equal(a.session.unansweredBytes + b.session.unansweredBytes, 0);
  a.submit(DOC, 1);
  assert.deepEqual(a.answers('error').map(told), [1, 2, 1]);
  b.send({ type: 'open', doc: DOC, id: 8 });
  assert.deepEqual(b.answers('error').map(told), [1, 'open 7', 'open 8']);
  // The open subscription stays, and goes on when an owner comes.
  const next = new Owner();
  place(HERE, next);
  assert.deepEqual(
    next.opens.map(({ request }) => request.client),
    ['client-1'],
  );
  a.submit(DOC, 1);
  tick(60_000);
  assert.equal(a.answers('error').length, 3, 'an owner that is there answers itself');
  b.send({ type: 'open', doc: DOC, id: 9 });
  assert.equal(next.opens.length, 2);
});

test('SUBMIT-10 the wait begins anew once an owner has opened the document', () => {
  const { gateway, owner, place, lose, tick, clients } = withOpen({ ownerWaitMs: 1000 }, 'client-1');
  lose(HERE, owner);
  tick(5000);
  const next = new Owner();
  place(HERE, next);
  gateway.messages(next, [opened(next.opens[0])]);
  lose(HERE, next);
  clients[0]?.submit(DOC, 1);
  tick(999);
  assert.deepEqual(clients[0]?.answers('error'), []);
  tick(1);
  assert.equal(clients[0]?.answers('error').length, 1);
});

test('SUBMIT-10 an owner that will not have the document is no owner: the wait goes on meanwhile', () => {
  const { gateway, owner, tick, clients } = withOpen({ ownerWaitMs: 1000 }, 'client-1');
  const [a] = clients;
  assert.ok(a);
  a.submit(DOC, 1);
  for (let ms = 0; ms < 1000; ms++) {
    assert.deepEqual(a.answers('error'), []);
    gateway.messages(owner, [[NOT_OWNER, owner.channelId]]);
    tick(1);
  }
  assert.deepEqual(
    a.answers('error').map(({ code, seq }) => [code, seq]),
    [['unavailable', 1]],
  );
  assert.equal(owner.opens.length, 5, 'it asks less and less often');
});

test('SUBMIT-10 an owner that has just been asked when the wait ends is heard', () => {
  const { gateway, owner, tick, clients } = withOpen({ ownerWaitMs: 1000 }, 'client-1');
  const [a] = clients;
  assert.ok(a);
  a.submit(DOC, 1);
  gateway.messages(owner, [[NOT_OWNER, owner.channelId]]);
  tick(1000);
  assert.deepEqual(a.answers('error'), []);
  gateway.messages(owner, [opened(owner.opens[1])]);
  assert.deepEqual(owner.submits, [1, 1]);
});

test('ORDER-1 the owner that a channel backs off from is lost: it is resumed at once where the next one is', () => {
  const { gateway, owner, router } = withOpen({}, 'client-1');
  gateway.messages(owner, [[RESET, owner.channelId]]);
  const next = new Owner();
  router.setOwner(HERE, next);
  gateway.lost(owner);
  assert.deepEqual([owner.opens.length, next.opens.length], [1, 1]);
});

test('OPEN-9 an open again that finds no owner leaves what was open', () => {
  const { gateway, owner, place, lose, tick, clients } = withOpen({ ownerWaitMs: 1000 }, 'client-1');
  const [a] = clients;
  assert.ok(a);
  lose(HERE, owner);
  a.submit(DOC, 1);
  a.send({ type: 'open', doc: DOC, id: 2 });
  tick(1000);
  assert.deepEqual(
    a.answers('error').map(({ code, seq, id }) => [code, seq, id]),
    [
      ['unavailable', 1, undefined],
      ['unavailable', undefined, 2],
    ],
  );
  const next = new Owner();
  place(HERE, next);
  assert.deepEqual(
    next.opens.map(({ request }) => request.resume),
    [true],
  );
  a.submit(DOC, 2);
  gateway.messages(next, [opened(next.opens[0])]);
  assert.deepEqual(next.submits, [2]);
});

test('a client that goes while the document has no owner leaves nothing that waits', () => {
  const { gateway, owner, place, lose, timers, clients } = withOpen({}, 'client-1');
  const [a] = clients;
  assert.ok(a);
  gateway.messages(owner, [[RESET, owner.channelId]]);
  assert.equal(timers(), 2);
  lose(HERE, owner);
  a.submit(DOC, 1);
  gateway.disconnected(a.session);
  assert.equal(timers(), 0);
  const next = new Owner();
  place(HERE, next);
  assert.deepEqual(next.heard, []);
});

test('PRES-4 a client that leaves while another client of the document is told to wait is gone at the owner', () => {
  const { gateway, owner, place, lose, tick, clients } = withOpen({}, 'client-1', 'client-2');
  lose(HERE, owner);
  const second = new Owner();
  place(HERE, second);
  const [ofA, ofB] = second.opens;
  assert.ok(ofA && ofB && clients[1]);
  gateway.messages(second, [
    [OPEN_FAILED, ofA.channelId, ofA.subscriptionId, 'unavailable', 'the store is out of reach'],
    opened(ofB),
  ]);
  gateway.disconnected(clients[1].session);
  tick(9000);
  assert.ok(
    second.heard.some((m) => m[0] === CLOSE && m[1] === ofB.channelId && m[2] === ofB.subscriptionId),
    'the owner has it open for ever',
  );
});

test('PRES-4 a client that leaves while the document has no owner is gone for the others', () => {
  const { gateway, owner, place, lose, clients } = withOpen({}, 'client-1', 'client-2');
  const [a, b] = clients;
  assert.ok(a && b);
  a.send({ type: 'presence', doc: DOC, data: 'here' });
  gateway.messages(owner, [[STATES, owner.channelId, ['client-1', '"here"']]]);
  assert.match(b.text(), /"client-1":"here"/);
  lose(HERE, owner);
  gateway.disconnected(a.session);
  const second = new Owner();
  place(HERE, second);
  gateway.messages(second, [opened(second.opens[0])]);
  assert.match(b.text(), /"client-1":null/);
});

test('PRES-4 clients of whom a new owner never tells are gone for readers, 4 s after the loss of the former owner', () => {
  const { gateway, place, lose, connect, tick } = startGateway();
  const first = new Owner();
  place(HERE, first);
  const reader = connect('client-1');
  reader.send({ type: 'open', doc: DOC });
  // The reader's own frame shows these two. The gateway knows them by their names only.
  gateway.messages(first, [showing(first, ['lost-1', 'stays-1'])]);
  gateway.messages(first, [[STATES, first.channelId, ['lost-2', '"b"', 'stays-2', '"c"', 'left', '"d"']]]);
  gateway.messages(first, [[STATES, first.channelId, ['left', null]]]);
  lose(HERE, first);
  tick(700);
  const second = new Owner();
  place(HERE, second);
  gateway.messages(second, [showing(second, ['stays-1'])]);
  gateway.messages(second, [[STATES, second.channelId, ['stays-2', '"c"']]]);
  tick(3_299);
  assert.doesNotMatch(reader.text(), /"lost-[12]":null/);
  tick(1);
  assert.deepEqual(reader.answers('presence').at(-1)?.states, { 'lost-1': null, 'lost-2': null });
  tick(60_000);
  assert.doesNotMatch(reader.text(), /"stays-[12]":null/);
});

test('PRES-4 a new owner has at least 1.5 s to tell of the clients of a former one', () => {
  const { gateway, place, lose, connect, tick } = startGateway();
  const first = new Owner();
  place(HERE, first);
  const reader = connect('client-1');
  reader.send({ type: 'open', doc: DOC });
  gateway.messages(first, [showing(first, ['lost-1'])]);
  lose(HERE, first);
  tick(3_900);
  const second = new Owner();
  place(HERE, second);
  gateway.messages(second, [opened(second.opens[0])]);
  tick(1_000);
  // The second owner ends too, before it could tell of anybody.
  lose(HERE, second);
  tick(3_900);
  const third = new Owner();
  place(HERE, third);
  gateway.messages(third, [opened(third.opens[0])]);
  tick(1_499);
  assert.doesNotMatch(reader.text(), /null/);
  tick(1);
  assert.match(reader.text(), /"lost-1":null/);
});

test('SUBMIT-4 a submit that is sent again meanwhile keeps its place when the owner changes', () => {
  const { gateway, owner, place, lose, clients } = withOpen({}, 'client-1');
  for (const seq of [5, 6, 5]) clients[0]?.submit(DOC, seq);
  lose(HERE, owner);
  const second = new Owner();
  place(HERE, second);
  gateway.messages(second, [opened(second.opens[0])]);
  assert.deepEqual(second.submits, [5, 6]);
});

test('an owner is told which opens an earlier one has been asked for, and which have waited for it', () => {
  const { place, connect, owner } = withOpen({}, 'client-1');
  const again = (at: Owner) => at.opens.map(({ request }) => [request.client, request.again ?? false]);
  assert.deepEqual(again(owner), [['client-1', false]]);
  place(HERE, undefined);
  const late = connect('client-2');
  late.send({ type: 'open', doc: DOC });
  const next = new Owner();
  place(HERE, next);
  assert.deepEqual(again(next), [
    ['client-1', true],
    ['client-2', false],
  ]);
  const last = new Owner();
  place(HERE, last);
  assert.deepEqual(
    again(last).map(([, is]) => is),
    [true, true],
  );
});

test('ERR-6 a document that its owner has taken out of service keeps nobody waiting: each is told when it comes back', () => {
  const { gateway, owner, tick, connect, clients } = withOpen(
    { ownerWaitMs: 10_000 },
    'client-1',
    'client-2',
  );
  const [a, b] = clients;
  assert.ok(a && b);
  const told = (client: typeof a) =>
    client.answers('error').map(({ code, retryable, retryAfterMs = 0, seq, id }) => {
      assert.deepEqual([code, retryable], ['unavailable', true]);
      return [seq ?? `open ${id}`, Math.floor(retryAfterMs / 1000)];
    });
  a.submit(DOC, 1);
  b.submit(DOC, 1);
  gateway.messages(owner, [[RESET, owner.channelId]]);
  tick(100);
  const [, subscriptionId = 0] = owner.opens.slice(-2).map((open) => open.subscriptionId);
  const { channelId } = owner;
  gateway.messages(owner, [
    [OPEN_FAILED, channelId, subscriptionId, 'unavailable', 'out of service', 60_000],
  ]);
  assert.deepEqual(
    [told(a), told(b)],
    [[[1, 60]], [[1, 60]]],
    'also of those whose open is not answered yet',
  );
  tick(10);
  a.submit(DOC, 1);
  const c = connect('client-3');
  c.send({ type: 'open', doc: DOC, id: 7 });
  assert.deepEqual(told(a).at(-1), [1, 60]);
  assert.deepEqual(told(c), [['open 7', 60]]);
  assert.deepEqual([a.session.unansweredBytes, b.session.unansweredBytes], [0, 0]);
  // An operator has released the document: the owner opens it when it is asked again, long before the
  // quarantine would end.
  const asked = owner.opens.length;
  tick(2000);
  assert.equal(owner.opens.length, asked + 2, 'the two who have it open');
  gateway.messages(
    owner,
    owner.opens.slice(-2).map((open) => opened(open)),
  );
  a.submit(DOC, 1);
  assert.equal(owner.submits.at(-1), 1);
  assert.equal(told(a).length, 2);
});

test('SUBMIT-16 ERR-6 a submit that five owners have ended with is left to its client, with those behind it', () => {
  const { owner, place, lose, gateway, clients } = withOpen({}, 'client-1');
  const [a] = clients;
  assert.ok(a);
  a.submit(DOC, 1);
  a.submit(DOC, 2);
  let current = owner;
  for (let end = 1; end <= 5; end++) {
    assert.deepEqual(a.answers('error'), []);
    lose(HERE, current);
    current = new Owner();
    place(HERE, current);
    gateway.messages(current, [opened(current.opens[0])]);
  }
  assert.deepEqual(current.submits, []);
  assert.deepEqual(
    a.answers('error').map(({ code, seq, retryable }) => [code, seq, retryable]),
    [
      ['unavailable', 1, true],
      ['unavailable', 2, true],
    ],
  );
  assert.ok(a.answers('error').every(({ retryAfterMs = 0 }) => retryAfterMs >= 5000));
  a.submit(DOC, 1);
  assert.deepEqual(current.submits, [1], 'sent again, it is tried again');
});
