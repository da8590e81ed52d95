// The connection of a client: how it finds, keeps and leaves its server. Over 400 lines, because the rules of
// one connection are read as one list.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TroupeClient, TroupeError } from '../../../client/index.ts';
import { RateGate } from '../../../client/rate.ts';
import { RetryDelay } from '../../../client/retry-delay.ts';
import { Harness, heard } from '../harness.ts';

test('HELLO-1: hello is the first frame, and the client is live once welcomed', () => {
  const h = new Harness();
  const client = h.client();
  const states = heard(client, 'state');
  assert.equal(client.state, 'connecting');
  client.open('acme/a', 'json');
  h.settle();
  assert.equal(client.state, 'live');
  assert.deepEqual(states, ['live']);
  assert.deepEqual(
    h.server.received.slice(0, 2).map((message) => message.type),
    ['hello', 'open'],
  );
});

test('SOCK-2: json is asked for first, and msgpack where a yjs document is open', () => {
  for (const [kind, subprotocol] of [
    ['json', 'troupe.v1.json'],
    ['yjs', 'troupe.v1.msgpack'],
  ] as const) {
    const h = new Harness();
    const client = h.client();
    client.open('acme/a', kind);
    h.settle();
    assert.equal(h.socketOf(client).protocol, subprotocol);
  }
});

test('client ids are random, 16 characters or more, and valid', () => {
  const h = new Harness();
  const ids = new Set(Array.from({ length: 50 }, () => h.client({ offline: true }).id));
  assert.equal(ids.size, 50);
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{16,64}$/);
  assert.throws(() => h.client({ clientId: 'short' }), TypeError);
});

test('options that can never work throw', () => {
  const h = new Harness();
  assert.throws(() => h.client({ urls: [] }), TypeError);
  const client = h.client();
  assert.throws(() => client.open('no slash', 'json'), { code: 'bad-name' });
  client.open('acme/a', 'json');
  assert.throws(() => client.open('acme/a', 'yjs'), { code: 'wrong-kind' });
  for (const readyTimeoutMs of [0, -1, Number.NaN, 2 ** 31]) {
    assert.throws(() => h.client({ readyTimeoutMs }), TypeError);
  }
  client.close();
  assert.throws(() => client.open('acme/a', 'json'), { code: 'not-open' });
});

test('ERR-4 full jitter: delays double in bound, never pass 30 s, and keep to what the server asks', () => {
  const top = new RetryDelay(500, () => 0.999999);
  const delays = Array.from({ length: 12 }, () => Math.round(top.next()));
  assert.deepEqual(delays.slice(0, 7), [500, 1000, 2000, 4000, 8000, 16000, 30000]);
  assert.ok(delays.every((delay) => delay <= 30_000));
  const low = new RetryDelay(500, () => 0);
  assert.equal(low.next(), 0);
  assert.equal(low.next(3_000), 3_000);
  low.reset();
  assert.equal(low.failures, 0);
});

test('a rate gate lets no more through than its share of the limit', () => {
  const h = new Harness();
  const gate = new RateGate(10, () => h.time.now);
  let passed = 0;
  for (let i = 0; i < 10_000; i++) {
    if (gate.take() === 0) passed++;
    h.time.advance(1);
  }
  assert.ok(passed > 70 && passed <= 100, String(passed));
});

test('clients that lose one node together spread over the others', () => {
  const h = new Harness();
  const dialled: string[] = [];
  const real = h.server.webSocket;
  class Seen extends real {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      dialled.push(url);
    }
  }
  const urls = ['ws://a/v1/socket', 'ws://b/v1/socket', 'ws://c/v1/socket'];
  const next = new Map<string, Set<string>>(urls.map((url) => [url, new Set()]));
  for (let i = 0; i < 60; i++) {
    const client = h.client({ urls, webSocket: Seen });
    h.settle();
    const first = dialled.at(-1) ?? '';
    h.server.dropAll();
    h.settle(5_000);
    next.get(first)?.add(dialled.at(-1) ?? '');
    client.close();
  }
  for (const url of urls)
    assert.deepEqual(
      [...(next.get(url) ?? [])].sort(),
      urls.filter((other) => other !== url),
      url,
    );
});

test('an unreachable server is tried again, over all URLs, with growing pauses', () => {
  const h = new Harness();
  h.server.unreachable = true;
  const urls = new Set<string>();
  const real = h.server.webSocket;
  class Seen extends real {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      urls.add(url);
    }
  }
  const client = h.client({ urls: ['ws://a/v1/socket', 'ws://b/v1/socket'], webSocket: Seen });
  h.settle(60_000);
  assert.equal(client.state, 'connecting');
  assert.equal(urls.size, 2);
  assert.ok(h.server.connects >= 4 && h.server.connects < 40, String(h.server.connects));
  h.server.unreachable = false;
  h.settle(31_000);
  assert.equal(client.state, 'live');
});

