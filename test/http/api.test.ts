// The rules of every route of the API: errors, headers, methods, bodies, callers and rates. A room of the test stands
// for the rooms of the product.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { configFrom } from '../../config/load.ts';
import { ERROR_CODES } from '../../protocol/errors.ts';
import type { Reader, Reading } from '../../src/events/feed.ts';
import { Origins } from '../../src/gateway/sockets/origins.ts';
import { byBearer, callerOf, documentOf } from '../../src/http/api/access.ts';
import { Refusal, STATUS } from '../../src/http/api/refusals.ts';
import { RequestCounts } from '../../src/http/api/request-counts.ts';
import type { ApiParts, ApiRoom } from '../../src/http/api/room.ts';
import { eventRoutes } from '../../src/http/events/events.ts';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { startIdentity } from '../../src/identity/start-identity.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { noDocuments } from './no-documents.ts';

const JWT = { mode: 'jwt', jwt: { secret: TOKEN_SECRET } };

/** A room that shows its caller, fails as it is asked to, and returns the body that it was sent. */
const room: ApiRoom = (app, { parts }) => {
  app.get(
    '/me',
    { schema: { response: { 200: z.object({ sub: z.string() }) } }, config: { access: 'caller' } },
    async (request) => {
      parts();
      return { sub: callerOf(request).sub };
    },
  );
  app.get(
    '/waits',
    { schema: { hide: true }, config: { access: 'open' } },
    () => new Promise(() => undefined),
  );
  app.get('/admin', { schema: {}, config: { access: 'admin' } }, async () => ({}));
  app.get('/fails/:code', { schema: {}, config: { access: 'open' } }, async ({ params }) => {
    const { code } = params as { code: string };
    if (code === 'thrown') throw new Error('a secret of the node');
    if (/^\d+$/.test(code))
      throw Object.assign(new Error('of a library'), {
        statusCode: Number(code),
        code: 'FST_ERR_OF_A_LIBRARY',
      });
    throw new Refusal(code as keyof typeof ERROR_CODES, 'asked for', 1_500);
  });
  app.put(
    '/docs/:org/:doc',
    {
      bodyLimit: 1_000,
      schema: {
        body: z.strictObject({ value: z.unknown() }),
        querystring: z.strictObject({ n: z.coerce.number().optional() }),
      },
      config: { access: 'editor' },
    },
    async (request) => ({
      name: documentOf(request).name,
      value: request.body.value,
      mark: Reflect.get({}, 'mark') ?? null,
    }),
  );
};

interface Served {
  readonly port: number;
  readonly counts: RequestCounts;
  readonly internal: unknown[];
  at(path: string, init?: RequestInit): Promise<Response>;
}

async function serve(
  t: Pick<TestContext, 'after'>,
  settings: object = {},
  isStarted = true,
  events?: ApiParts['events'],
): Promise<Served> {
  const config = configFrom(settings);
  const identity = await startIdentity(config.auth, {
    time: Date.now,
    now: performance.now.bind(performance),
    onProblem: () => undefined,
  });
  const counts = new RequestCounts();
  const internal: unknown[] = [];
  const app = await createHttpServer({
    config,
    version: '1.2.3',
    origins: new Origins({ ...config.listen, auth: config.auth.mode }),
    unready: () => undefined,
    toSockets: () => undefined,
    parts: () => (isStarted ? { ...noDocuments([byBearer(identity)]), events } : undefined),
    onInternalError: (error) => void internal.push(error),
    rooms: events === undefined ? [room] : [room, eventRoutes],
    counts,
  });
  t.after(() => app.close());
  const port = await listen(app, { host: '127.0.0.1', port: 0 });
  return { port, counts, internal, at: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) };
}

const bearer = async (...claims: Parameters<typeof tokenOf>): Promise<RequestInit> => ({
  headers: { authorization: `Bearer ${await tokenOf(...claims)}` },
});

const json = (body: string, headers: Record<string, string> = {}): RequestInit => ({
  method: 'PUT',
  body,
  headers: { 'content-type': 'application/json', ...headers },
});

