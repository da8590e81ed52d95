// Connections that send their requests slowly, not at all, or that send no HTTP: they are closed, and nobody else
// notices. Requests that end before any route sees them are answered with a code.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { configFrom } from '../../config/load.ts';
import { Origins } from '../../src/gateway/sockets/origins.ts';
import { byBearer } from '../../src/http/api/access.ts';
import { createMetricsServer } from '../../src/http/metrics.ts';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { NO_LOGIN } from '../../src/identity/identity.ts';
import { noDocuments } from './no-documents.ts';

async function serve(t: Pick<TestContext, 'after'>): Promise<number> {
  const config = configFrom({ http: { headersMs: '200ms', requestMs: '400ms', idleMs: '300ms' } });
  const app = await createHttpServer({
    config,
    version: '1.2.3',
    origins: new Origins({ ...config.listen, auth: config.auth.mode }),
    unready: () => undefined,
    toSockets: () => undefined,
    parts: () => noDocuments([byBearer(NO_LOGIN)]),
    onInternalError: (error) => assert.fail(String(error)),
  });
  t.after(() => app.close());
  return listen(app, { host: '127.0.0.1', port: 0 });
}

/** All that the node sends until it closes the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return text;
}

const open = (port: number, first = ''): Socket => {
  const socket = connect(port, '127.0.0.1');
  socket.write(first);
  return socket;
};

const HEAD = 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n';

test('HTTP-10 a connection that sends no request, a part of the headers, or a part of the body is closed', async (t) => {
  const port = await serve(t);
  const [silent, slow, part] = await Promise.all([
    untilClosed(open(port)),
    untilClosed(open(port, HEAD)),
    untilClosed(open(port, `PATCH /v1/x HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n[`)),
  ]);
  for (const text of [silent, slow]) assert.match(text, /^HTTP\/1\.1 408 .*"code":"bad-message"/s);
  // The path has no route, which needs no body.
  assert.match(part, /^HTTP\/1\.1 404 /);
});

test('HTTP-10 a connection that is idle between two requests is closed', async (t) => {
  const port = await serve(t);
  const text = await untilClosed(open(port, `${HEAD}\r\n`));
  assert.match(text, /^HTTP\/1\.1 200 .*"alive"/s);
});

test('HTTP-10 bytes that are no HTTP, and headers that are too large, are answered with a code, and closed', async (t) => {
  const port = await serve(t);
  assert.match(await untilClosed(open(port, 'hello\r\n\r\n')), /^HTTP\/1\.1 400 .*"code":"bad-message"/s);
  const large = `${HEAD}x-large: ${'x'.repeat(20_000)}\r\n\r\n`;
  assert.match(await untilClosed(open(port, large)), /^HTTP\/1\.1 431 .*"code":"bad-message"/s);
});

test('HTTP-10 bytes that are no HTTP do not answer the request before them', async (t) => {
  const port = await serve(t);
  const text = await untilClosed(open(port, `${HEAD}\r\nhello\r\n\r\n`));
  assert.doesNotMatch(text, /HTTP\/1\.1 400/);
});

test('HTTP-10 a request whose body is no chunked one is answered with a code', async (t) => {
  const port = await serve(t);
  const head = 'PUT /v1/session HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n';
  const text = await untilClosed(open(port, `${head}content-type: application/json\r\n\r\nzz\r\n`));
  assert.match(text, /^HTTP\/1\.1 4\d\d .*"code":"bad-message"/s);
});

test('HTTP-1 HTTP-10 an error of a HEAD request has no body, also where Node has refused its bytes', async (t) => {
  const port = await serve(t);
  const host = 'host: 127.0.0.1\r\n';
  const ask = async (bytes: string, more = ''): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(Buffer.from(bytes, 'latin1'));
    socket.write(Buffer.from(more, 'latin1'));
    return await untilClosed(socket);
  };
  const body = 'transfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n';
  const refused: readonly (readonly [status: number, head: string])[] = [
    [400, ` /v1/docs/acme/\u00e9 HTTP/1.1\r\n${host}\r\n`],
    [400, ` /v1/session HTTP/1.1\r\n${host}no colon\r\n\r\n`],
    [431, ` /v1/session HTTP/1.1\r\n${host}x-large: ${'x'.repeat(20_000)}\r\n\r\n`],
    [417, ` /v1/session HTTP/1.1\r\n${host}expect: miracles\r\nconnection: close\r\n\r\n`],
  ];
  for (const [status, head] of refused)
    for (const before of ['', '\r\n']) {
      assert.match(await ask(`${before}HEAD${head}`), ofStatus(status, ''), head.slice(0, 80));
      assert.match(
        await ask(`${before}GET${head}`),
        ofStatus(status, '.*"bad-message".*'),
        head.slice(0, 80),
      );
    }
  const [first, second] = [`HEAD /v1/docs/acme/x HTTP/1.1\r\n${host}${body}`, 'zz\r\n'];
  assert.match(await ask(`${first}${second}`), ofStatus('4..', ''));
});

/** An answer of which the head is followed by this body. */
const ofStatus = (status: number | string, body: string): RegExp =>
  new RegExp(`^HTTP/1\\.1 ${status} (?:[^\\r]|\\r\\n(?!\\r))*\\r\\n\\r\\n${body}$`, 's');