/** Collects the URLs that are dialled, in order. */
function dialled(h: Harness): { urls: string[]; webSocket: Harness['server']['webSocket'] } {
  const urls: string[] = [];
  const webSocket = class extends h.server.webSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      urls.push(url);
    }
  };
  return { urls, webSocket };
}

test('each failed attempt is told with its reason and when the next one comes', () => {
  const h = new Harness();
  h.server.unreachable = true;
  const client = h.client();
  const failures = heard(client, 'failed');
  h.settle(20_000);
  assert.equal(failures.length, h.server.connects - (client.state === 'connecting' ? 0 : 1));
  assert.ok(failures.length >= 3);
  for (const failure of failures) {
    assert.equal(failure.url, 'ws://one/v1/socket');
    assert.equal(failure.reason, 'unreachable');
    assert.equal(failure.closeCode, 1006);
    assert.ok(failure.retryInMs !== undefined && failure.retryInMs <= 30_000);
  }
  assert.equal(client.failure, failures.at(-1));
  assert.equal(client.failure, client.failure);
  h.server.unreachable = false;
  h.settle(31_000);
  assert.equal(client.state, 'live');
  assert.equal(client.failure, undefined);
  h.server.dropAll(1013);
  const latest = () => failures.at(-1);
  assert.deepEqual([latest()?.reason, latest()?.closeCode], ['closed', 1013]);
  h.server.silent = true;
  h.settle(20_000);
  assert.equal(latest()?.reason, 'timeout');
  h.server.silent = false;
  h.settle(50_000);
  h.server.refuse = () => 4403;
  h.server.dropAll();
  h.settle(50_000);
  assert.deepEqual([latest()?.closeCode, latest()?.retryInMs], [4403, undefined]);
});

test('connect() tries now, whatever the client waits for', () => {
  const h = new Harness();
  h.server.unreachable = true;
  const client = h.client();
  h.settle(100_000);
  h.server.unreachable = false;
  const before = h.server.connects;
  client.connect();
  h.settle(20);
  assert.equal(client.state, 'live');
  assert.equal(h.server.connects, before + 1);
  client.goOffline();
  client.connect();
  h.settle(20);
  assert.equal(client.state, 'live');
  client.connect();
  h.settle(20);
  assert.equal(h.server.sockets.size, 1);
  client.close();
  client.connect();
  h.settle();
  assert.equal(client.state, 'offline');
});

test('HELLO: a client whose node is gone goes on at one that welcome.nodes told, and its own URL comes first', () => {
  const h = new Harness();
  h.server.nodes = ['ws://two', 'ws://three/'];
  const { urls, webSocket } = dialled(h);
  const client = h.client({ webSocket });
  h.settle(6_000);
  h.server.gone.add('ws://one/v1/socket');
  h.server.dropAll();
  h.settle(5_000);
  assert.equal(client.state, 'live');
  assert.deepEqual(urls.slice(0, 2), ['ws://one/v1/socket', 'ws://one/v1/socket']);
  assert.match(urls[2] ?? '', /^ws:\/\/(two|three)\/v1\/socket$/);
  // The client stays there. When it loses its node again, it asks at home first.
  h.server.gone.clear();
  h.settle(60_000);
  assert.equal(urls.length, 3);
  h.server.dropAll();
  h.settle(5_000);
  assert.equal(urls[3], 'ws://one/v1/socket');
});

test('HELLO-7: a list of nodes that comes later replaces the one of welcome', () => {
  const h = new Harness();
  h.server.nodes = ['ws://two'];
  const { urls, webSocket } = dialled(h);
  const client = h.client({ webSocket });
  h.settle(6_000);
  h.socketOf(client).deliver({ type: 'nodes', nodes: ['ws://three'] });
  h.settle(100);
  h.server.gone.add('ws://one/v1/socket');
  h.server.dropAll();
  h.settle(20_000);
  assert.equal(client.state, 'live');
  assert.equal(urls.at(-1), 'ws://three/v1/socket');
  assert.ok(!urls.includes('ws://two/v1/socket'));
});

test('DRAIN-1: a client leaves a draining node for another, also when it is closed with 1012', () => {
  for (const leave of ['draining', 'close'] as const) {
    const h = new Harness();
    h.server.nodes = ['ws://two'];
    const { urls, webSocket } = dialled(h);
    const client = h.client({ webSocket });
    h.settle(6_000);
    if (leave === 'draining') h.socketOf(client).deliver({ type: 'draining', reconnectInMs: 100 });
    else h.server.dropAll(1012);
    h.settle(1_000);
    assert.equal(client.state, 'live');
    assert.deepEqual(urls, ['ws://one/v1/socket', 'ws://two/v1/socket']);
  }
});