const codeOf = async (answer: Response): Promise<string> => `${answer.status} ${(await answer.json()).code}`;

test('HTTP-1 ERR-7 every code has its status, a message, and whether the request may come again', async (t) => {
  const { at } = await serve(t);
  for (const [code, retryable] of Object.entries(ERROR_CODES)) {
    const answer = await at(`/v1/fails/${code}`);
    assert.equal(answer.status, STATUS[code as keyof typeof ERROR_CODES], code);
    assert.deepEqual(await answer.json(), { code, message: 'asked for', retryable });
    assert.equal(answer.headers.get('cache-control'), 'no-store', code);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', code);
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/, code);
    assert.equal(answer.headers.get('retry-after'), [429, 503].includes(answer.status) ? '2' : null, code);
  }
});

test('HTTP-1 an error of a library has the code of its status', async (t) => {
  const { at, internal } = await serve(t);
  const codes = {
    400: 'bad-message',
    403: 'forbidden',
    404: 'not-found',
    412: 'precondition-failed',
    418: 'bad-message',
  };
  for (const [status, code] of Object.entries(codes)) {
    const answer = await at(`/v1/fails/${status}`);
    assert.equal(answer.status, Number(status));
    assert.deepEqual(await answer.json(), { code, message: 'of a library', retryable: false });
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
  assert.deepEqual(internal, []);
});

test('EVENT-3 a reader that has gone before its answer began keeps no place', {
  timeout: 20_000,
}, async (t) => {
  const wanted: Reader[] = [];
  const found: ((reading: Reading) => void)[] = [];
  const feed = {
    size: 0,
    read: (_org: string, _after: number | undefined, reader: Reader) => {
      wanted.push(reader);
      return new Promise<Reading>((resolve) => found.push(resolve));
    },
  };
  const renew = () => Promise.reject(new Error('a reader that is gone is not asked'));
  const { at } = await serve(t, {}, true, { feed, renew });
  const leaving = new AbortController();
  const asked = at('/v1/events/acme/plan', { signal: leaving.signal });
  await until(() => wanted.length === 1);
  leaving.abort();
  await assert.rejects(asked);
  // An event of another document tells whether the node knows that the connection has gone, and is not sent.
  const other = { id: 1, type: 'changed', doc: 'acme/other', version: 1, users: [], at: '' } as const;
  await until(() => wanted[0]?.take(other) === false);
  await new Promise<void>((end) =>
    found[0]?.({ from: 1, begin: () => assert.fail('it begins'), position: () => 1, end }),
  );
});

test('HTTP-1 an exception is answered internal without its text, and told to the node', async (t) => {
  const { at, internal } = await serve(t);
  const answer = await at('/v1/fails/thrown');
  assert.equal(answer.status, 500);
  assert.deepEqual(await answer.json(), {
    code: 'internal',
    message: 'the request failed in the node',
    retryable: false,
  });
  assert.match(String(internal[0]), /a secret of the node/);
});

test('HTTP-11 ORIGIN-1 pages of a configured origin may call and read, and others are refused', async (t) => {
  const origin = 'https://app.example.com';
  const { at } = await serve(t, { listen: { origins: [origin] } });
  const preflight = await at('/v1/fails/not-found', {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'PATCH' },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PATCH/);
  const answers = [preflight, await at('/v1/fails/not-found', { headers: { origin } })];
  for (const { headers } of answers) {
    assert.equal(headers.get('access-control-allow-origin'), origin);
    assert.equal(headers.get('access-control-allow-credentials'), 'true');
  }
  assert.match(answers[1]?.headers.get('access-control-expose-headers') ?? '', /ETag/);
  for (const method of ['OPTIONS', 'GET']) {
    const refused = await at('/v1/fails/not-found', {
      method,
      headers: { origin: 'https://evil.example.com', 'access-control-request-method': 'PATCH' },
    });
    assert.equal(await codeOf(refused), '403 forbidden');
    assert.equal(refused.headers.get('access-control-allow-origin'), null);
  }
});

test('HTTP-2 a path without a route is not-found, and another method is 405 with the methods of the path', async (t) => {
  const { at } = await serve(t);
  assert.equal(await codeOf(await at('/v1/nowhere')), '404 not-found');
  assert.equal(await codeOf(await at('/v1/docs/acme/plan/a/b')), '404 not-found');
  const answer = await at('/v1/me', { method: 'DELETE' });
  assert.equal(answer.headers.get('allow'), 'GET, HEAD');
  assert.equal(await codeOf(answer), '405 bad-message');
});

test('HTTP-3 a body that is no JSON, too large, of another type or of another shape is refused', async (t) => {
  const { at } = await serve(t);
  const put = (init: RequestInit, query = '') => at(`/v1/docs/acme/plan${query}`, init);
  assert.equal(await codeOf(await put(json('{"value":'))), '400 bad-message');
  assert.equal(await codeOf(await put(json(''))), '400 bad-message');
  assert.equal(await codeOf(await put(json('{"value":1,"valve":2}'))), '400 bad-message');
  assert.equal(await codeOf(await put(json('{"value":1}'), '?m=1')), '400 bad-message');
  // A route that describes no parameters takes none.
  assert.equal(await codeOf(await at('/v1/me?m=1')), '400 bad-message');
  assert.equal(await codeOf(await put(json(JSON.stringify({ value: 'x'.repeat(1_000) })))), '413 too-large');
  assert.equal(
    await codeOf(await put(json('{"value":1}', { 'content-type': 'text/plain' }))),
    '415 bad-message',
  );
  const halfUtf8 = { ...json(''), body: new Uint8Array([0x22, 0xc3, 0x22]) };
  assert.equal(await codeOf(await put(halfUtf8)), '400 bad-message');
});

test('HTTP-3 a body or a query cannot change the prototypes of the node', async (t) => {
  const { at } = await serve(t);
  for (const body of [
    '{"value":1,"__proto__":{"mark":true}}',
    '{"value":{"__proto__":{"mark":true}}}',
    '{"value":1,"constructor":{"prototype":{"mark":true}}}',
  ])
    await at('/v1/docs/acme/plan', json(body));
  await at('/v1/docs/acme/plan?__proto__[mark]=1&__proto__=1', json('{"value":1}'));
  assert.equal((await (await at('/v1/docs/acme/plan', json('{"value":1}'))).json()).mark, null);
});

test('HTTP-4 a caller is known by a token; without one the answer is 401 and names the way', async (t) => {
  const { at } = await serve(t, { auth: JWT });
  const answer = await at('/v1/me');
  assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
  assert.equal(await codeOf(answer), '401 unauthenticated');
  assert.equal(
    await codeOf(await at('/v1/me', { headers: { authorization: 'Basic YTpi' } })),
    '401 unauthenticated',
  );
  assert.equal(
    await codeOf(await at('/v1/me', { headers: { authorization: 'Bearer x.y.z' } })),
    '401 unauthenticated',
  );
  assert.deepEqual(await (await at('/v1/me', await bearer('ada'))).json(), { sub: 'ada' });
  assert.equal(await codeOf(await at('/v1/admin', await bearer('ada'))), '403 forbidden');
  assert.equal((await at('/v1/admin', await bearer('ada', {}, { admin: true }))).status, 200);
});

test('HTTP-4 with auth.mode none every caller is an owner, whatever it sends', async (t) => {
  const { at } = await serve(t);
  assert.deepEqual(await (await at('/v1/me', { headers: { authorization: 'Basic YTpi' } })).json(), {
    sub: 'anonymous',
  });
});

test('HTTP-5 a document without any right is not-found before its body is read, a lower role is forbidden', async (t) => {
  const { at } = await serve(t, { auth: JWT });
  const put = async (path: string, docs: object, body = '{"value":1}') => {
    const { headers } = await bearer('ada', docs);
    return codeOf(await at(path, json(body, headers as Record<string, string>)));
  };
  assert.equal(await put('/v1/docs/acme/plan', {}, '{"value":'), '404 not-found');
  assert.equal(await put('/v1/docs/acme/plan', { 'other/*': 'owner' }), '404 not-found');
  assert.equal(await put('/v1/docs/acme/plan', { 'acme/*': 'viewer' }, '{"value":'), '403 forbidden');
  assert.equal(await put('/v1/docs/acme/plan', { 'acme/*': 'editor' }), '200 undefined');
  assert.equal(await put('/v1/docs/ACME/plan', { 'acme/*': 'editor' }), '400 bad-name');
  assert.equal(await put('/v1/docs/acme/a%2Fb', { 'acme/*': 'editor' }), '400 bad-name');
  for (const length of [201, 257, 10_000])
    assert.equal(await put(`/v1/docs/acme/${'a'.repeat(length)}`, { 'acme/*': 'editor' }), '400 bad-name');
});

test('HTTP-6 past the rate of a user the answer is 429; others are not concerned', async (t) => {
  const { at } = await serve(t, { auth: JWT, http: { requestsPerSecond: 3 } });
  const ada = await bearer('ada');
  const all = await Promise.all(Array.from({ length: 12 }, () => at('/v1/me', ada)));
  const refused = all.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 3, 'at most three of a second are taken');
  assert.equal(refused[0]?.headers.get('retry-after'), '1');
  assert.equal(await codeOf(refused[0] as Response), '429 rate-limited');
  assert.equal((await at('/v1/me', await bearer('bob'))).status, 200);
});

