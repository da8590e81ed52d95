// The socket: subprotocols, frames, hello, ping, and the answers to wrong messages.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { jsonCodec, msgpackCodec } from '../../../protocol/codec.ts';
import { FileNode, inBoth, outcome } from './contract.ts';

const file = new FileNode();

/** Returns the HTTP status with which an upgrade ends, 101 if it succeeds. */
function upgrade(
  port: number,
  path: string,
  protocol?: string,
): Promise<{ status: number; protocol: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      ...(protocol === undefined ? {} : { 'sec-websocket-protocol': protocol }),
    };
    const sent = request({ host: '127.0.0.1', port, path, headers });
    sent.on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, protocol: response.headers['sec-websocket-protocol'] });
    });
    sent.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: 101, protocol: response.headers['sec-websocket-protocol'] });
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('SOCK-1 the endpoint is /v1/socket, with any query', async () => {
  assert.equal((await upgrade(file.node.port, '/v1/socket')).status, 101);
  assert.equal((await upgrade(file.node.port, '/v1/socket?a=b')).status, 101);
  assert.equal((await upgrade(file.node.port, '/v1/elsewhere')).status, 404);
});

test('SOCK-2 the first known subprotocol is chosen; only unknown ones: 400; none: none, and JSON', async (t) => {
  const { port } = file.node;
  const of = (protocol?: string) => upgrade(port, '/v1/socket', protocol);
  assert.deepEqual(await of('troupe.v1.json'), { status: 101, protocol: 'troupe.v1.json' });
  assert.deepEqual(await of('x, troupe.v1.msgpack'), { status: 101, protocol: 'troupe.v1.msgpack' });
  assert.deepEqual(await of('troupe.v1.msgpack,troupe.v1.json'), {
    status: 101,
    protocol: 'troupe.v1.msgpack',
  });
  assert.equal((await of('troupe.v2.json, chat')).status, 400);
  assert.deepEqual(await of(), { status: 101, protocol: undefined });
  const client = await file.connectSilent(t, jsonCodec, []);
  client.send({ type: 'hello', client: file.newClient() });
  await client.next('welcome');
});

test('SOCK-3 a frame of the other type closes with 4400, before and after hello', async (t) => {
  for (const greeted of [false, true]) {
    const json = greeted ? await file.connect(t) : await file.connectSilent(t);
    json.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    assert.equal((await json.untilClosed()).code, 4400);
    const msgpack = greeted ? await file.connect(t, msgpackCodec) : await file.connectSilent(t, msgpackCodec);
    msgpack.socket.send('{"type":"ping"}');
    assert.equal((await msgpack.untilClosed()).code, 4400);
  }
});

const BROKEN_JSON = [
  '',
  '{',
  '{"type":"ping"',
  '{"type":"ping"}}',
  '[]',
  '[{"type":"ping"}]',
  '1',
  '"ping"',
  'null',
  '{"type":NaN}',
  "{'type':'ping'}",
  '\ufeff{"type":"ping"}',
];

const BROKEN_MSGPACK: Record<string, number[]> = {
  empty: [],
  'an array': [0x90],
  nil: [0xc0],
  'a number': [0x01],
  'bytes for a map': [0xc4, 0x01, 0x80],
  'cut in a key': [0x81, 0xa4, 0x74],
  'cut before a value': [0x81, 0xa1, 0x74],
  'a byte too many': [0x80, 0x00],
  'a map that claims 2^32 - 1 members': [0xdf, 0xff, 0xff, 0xff, 0xff],
  'a string that claims 2 GiB': [0x81, 0xa1, 0x74, 0xdb, 0x7f, 0xff, 0xff, 0xff],
  'a key that is a number': [0x81, 0x01, 0x02],
  'the byte that is never used': [0x81, 0xa1, 0x74, 0xc1],
  'a timestamp (extension)': [0x81, 0xa1, 0x74, 0xd6, 0xff, 0, 0, 0, 0],
  'a record of msgpackr (extension)': [0x81, 0xa1, 0x74, 0xd4, 0x72, 0x40],
};

test('SOCK-4 SOCK-7 a frame that is no JSON, or no map: error bad-message, then 4400', async (t) => {
  for (const frame of BROKEN_JSON) {
    const client = await file.connect(t);
    client.socket.send(frame);
    assert.equal((await client.next('error')).code, 'bad-message', frame);
    assert.equal((await client.untilClosed()).code, 4400, frame);
  }
});

test('SOCK-4 SOCK-5 SOCK-7 a frame that is no MessagePack of the contract, or no map: bad-message, then 4400', async (t) => {
  for (const [what, bytes] of Object.entries(BROKEN_MSGPACK)) {
    const client = await file.connect(t, msgpackCodec);
    client.socket.send(Uint8Array.from(bytes));
    assert.equal((await client.next('error')).code, 'bad-message', what);
    assert.equal((await client.untilClosed()).code, 4400, what);
  }
});