test('nodes that a server tells are not tried where the application says so, or where they are less safe', () => {
  for (const [nodes, urls, expected] of [
    [false, ['ws://one/v1/socket'], []],
    [(url: string) => url.includes('three'), ['ws://one/v1/socket'], ['ws://three/v1/socket']],
    [true, ['wss://one/v1/socket'], ['wss://four/base/v1/socket']],
  ] as const) {
    const h = new Harness();
    h.server.nodes = ['ws://two', 'ws://three', 'wss://four/base/', 'http://five', 'six', 7 as never];
    const { urls: seen, webSocket } = dialled(h);
    const client = h.client({ nodes, urls, webSocket });
    h.settle(6_000);
    h.server.unreachable = true;
    h.server.dropAll();
    h.settle(120_000);
    const told = new Set(seen.filter((url) => url !== urls[0]));
    assert.deepEqual([...told], expected);
    client.close();
  }
});

test('clients of one node that is gone spread over the others', () => {
  const h = new Harness();
  h.server.nodes = ['ws://two', 'ws://three', 'ws://four'];
  const clients = Array.from({ length: 60 }, () => h.client());
  h.settle(6_000);
  h.server.gone.add('ws://one/v1/socket');
  h.server.dropAll();
  h.settle(10_000);
  const counts = new Map<string, number>();
  for (const client of clients) {
    assert.equal(client.state, 'live');
    const { url } = h.socketOf(client);
    counts.set(url, (counts.get(url) ?? 0) + 1);
  }
  assert.equal(counts.size, 3);
  for (const count of counts.values()) assert.ok(count >= 8, JSON.stringify([...counts]));
});

test('a server that accepts and closes at once is not hammered', () => {
  const h = new Harness();
  h.server.refuse = () => 1013;
  h.client();
  h.settle(120_000);
  assert.ok(h.server.connects < 40, String(h.server.connects));
});

test('PING-1: a quiet client pings, and leaves a server that stays silent', () => {
  const h = new Harness();
  const client = h.client();
  h.settle(65_000);
  assert.equal(h.sent('ping').length, 3);
  assert.equal(h.server.connects, 1);
  h.server.silent = true;
  h.settle(h.server.limits.pingMs + 10_100);
  assert.equal(client.state, 'connecting');
  h.server.silent = false;
  h.settle(20_000);
  assert.equal(client.state, 'live');
  assert.equal(h.server.sockets.size, 1);
});

test('DRAIN-1: the client goes on, then comes back about when it was told to', () => {
  const h = new Harness();
  const client = h.client();
  h.settle();
  const draining = heard(client, 'draining');
  h.socketOf(client).deliver({ type: 'draining', reconnectInMs: 4_000 });
  h.settle(2_900);
  assert.deepEqual(draining, [{ reconnectInMs: 4_000 }]);
  assert.equal(h.server.connects, 1);
  h.settle(2_300);
  assert.equal(h.server.connects, 2);
  assert.equal(client.state, 'live');
});

for (const code of [4400, 4403]) {
  test(`close ${code}: the client stays away until it is told to go online`, () => {
    const h = new Harness();
    h.server.refuse = () => code;
    const client = h.client();
    const errors = heard(client, 'error');
    h.settle(100_000);
    assert.equal(client.state, 'offline');
    assert.equal(h.server.connects, 1);
    assert.ok(errors[0] instanceof TroupeError);
    h.server.refuse = undefined;
    client.goOnline();
    h.settle();
    assert.equal(client.state, 'live');
  });
}

test('close 4401 with a fixed token: offline, and a new token brings the client back', () => {
  const h = new Harness();
  h.server.refuse = (token) => (token === 'good' ? undefined : 4401);
  const client = h.client({ token: 'old' });
  const errors = heard(client, 'error');
  h.settle(60_000);
  assert.equal(client.state, 'offline');
  assert.equal(h.server.connects, 1);
  assert.equal(errors[0]?.code, 'unauthenticated');
  client.setToken('good');
  h.settle();
  assert.equal(client.state, 'live');
});