test('HTTP-6 requests whose connection has closed count no more, also those that waited behind another', async (t) => {
  const { at, port } = await serve(t, { http: { requests: 3 } });
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /v1/waits HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(3));
  const isOverloaded = async (): Promise<boolean> => (await codeOf(await at('/v1/me'))) === '503 overloaded';
  await until(isOverloaded);
  socket.destroy();
  await until(async () => !(await isOverloaded()));
});

test('HTTP-7 a node that starts answers unavailable, and says when to come again', async (t) => {
  const { at } = await serve(t, {}, false);
  const answer = await at('/v1/me');
  assert.equal(answer.headers.get('retry-after'), '1');
  assert.equal(await codeOf(answer), '503 unavailable');
});

test('HTTP-8 the description is valid OpenAPI 3.1, and a page shows it with scripts of the node alone', async (t) => {
  const { at } = await serve(t);
  const text = await (await at('/v1/openapi.json')).text();
  assert.match(JSON.parse(text).openapi, /^3\.1/);
  assert.deepEqual(Object.keys(JSON.parse(text).paths).sort(), [
    '/v1/admin',
    '/v1/docs/{org}/{doc}',
    '/v1/fails/{code}',
    '/v1/me',
  ]);
  for (const address of ['/v1/reference', '/v1/reference/']) {
    const page = await at(address);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self';/);
    const shown = await page.text();
    assert.doesNotMatch(shown, /<script(?![^>]*src)[^>]*>[^<]/);
    const files = [...shown.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, file = '']) => file);
    assert.ok(files.length > 1);
    for (const file of files) {
      const found = await fetch(new URL(file, page.url));
      assert.deepEqual([found.status, found.headers.get('cache-control')], [200, 'no-store'], file);
    }
  }
  // It comes last: it takes the thread for so long that the node would refuse the next requests.
  const { errors = [] } = await new Validator().validate(JSON.parse(text));
  assert.deepEqual(errors, []);
});

test('HTTP-9 requests are counted by route and class of status', async (t) => {
  const { at, counts } = await serve(t);
  await at('/v1/me');
  await at('/v1/me?x=1');
  await at('/v1/nowhere/1');
  const seen = counts.all().map(({ labels: { route, status }, value }) => `${route} ${status} ${value}`);
  assert.deepEqual(seen.sort(), ['GET /v1/me 2xx 1', 'GET /v1/me 4xx 1', 'none 4xx 1']);
});