test('SOCK-5 an integer may have any width', async (t) => {
  const text = (s: string) => [0xa0 + s.length, ...Buffer.from(s)];
  const client = await file.connect(t, msgpackCodec);
  const widths: number[][] = [
    [7],
    [0xcc, 7],
    [0xcd, 0, 7],
    [0xce, 0, 0, 0, 7],
    [0xcf, 0, 0, 0, 0, 0, 0, 0, 7],
    [0xd0, 7],
    [0xd1, 0, 7],
    [0xd2, 0, 0, 0, 7],
    [0xd3, 0, 0, 0, 0, 0, 0, 0, 7],
    [0xca, 0x40, 0xe0, 0, 0],
    [0xcb, 0x40, 0x1c, 0, 0, 0, 0, 0, 0],
  ];
  for (const width of widths) {
    client.socket.send(Uint8Array.from([0x82, ...text('type'), ...text('ping'), ...text('id'), ...width]));
    assert.equal((await client.next('pong')).id, 7);
  }
});

inBoth(
  'SOCK-6 unknown fields are ignored; an unknown type is bad-message, and the socket stays',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    client.send({ type: 'ping', id: 1, later: { than: ['this', 'version'] } });
    assert.deepEqual(await client.next('pong'), { type: 'pong', id: 1 });
    for (const type of ['subscribe', '', 'constructor', 'welcome', 'ack']) {
      client.send({ type, id: type });
      const error = await client.next('error');
      assert.deepEqual([error.code, error.id, error.retryable], ['bad-message', type, false]);
    }
    const doc = file.newDoc();
    const opened = await client.open(doc, 'json', { cursor: 1, depth: null });
    assert.equal(opened.version, 0);
    client.send({ type: 'submit', doc, seq: 1, base: 0, op: [], at: 'now', client: 'somebody_else' });
    assert.equal((await client.answer(doc, 1)).type, 'commit');
  },
);

inBoth(
  'SOCK-7 a field that is missing or of the wrong type is bad-message, and the socket stays',
  async (t, codec) => {
    const client = await file.connect(t, codec);
    const doc = file.newDoc();
    await client.open(doc, 'json');
    const wrong: object[] = [
      {},
      { type: 7 },
      { type: null },
      { type: ['ping'] },
      { type: 'open', doc, kind: 'text' },
      { type: 'open', doc, kind: 1 },
      { type: 'open', doc, since: -1, history: 'x' },
      { type: 'open', doc, since: 1.5, history: 'x' },
      { type: 'open', doc, since: '1', history: 'x' },
      { type: 'open', doc, since: 0, history: 7 },
      { type: 'submit', doc, op: [] },
      { type: 'submit', doc, seq: 0, op: [] },
      { type: 'submit', doc, seq: -1, op: [] },
      { type: 'submit', doc, seq: 1.5, op: [] },
      { type: 'submit', doc, seq: '1', op: [] },
      { type: 'submit', doc, seq: 2 ** 53, op: [] },
      { type: 'submit', doc, seq: null, op: [] },
      { type: 'presence', doc },
    ];
    for (const message of wrong) {
      client.send(message);
      assert.equal((await client.next('error')).code, 'bad-message', JSON.stringify(message));
    }
    client.send({ type: 'submit', doc, seq: 1, base: 0, op: [] });
    assert.equal((await client.answer(doc, 1)).type, 'commit');
  },
);

inBoth(
  'SOCK-8 id is echoed in answers and errors, a string or a number; nothing else is',
  async (t, codec) => {
    const client = await file.connectSilent(t, codec);
    const doc = file.newDoc();
    const asked: [object, string][] = [
      [{ type: 'hello', client: file.newClient() }, 'welcome'],
      [{ type: 'ping' }, 'pong'],
      [{ type: 'open', doc }, 'error'],
      [{ type: 'open', doc, kind: 'json' }, 'opened'],
      [{ type: 'open', doc, kind: 'yjs' }, 'error'],
      [{ type: 'open', doc: 'nowhere' }, 'error'],
      [{ type: 'close', doc }, 'closed'],
      [{ type: 'close', doc }, 'error'],
      [{ type: 'presence', doc, data: 1 }, 'error'],
      [{ type: 'nothing' }, 'error'],
    ];
    for (const [message, type] of asked) {
      for (const id of ['a "quoted"\\ id\n\u2028', '', 0, -1.5, Number.MAX_SAFE_INTEGER].slice(
        0,
        type === 'closed' ? 1 : 5,
      )) {
        client.send({ ...message, id });
        assert.deepEqual((await client.next(type)).id, id, JSON.stringify(message));
      }
    }
    for (const id of [null, true, [1], { a: 1 }]) {
      client.send({ type: 'ping', id });
      assert.deepEqual(await client.next('pong'), { type: 'pong' });
    }
  },
);

