// The web pages that may talk to a node: the rules by themselves, then over sockets and HTTP.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { Origins } from '../../../src/gateway/sockets/origins.ts';
import { FileNode } from '../wire/contract.ts';

const OPEN = { origins: [], publicUrl: null, auth: 'none' } as const;
const HERE = '127.0.0.1:8080';

test('ORIGIN-1 a page of the node itself is taken, under each of its loopback names', () => {
  const origins = new Origins(OPEN);
  for (const [origin, host] of [
    ['http://127.0.0.1:8080', HERE],
    ['http://localhost:8080', HERE],
    ['HTTP://LocalHost:8080', 'LOCALHOST:8080'],
    ['http://[::1]:8080', HERE],
    ['http://localhost:8080', '[::1]:8080'],
    ['http://localhost.:8080', 'localhost:8080'],
    ['http://localhost', 'localhost'],
    ['http://localhost', '127.0.0.1:80'],
    ['https://localhost', 'localhost'],
    ['https://localhost', 'localhost:443'],
    ['http://[0:0:0:0:0:0:0:1]:8080', '[::1]:8080'],
    [undefined, HERE],
    [undefined, undefined],
  ])
    assert.equal(origins.refusal({ origin, host }), undefined, `${origin} at ${host}`);
});

test('ORIGIN-1 every other page is refused, with the key that would let it in', () => {
  const origins = new Origins(OPEN);
  for (const origin of [
    'https://evil.example',
    'null',
    '',
    'http://127.0.0.1:8081',
    'http://127.0.0.1',
    'https://127.0.0.1',
    'http://localhost:8080@evil.example',
    'http://localhost.evil.example:8080',
    'http://127.0.0.1.evil.example:8080',
    'http://localhost:8080, https://evil.example',
    'http://localhost:8080/',
    'file://',
    'chrome-extension://abcdef',
  ])
    assert.match(origins.refusal({ origin, host: HERE }) ?? 'taken', /listen\.origins/, origin);
});

test('ORIGIN-2 with auth.mode none a name that others could point here is refused, also without a page', () => {
  const origins = new Origins(OPEN);
  for (const host of [
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '10.0.0.1',
    'localhost@evil.example',
    '',
  ])
    for (const origin of [undefined, `http://${host}`])
      assert.notEqual(origins.refusal({ origin, host }), undefined, `${origin} at ${host}`);
  for (const host of ['localhost', 'LOCALHOST:1', 'localhost.:8080', '127.1.2.3', '[::1]'])
    assert.equal(origins.refusal({ host }), undefined, host);
});

test('ORIGIN-1 ORIGIN-2 listen.publicUrl is the node, and what a proxy says of itself is not read', () => {
  const origins = new Origins({ ...OPEN, publicUrl: 'wss://Docs.example' });
  const page = 'https://docs.example';
  assert.equal(origins.refusal({ origin: page, host: 'docs.example' }), undefined);
  // The proxy leaves the name by which it reaches the node.
  assert.equal(origins.refusal({ origin: page, host: HERE }), undefined);
  assert.notEqual(origins.refusal({ origin: 'http://docs.example', host: HERE }), undefined);
  assert.notEqual(origins.refusal({ origin: 'https://docs.example:444', host: HERE }), undefined);
  const forwarded = { origin: 'https://evil.example', host: HERE, 'x-forwarded-host': 'evil.example' };
  assert.notEqual(origins.refusal(forwarded), undefined);
});

test('ORIGIN-1 listen.origins are taken as they are written, whatever their scheme', () => {
  const origins = new Origins({ ...OPEN, origins: ['https://App.example:443', 'capacitor://localhost'] });
  for (const origin of ['https://app.example', 'capacitor://localhost'])
    assert.equal(origins.refusal({ origin, host: HERE }), undefined, origin);
  for (const origin of ['http://app.example', 'https://www.app.example', 'capacitor://elsewhere', 'null'])
    assert.notEqual(origins.refusal({ origin, host: HERE }), undefined, origin);
});

test('ORIGIN-2 a probe may name the node as it likes, and a page may not probe it', () => {
  const origins = new Origins(OPEN);
  assert.equal(origins.refusalOfProbe({ host: 'pod-7.internal:8080' }), undefined);
  assert.notEqual(origins.refusalOfProbe({ origin: 'https://evil.example', host: HERE }), undefined);
});

const file = new FileNode();

/** Returns status and body. An upgrade that succeeds gives 101 and no body. */
function ask(path: string, headers: Record<string, string>): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const upgrading = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const sent = request({
      host: '127.0.0.1',
      port: file.node.port,
      path,
      headers: path === '/v1/socket' ? { ...upgrading, ...headers } : headers,
    });
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      const isJson = response.headers['content-type']?.includes('json') === true;
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: isJson ? (JSON.parse(text) as unknown) : undefined,
        }),
      );
    });
    sent.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve({ status: 101, body: undefined });
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('ORIGIN-1 ORIGIN-2 a foreign page gets 403 and a coded body, from sockets and from HTTP', async () => {
  for (const path of ['/v1/socket', '/', '/v1/elsewhere', '/readyz']) {
    const foreign: Record<string, string>[] = [{ origin: 'https://evil.example' }, { origin: 'null' }];
    if (path !== '/readyz') foreign.push({ host: 'evil.example' });
    for (const headers of foreign) {
      const { status, body } = await ask(path, headers);
      assert.equal(status, 403, `${path} ${JSON.stringify(headers)}`);
      const { code, message, retryable } = body as Record<string, unknown>;
      assert.deepEqual([code, typeof message, retryable], ['forbidden', 'string', false]);
    }
  }
});

test('ORIGIN-1 ORIGIN-2 without Origin, and from the page of the node, all is as ever', async () => {
  const { port } = file.node;
  for (const headers of [
    {},
    { origin: `http://127.0.0.1:${port}` },
    { origin: `http://localhost:${port}` },
  ]) {
    assert.equal((await ask('/v1/socket', headers)).status, 101);
    assert.equal((await ask('/', headers)).status, 200);
    assert.equal((await ask('/readyz', headers)).status, 200);
  }
  assert.equal((await ask('/readyz', { host: 'pod-7.internal' })).status, 200);
});

test('SOCK-1 SOCK-2 an upgrade that is no WebSocket handshake is answered with a code', async () => {
  for (const headers of [
    { 'sec-websocket-key': 'short' },
    { 'sec-websocket-version': '7' },
    { 'sec-websocket-protocol': 'unknown' },
    { 'sec-websocket-protocol': 'troupe.v1.json,,troupe.v1.json' },
  ] satisfies Record<string, string>[]) {
    const { status, body } = await ask('/v1/socket', headers);
    assert.equal(status, 400, JSON.stringify(headers));
    const { code, message, retryable } = body as Record<string, unknown>;
    assert.deepEqual([code, typeof message, retryable], ['bad-message', 'string', false]);
  }
});
