// Requests that ask for another protocol than WebSocket are served as if they did not. curl asks for HTTP/2 in this way.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FileNode } from '../gateway/wire/contract.ts';

const run = promisify(execFile);
const H2C =
  'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';
const HOST = 'host: 127.0.0.1\r\n';
const PATCHED = JSON.stringify([{ op: 'add', path: '/list/-', value: 'a' }]);
const AS_PATCH = `content-type: application/json-patch+json\r\ncontent-length: ${PATCHED.length}\r\n`;

/** Writes the parts, and returns the statuses and bodies of all answers until the node closes the connection. */
async function answersTo(
  port: number,
  ...parts: readonly string[]
): Promise<readonly (readonly [number, string])[]> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  for (const part of parts) socket.write(part);
  await once(socket, 'close');
  const found: [number, string][] = [];
  while (text !== '') {
    const end = text.indexOf('\r\n\r\n') + 4;
    const head = text.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    found.push([Number(head.slice(9, 12)), text.slice(end, end + length)]);
    text = text.slice(end + length);
  }
  return found;
}

const file = new FileNode();

/** Makes a document with an empty list. Returns its path, and the node of the file. */
async function plan() {
  const { url, port } = file.node;
  const path = `/v1/docs/${file.newDoc()}`;
  const made = await fetch(new URL(path, url), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'json', content: { list: [] } }),
  });
  assert.equal(made.status, 201);
  return { path, url, port };
}

test('HTTP-12 a request for another protocol is served, with its body, after those before it', async () => {
  const { path, port } = await plan();
  const alive = `GET /healthz HTTP/1.1\r\n${HOST}`;
  const patch = `PATCH ${path} HTTP/1.1\r\n${HOST}${AS_PATCH}`;
  const last = `${alive}connection: close\r\n\r\n`;
  const OK = [200, '{"status":"alive"}'] as const;
  assert.deepEqual(await answersTo(port, `${alive}${H2C}\r\n`, last), [OK, OK]);
  // Some versions of Node close the connection after a request with a body, and say so in its answer.
  const begins = async (wanted: readonly (readonly [number, string])[], ...parts: string[]) => {
    const found = await answersTo(port, ...parts);
    assert.deepEqual(found, wanted.slice(0, Math.max(2, found.length)));
  };
  await begins([OK, [200, '{"version":2}'], OK], `${alive}\r\n${patch}${H2C}\r\n${PATCHED}${last}`);
  await begins(
    [[200, '{"version":3}'], [200, '{"version":4}'], OK],
    `${patch}\r\n${PATCHED}${patch}${H2C}\r\n${PATCHED.slice(0, 9)}`,
    PATCHED.slice(9),
    last,
  );
  const chunked = patch.replace(/content-length.*\r\n/, 'transfer-encoding: chunked\r\n');
  const chunks = `${PATCHED.length.toString(16)}\r\n${PATCHED}\r\n0\r\n\r\n`;
  await begins([OK, [200, '{"version":5}'], OK], `${alive}\r\n${chunked}${H2C}\r\n${chunks}`, last);
  const none = `POST ${path}/undelete HTTP/1.1\r\n${HOST}content-length: 0\r\n${H2C}\r\n`;
  assert.deepEqual(
    (await answersTo(port, none, last)).map(([code]) => code),
    [409, 200],
    'an empty body',
  );
  const [[status, body] = [0, '']] = await answersTo(
    port,
    `GET /v1/nowhere HTTP/1.1\r\n${HOST}connection: close, upgrade\r\nupgrade: TLS/1.2, h2c\r\n\r\n`,
  );
  assert.equal(status, 404);
  assert.match(body, /"not-found"/);
  assert.deepEqual(
    (await answersTo(port, `${alive}origin: https://evil.example\r\n${H2C}\r\n`, last)).map(([code]) => code),
    [403, 200],
    'what holds for every request holds for it',
  );
});

test('HTTP-12 a client that goes away while such a request waits for the answer before it harms nobody', async () => {
  const { path, port, url } = await plan();
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `GET ${path.replace('/docs/', '/events/')} HTTP/1.1\r\n${HOST}\r\nGET /healthz HTTP/1.1\r\n${HOST}${H2C}\r\n`,
  );
  await once(socket, 'data');
  socket.resetAndDestroy();
  await once(socket, 'close');
  for (let n = 0; n < 3; n++) assert.equal((await fetch(`${url}healthz`)).status, 200);
});

test('HTTP-12 SOCK-1 a request that asks for WebSocket too, and is no right handshake, has its coded answer', async () => {
  const { port } = file.node;
  const ask = (path: string, protocols: string) =>
    answersTo(port, `GET ${path} HTTP/1.1\r\n${HOST}connection: Upgrade\r\nupgrade: ${protocols}\r\n\r\n`);
  for (const protocols of ['websocket', 'WebSocket', 'h2c, websocket']) {
    const [[status, body] = [0, '']] = await ask('/v1/socket', protocols);
    assert.equal(status, 400, protocols);
    assert.match(body, /"bad-message"/, protocols);
  }
  assert.equal((await ask('/v1/elsewhere', 'websocket'))[0]?.[0], 404);
});

test('HTTP-1 SOCK-1 a refused upgrade with the method HEAD is answered without a body', async () => {
  const { port } = file.node;
  for (const [path, status] of [
    ['/v1/elsewhere', 404],
    ['/v1/socket', 400],
  ] as const) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`HEAD ${path} HTTP/1.1\r\n${HOST}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`);
    const answer = await text(socket);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} .*\r\n\r\n$`, 's'));
    assert.doesNotMatch(answer, /\r\n\r\n./s);
  }
});

test('HTTP-12 curl with --http2 reads and edits a document', async () => {
  const { path, url } = await plan();
  const curl = async (...more: string[]) =>
    (await run('curl', ['-sS', '--http2', ...more, new URL(path, url).href])).stdout;
  const type = 'content-type: application/json-patch+json';
  assert.equal(await curl('-X', 'PATCH', '-H', type, '-d', PATCHED), '{"version":2}');
  assert.deepEqual(JSON.parse(await curl()).content, { list: ['a'] });
});