inBoth('HELLO-1 anything but hello first: error bad-message with its id, then 4400', async (t, codec) => {
  for (const first of [{ type: 'ping' }, { type: 'open', doc: 'acme/a', kind: 'json' }, { type: 'x' }, {}]) {
    const client = await file.connectSilent(t, codec);
    client.send({ ...first, id: 'first' });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.id], ['bad-message', 'first']);
    assert.equal((await client.untilClosed()).code, 4400);
  }
});

inBoth('HELLO-2 welcome names client, node, time and limits', async (t, codec) => {
  const client = await file.connectSilent(t, codec);
  const before = Date.now();
  const id = file.newClient();
  client.send({ type: 'hello', client: id, token: 'ignored without logging in' });
  const welcome = await client.next('welcome');
  assert.equal(welcome.client, id);
  assert.match(String(welcome.node), /^[A-Za-z0-9._-]{1,64}$/);
  assert.ok(Math.abs(Number(welcome.time) - before) < 60_000);
  assert.equal((welcome.limits as { inflight: number }).inflight, 64);
});

inBoth(
  'HELLO-2 a client need not wait: hello, open, submits and close in one go are taken in order',
  async (t, codec) => {
    const client = await file.connectSilent(t, codec);
    const doc = file.newDoc();
    client.send({ type: 'hello', client: file.newClient() });
    client.send({ type: 'open', doc, kind: 'rich-text', id: 'open' });
    client.send({ type: 'submit', doc, seq: 1, base: 0, op: [{ insert: 'a' }] });
    client.send({ type: 'submit', doc, seq: 2, op: [{ insert: 'b' }] });
    client.send({ type: 'ping', id: 'last' });
    await client.answer(doc, 1);
    const types = () => client.received.map((m) => m.type);
    assert.ok(types().includes('welcome') && types().includes('opened'));
    const again = await file.connect(t, codec);
    assert.equal((await again.open(doc)).version !== 0, true);
  },
);

inBoth('HELLO-3 an id that is none: error bad-message, then 4400', async (t, codec) => {
  for (const id of [
    '',
    'short12',
    'x'.repeat(65),
    'white space',
    'dot.dot.dot',
    'ünïcödé-1',
    {},
    ['abcdefgh'],
    true,
  ]) {
    const client = await file.connectSilent(t, codec);
    client.send({ type: 'hello', client: id, id: 1 });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.id], ['bad-message', 1], JSON.stringify(id));
    assert.equal((await client.untilClosed()).code, 4400);
  }
});

inBoth(
  'HELLO-3 an id that is left out is chosen by the server, and serves for coming back',
  async (t, codec) => {
    for (const none of [{}, { client: null }, { client: -1 }]) {
      const client = await file.connectSilent(t, codec);
      client.send({ type: 'hello', ...none });
      const { client: id } = await client.next('welcome');
      assert.match(String(id), /^[A-Za-z0-9_-]{8,64}$/);
      const doc = file.newDoc();
      await client.open(doc, 'json');
      await client.submit(doc, 1, []);
      const back = await file.connect(t, codec, String(id));
      assert.equal((await back.open(doc)).lastSeq, 1);
    }
  },
);

test('NAME-2 ids of 8 and of 64 characters are ids', async (t) => {
  for (const id of ['aZ09_-__', 'x'.repeat(64)]) assert.ok(await file.connect(t, jsonCodec, id));
});

inBoth(
  'HELLO-4 hello again is answered with welcome; with another id it is bad-message, and the socket stays',
  async (t, codec) => {
    const id = file.newClient();
    const client = await file.connect(t, codec, id);
    client.send({ type: 'hello', client: id, token: 'new', id: 2 });
    assert.equal((await client.next('welcome')).id, 2);
    client.send({ type: 'hello', client: file.newClient(), id: 3 });
    const error = await client.next('error');
    assert.deepEqual([error.code, error.id], ['bad-message', 3]);
    await client.settled();
  },
);

test('HELLO-5 one client id on two sockets: each has its own documents', async (t) => {
  const id = file.newClient();
  const [first, second] = [await file.connect(t, jsonCodec, id), await file.connect(t, msgpackCodec, id)];
  const [a, b] = [file.newDoc(), file.newDoc()];
  await first.open(a, 'json');
  await second.open(b, 'json');
  assert.equal((await first.submit(a, 1, [])).type, 'commit');
  assert.equal((await second.submit(b, 1, [])).type, 'commit');
  assert.equal(outcome(await first.submit(b, 2, [])), 'error not-open');
});

inBoth('PING-1 ping is answered with pong, in the order sent', async (t, codec) => {
  const client = await file.connect(t, codec);
  for (let id = 0; id < 20; id++) client.send({ type: 'ping', id });
  for (let id = 0; id < 20; id++) assert.deepEqual(await client.next('pong'), { type: 'pong', id });
  client.send({ type: 'ping' });
  assert.deepEqual(await client.next('pong'), { type: 'pong' });
});