test('HTTP-1 the listener of the metrics answers bytes that are no HTTP as the main one does', async (t) => {
  const app = createMetricsServer({ contentType: 'text/plain', text: async () => '' }, '127.0.0.1');
  t.after(() => app.close());
  const port = await listen(app, { host: '127.0.0.1', port: 0 });
  assert.match(
    await untilClosed(open(port, 'HEAD /metrics HTTP/1.1\r\nno colon\r\n\r\n')),
    ofStatus(400, ''),
  );
  assert.match(await untilClosed(open(port, 'hello\r\n\r\n')), ofStatus(400, '.*"bad-message".*'));
});

test('HTTP-1 no answer to a path below /v1 is stored, in whatever way the path is written', async (t) => {
  const port = await serve(t);
  const ask = (first: string, host: string): Promise<string> =>
    untilClosed(open(port, `${first} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`));
  for (const host of ['127.0.0.1', 'evil.example'])
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'PROPFIND'])
      for (const path of [
        '/v1/session',
        '/%761/session',
        '/v%31/nothing',
        '//v1/session',
        'http://127.0.0.1/v1/session',
        '/V1/session',
      ])
        assert.match(
          await ask(`${method} ${path}`, host),
          /^HTTP\/1\.1 .*\r\ncache-control: no-store\r\n/s,
          `${method} ${path} ${host}`,
        );
});

test('HTTP-1 errors that come before every route have a code', async (t) => {
  const port = await serve(t);
  const ask = (first: string, headers = 'host: 127.0.0.1\r\n'): Promise<string> =>
    untilClosed(open(port, `${first} HTTP/1.1\r\n${headers}connection: close\r\n\r\n`));
  const answers: readonly (readonly [status: number, answer: string])[] = [
    [400, await ask('GET /v1/docs/acme/%zz')],
    [400, await ask('GET /%ff')],
    [400, await ask('GET /v1/session', '')],
    [417, await ask('GET /v1/session', 'host: 127.0.0.1\r\nexpect: miracles\r\n')],
  ];
  for (const [status, answer] of answers) {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), answer);
    assert.match(head, /cache-control: no-store/, answer);
    const { code, message, retryable } = JSON.parse(body.replace(/^[0-9a-f]+\r\n|\r\n0$/g, ''));
    assert.deepEqual([code, typeof message, retryable], ['bad-message', 'string', false], answer);
  }
  assert.match(await ask('OPTIONS /v1/session'), /^HTTP\/1\.1 204 /);
});