test('close 4401 with a token callback: asked once for a new one, and a second refusal is final', async () => {
  const h = new Harness();
  const reasons: string[] = [];
  h.server.refuse = (token) => (token === 'good' ? undefined : 4401);
  let next = 'good';
  const client = h.client({
    token: (reason) => {
      reasons.push(reason);
      return Promise.resolve(reason === 'expired' ? next : 'old');
    },
  });
  await h.settleSlowly(10_000);
  assert.equal(client.state, 'live');
  assert.deepEqual(reasons, ['connect', 'expired']);
  next = 'bad';
  h.server.dropAll(4401);
  await h.settleSlowly(60_000);
  assert.equal(client.state, 'offline');
  assert.deepEqual(reasons.slice(2), ['expired']);
});

test('a token that cannot be had is an error, and is asked for again', async () => {
  const h = new Harness();
  let asked = 0;
  const client = h.client({
    token: () => {
      asked++;
      return asked < 3 ? Promise.reject(new Error('no network')) : Promise.resolve('good');
    },
  });
  const errors = heard(client, 'error');
  await h.settleSlowly(30_000);
  assert.equal(client.state, 'live');
  assert.equal(errors.length, 2);
  assert.ok(errors.every((error) => error.retryable));
});

test('HELLO-4: a new token is told to the server while connected', () => {
  const h = new Harness();
  const client = h.client({ token: 'one' });
  h.settle();
  client.setToken('two');
  h.settle();
  assert.deepEqual(
    h.sent('hello').map((message) => message.token),
    ['one', 'two'],
  );
  assert.equal(h.server.connects, 1);
});

test("the user's switch: offline leaves at once and stays away, online comes back", () => {
  const h = new Harness();
  const client = h.client();
  h.settle();
  client.goOffline();
  assert.equal(client.state, 'offline');
  assert.equal(h.server.sockets.size, 0);
  h.settle(60_000);
  assert.equal(h.server.connects, 1);
  client.goOnline();
  h.settle();
  assert.equal(client.state, 'live');
});

test('odd frames crash nothing: unknown types are ignored, and a frame that is no message reconnects', () => {
  const h = new Harness();
  const client = h.client();
  const doc = client.open('acme/a', 'rich-text');
  h.settle();
  const errors = heard(client, 'error');
  const socket = h.socketOf(client);
  const odd: unknown[] = [
    { type: 'news', doc: 'acme/a' },
    { type: 7 },
    { doc: 'acme/a' },
    { type: 'commit' },
    { type: 'commit', doc: 'acme/a' },
    { type: 'commit', doc: 'acme/a', version: -1, ops: [] },
    { type: 'opened', doc: 'acme/a' },
    { type: 'ack', doc: 'acme/a', seq: 99, version: 3 },
    { type: 'reject', doc: 'acme/a', seq: null },
    { type: 'presence', doc: 'acme/a', states: [1] },
    { type: 'presence', doc: 'acme/a', states: { x: { selection: { index: -1, version: 'a' } } } },
    { type: 'role', doc: 'acme/a', role: 'king' },
    { type: 'closed', doc: 'acme/other', code: 'deleted' },
    { type: 'error', code: 'no-such-code', message: 4 },
    { type: 'draining', reconnectInMs: 'soon' },
    { type: 'welcome', limits: { pingMs: -4, opBytes: 'x' } },
  ];
  for (const message of odd) socket.raw(JSON.stringify(message));
  h.settle(10_000);
  assert.equal(client.state, 'live');
  assert.equal(doc.state, 'live');
  for (const frame of ['{', '[]', 'null', new ArrayBuffer(4), 12, undefined]) {
    h.socketOf(client).raw(frame);
    h.settle(40_000);
    assert.equal(client.state, 'live');
  }
  assert.ok(errors.some((error) => error.code === 'bad-message'));
  doc.edit([{ insert: 'still here' }]);
  h.settle();
  assert.equal(doc.state, 'saved');
});

test('close ends everything: no socket and no timer is left', () => {
  const h = new Harness();
  const client = h.client();
  const doc = client.open('acme/a', 'json');
  h.settle();
  doc.edit([{ op: 'add', path: '/a', value: 1 }]);
  doc.presence.set({ name: 'x' });
  client.close();
  assert.equal(doc.state, 'closed');
  h.settle();
  assert.equal(h.server.sockets.size, 0);
  assert.equal(h.time.waiting, 0);
  client.goOnline();
  h.settle();
  assert.equal(h.server.connects, 1);
});

test('without a WebSocket constructor the client says what to pass', () => {
  const global = globalThis as { WebSocket?: unknown };
  if (global.WebSocket === undefined) {
    assert.throws(() => new TroupeClient({ urls: ['ws://x'] }), /webSocket/);
  } else {
    const client = new TroupeClient({ urls: ['ws://x'], offline: true });
    assert.equal(client.state, 'offline');
    client.close();
  }
});
