// The requests of the HTTP garbage run: each is one of a route of the node's own description, made wrong in up to three
// ways. This file makes them and sends nothing.
// It has over 400 lines because it lists all kinds of requests, faults and wrong framings, each in a few lines.
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { below, pick, type Random } from '../clients/random-edits.ts';
import { ORG } from './garbage-scene.ts';
import type { GarbageTokens } from './garbage-tokens.ts';
import {
  HUGE_BODIES,
  STRANGE_BODIES,
  STRANGE_HEADERS,
  STRANGE_PATHS,
  STRANGE_TEXTS,
} from './http-strange.ts';

/**
 * The right of a caller: `anyone` at a node without tokens, `cookie` a session of `valid` without its csrf, `none`
 * without a token.
 */
export type HttpCaller = 'anyone' | 'none' | 'valid' | 'viewer' | 'foreign' | 'admin' | 'invalid' | 'cookie';

export interface Route {
  readonly method: string;
  /** Such as `/v1/docs/{org}/{doc}`. */
  readonly path: string;
  /** The names of its query parameters. */
  readonly query: readonly string[];
}

export interface RequestParts {
  method: string;
  target: string;
  version: string;
  readonly headers: [name: string, value: string][];
  body: Buffer | undefined;
  /** The target is a document of the bystanders: the request stays one that only reads, or that is refused. */
  readonly isLive: boolean;
  readonly caller: HttpCaller;
  readonly route: Route;
}

export interface HttpGarbageSources {
  readonly random: Random;
  readonly host: string;
  readonly routes: readonly Route[];
  readonly tokens: GarbageTokens | undefined;
  /** Documents of the bystanders. */
  readonly live: readonly string[];
  /** The cookie of a session; undefined if there is none. */
  readonly cookie: () => string | undefined;
}

const DOCUMENTS = 24;
const KINDS = ['json', 'rich-text', 'yjs'] as const;
const READING = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];
const METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'POST',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'SEARCH',
  'LINK',
];

/** Paths that are not in the description. */
export const OTHER_PATHS: readonly Route[] = [
  '/',
  '/healthz',
  '/readyz',
  '/metrics',
  '/v1',
  '/v1/',
  '/v1/socket',
  '/v1/openapi.json',
  '/v1/reference',
  '/v1/reference/static/index.html',
  `/yjs/${ORG}/x`,
  '/hocuspocus',
  '/index.html',
].map((path) => ({ method: 'GET', path, query: [] }));

/** A request of the route, or of some route, with up to three faults. Its framing is right. */
export function someRequest(sources: HttpGarbageSources, route?: Route): RequestParts {
  const { random } = sources;
  const parts = validRequest(sources, route ?? pick(random, random() < 0.9 ? sources.routes : OTHER_PATHS));
  const faults = below(random, 4);
  for (let count = 0; count < faults; count++) pick(random, FAULTS)(parts, random);
  return parts;
}

/** A request as the route wants it, of some caller. */
export function validRequest(sources: HttpGarbageSources, route: Route): RequestParts {
  const { random, host } = sources;
  const [caller, credentials] = someCaller(sources, route);
  const index = below(random, DOCUMENTS);
  const isRead = route.method === 'GET';
  // The documents of the bystanders are written by nobody else, with a right to it.
  const isLive = (isRead || ['none', 'invalid', 'foreign', 'viewer'].includes(caller)) && random() < 0.3;
  const doc = isLive ? (pick(random, sources.live).split('/')[1] ?? '') : `thrown-${index}`;
  const path = route.path
    .replace('{org}', ORG)
    .replace('{doc}', doc)
    .replace(/\{[^}]*\}/g, `v${index % 5}`);
  const query = route.query.filter(() => random() < 0.3).map((name) => `${name}=${someValue(name, random)}`);
  const content = isRead ? undefined : someBody(route, index, random);
  return {
    method: route.method,
    target: query.length === 0 ? path : `${path}?${query.join('&')}`,
    version: 'HTTP/1.1',
    headers: [
      ['host', host],
      ...credentials,
      ...(content === undefined ? [] : [['content-type', content.type] satisfies [string, string]]),
      ...(random() < 0.1
        ? [['idempotency-key', `key-${below(random, 100)}`] satisfies [string, string]]
        : []),
      ...(random() < 0.1 ? [['if-match', random() < 0.5 ? '*' : '"abc.1"'] satisfies [string, string]] : []),
    ],
    body: content?.bytes,
    isLive,
    caller,
    route,
  };
}

/** The request as bytes, with the length of its body. */
export function encoded({ method, target, version, headers, body }: RequestParts): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const length = body === undefined ? '' : `content-length: ${body.length}\r\n`;
  const head = Buffer.from(`${method} ${target} ${version}\r\n${lines}${length}\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, body]);
}

/** Bytes whose framing is wrong. The server answers, waits for more, or closes. */
export function brokenRequest(sources: HttpGarbageSources): {
  readonly bytes: Buffer;
  readonly parts: RequestParts;
} {
  const parts = someRequest(sources);
  if (parts.method === 'HEAD') parts.method = 'GET';
  return { bytes: pick(sources.random, BREAKS)(parts, sources.random), parts };
}

function someCaller(
  { random, tokens, cookie }: HttpGarbageSources,
  { path }: Route,
): [HttpCaller, [string, string][]] {
  if (tokens === undefined) return ['anyone', random() < 0.1 ? [['authorization', 'Bearer x']] : []];
  const bearer = (token: string): [string, string][] => [['authorization', `Bearer ${token}`]];
  const { valid, viewer, foreign, admin, invalid } = tokens;
  const dice = random();
  // Else the administrator would be a rare caller of its own routes.
  if (admin !== undefined && /revocations|recheck/.test(path) && dice < 0.5) return ['admin', bearer(admin)];
  if (dice < 0.55) return ['valid', bearer(valid)];
  if (dice < 0.62 && viewer !== undefined) return ['viewer', bearer(viewer)];
  if (dice < 0.7 && foreign !== undefined) return ['foreign', bearer(foreign)];
  if (dice < 0.73 && admin !== undefined) return ['admin', bearer(admin)];
  if (dice < 0.86) return ['invalid', bearer(pick(random, invalid))];
  const shown = cookie();
  if (dice < 0.93 && shown !== undefined) return ['cookie', [['cookie', shown]]];
  return ['none', []];
}

function someValue(name: string, random: Random): string {
  if (random() < 0.2) return pick(random, STRANGE_TEXTS);
  switch (name) {
    case 'at':
      return encodeURIComponent(
        pick(random, [new Date().toISOString(), '9999-12-31T23:59:59-23:59', '0000-01-01T00:00:00+23:59']),
      );
    case 'format':
      return pick(random, ['text', 'markdown', 'html']);
    case 'erase':
    case 'deleted':
      return pick(random, ['true', 'false']);
    case 'name':
      return `v${below(random, 5)}`;
    case 'prefix':
      return 'thr';
    case 'cursor':
      return pick(random, CURSORS);
    default:
      return String(below(random, 12));
  }
}

const CURSORS = [
  '2',
  'v1',
  ...[['thrown-1', 5], ['\u0000', 1], ['x', 2 ** 53 - 1], ['x', -1], ['\ud800', 1], [], { length: 2 }].map(
    (value) => Buffer.from(JSON.stringify(value)).toString('base64url'),
  ),
];

interface Body {
  readonly type: string;
  readonly bytes: Buffer;
}

const jsonBody = (value: unknown, type = 'application/json'): Body => ({
  type,
  bytes: Buffer.from(JSON.stringify(value) ?? 'undefined'),
});

/** A body that the route takes; some routes take none. */
function someBody({ method, path }: Route, index: number, random: Random): Body | undefined {
  const name = path.replace('/v1/docs/{org}/{doc}', '');
  const version = below(random, 8);
  switch (`${method} ${name}`) {
    case 'PUT ':
      return jsonBody(newDocument(index, random));
    case 'PATCH ':
      return random() < 0.5
        ? jsonBody(somePatch(random), 'application/json-patch+json')
        : jsonBody({ op: index % 3 === 1 ? someDelta(random) : somePatch(random), base: version });
    case 'POST /restore':
      return jsonBody(random() < 0.5 ? { version } : { name: `v${index % 5}` });
    case 'POST /revert':
      return jsonBody({
        from: version,
        to: version + below(random, 3),
        ...(random() < 0.3 && { user: 'thrower' }),
      });
    case 'PUT /versions/{name}':
      return jsonBody(random() < 0.5 ? {} : { version });
    case 'POST /v1/revocations':
      return jsonBody(random() < 0.5 ? { sub: `nobody-${index}` } : { jti: `nothing-${index}`, before: 5 });
    case 'POST /v1/recheck':
      return jsonBody({ org: ORG, ...(random() < 0.5 && { doc: `thrown-${index}` }), sub: 'nobody' });
    default:
      return undefined;
  }
}

function newDocument(index: number, random: Random): unknown {
  const kind = KINDS[index % 3] ?? 'json';
  const dice = random();
  if (dice < 0.1)
    return { copyOf: `${ORG}/thrown-${below(random, DOCUMENTS)}`, ...(dice < 0.05 && { version: 1 }) };
  if (dice < 0.5) return { kind };
  const contents = { json: { a: [1, 2], b: 'x' }, 'rich-text': [{ insert: 'some text\n' }], yjs: 'AAA=' };
  return { kind, content: contents[kind] };
}

const somePatch = (random: Random): unknown =>
  pick(random, [
    [{ op: 'add', path: `/m${below(random, 20)}`, value: below(random, 100) }],
    [{ op: 'remove', path: '/a' }],
    [
      { op: 'add', path: '/a', value: [] },
      { op: 'add', path: '/a/-', value: { deep: [[]] } },
    ],
    [{ op: 'test', path: '/b', value: 'x' }],
    [{ op: 'move', from: '/a', path: '/a/b' }],
    [{ op: 'copy', from: '', path: '/copy' }],
    [{ op: 'add', path: '/__proto__/x', value: 1 }],
    [{ op: 'add', path: '/big', value: 1e308 }],
    [],
  ]);

const someDelta = (random: Random): unknown =>
  pick(random, [
    [{ insert: 'text ' }],
    [{ retain: 2 }, { delete: 1 }],
    [{ retain: 10_000_000 }],
    [{ insert: 'x', attributes: { ['__proto__']: 1, constructor: {}, link: 'javascript:alert(1)' } }],
    [{ insert: '\ud800' }],
    [{ delete: -1 }],
    [{ insert: {} }],
  ]);

type Fault = (parts: RequestParts, random: Random) => void;

const setHeader = ({ headers }: RequestParts, name: string, value: string): void => {
  const at = headers.findIndex(([known]) => known === name);
  if (at >= 0) headers[at] = [name, value];
  else headers.push([name, value]);
};

const withQuery = (parts: RequestParts, query: string): void => {
  parts.target += `${parts.target.includes('?') ? '&' : '?'}${query}`;
};

/** One member or element of the JSON is put in place of another. */
function mutatedJson(body: Buffer, random: Random): Buffer {
  const strange = pick(random, STRANGE_BODIES);
  const values = [...body.toString().matchAll(/"(?:[^"\\]|\\.)*"|\d+|true|false|null|\[\]|\{\}/g)];
  const found = values[below(random, Math.max(1, values.length))];
  if (found === undefined) return Buffer.from(strange);
  const text = body.toString();
  return Buffer.from(text.slice(0, found.index) + strange + text.slice(found.index + found[0].length));
}

/** Faults that leave the framing right. */
const FAULTS: readonly Fault[] = [
  (parts, random) => {
    const mayWrite = ['valid', 'cookie', 'anyone'].includes(parts.caller);
    parts.method = pick(random, parts.isLive && mayWrite ? READING : METHODS);
  },
  (parts, random) => {
    const segments = parts.target.split('/');
    segments[1 + below(random, Math.max(1, segments.length - 1))] = pick(random, STRANGE_PATHS);
    parts.target = segments.join('/');
  },
  (parts, random) => {
    parts.target = parts.target.replace(/(?=\?|$)/, pick(random, STRANGE_PATHS));
  },
  // The same path, written in another way.
  (parts, random) => {
    const [path = ''] = parts.target.split('?', 1);
    const at = below(random, path.length);
    const escaped = path.slice(at).replace(/[a-z\d]/i, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
    parts.target = path.slice(0, at) + escaped + parts.target.slice(path.length);
  },
  (parts, random) => {
    const { query } = parts.route;
    const name = random() < 0.7 && query.length > 0 ? pick(random, query) : pick(random, STRANGE_TEXTS);
    withQuery(parts, `${name}=${pick(random, STRANGE_TEXTS)}`);
  },
  (parts, random) => {
    const [name, value] = pick(random, STRANGE_HEADERS);
    setHeader(parts, name, value);
  },
  (parts, random) => {
    const [name, value] = pick(random, STRANGE_HEADERS);
    parts.headers.push([name, value]);
  },
  (parts, random) => {
    // Node takes 16 KiB of headers.
    const count = below(random, 300);
    for (let at = 0; at < count; at++) parts.headers.push([`x-flood-${at}`, 'x'.repeat(below(random, 20))]);
  },
  (parts, random) => {
    if (parts.body !== undefined) parts.body = mutatedJson(parts.body, random);
  },
  (parts, random) => {
    if (parts.body !== undefined) parts.body = mutatedJson(parts.body, random);
  },
  (parts, random) => {
    if (parts.body === undefined) return;
    const at = below(random, parts.body.length);
    parts.body = Buffer.from(parts.body);
    parts.body[at] = below(random, 256);
  },
  (parts, random) => {
    if (parts.body !== undefined) parts.body = parts.body.subarray(0, below(random, parts.body.length));
  },
  (parts, random) => {
    parts.body = Buffer.from(pick(random, STRANGE_BODIES));
    if (random() < 0.7) setHeader(parts, 'content-type', 'application/json');
  },
  (parts, random) => {
    if (random() > 0.05) return;
    parts.body = pick(random, HUGE_BODIES)();
    setHeader(parts, 'content-type', pick(random, ['application/json', 'application/json-patch+json']));
  },
  (parts, random) => {
    parts.body = randomBytes(below(random, 300));
  },
  (parts) => {
    if (parts.body === undefined) return;
    parts.body = gzipSync(parts.body);
    setHeader(parts, 'content-encoding', 'gzip');
  },
  (parts) => {
    if (parts.body !== undefined) parts.body = Buffer.from(`\ufeff${parts.body.toString()}`, 'utf16le');
  },
];

type Break = (parts: RequestParts, random: Random) => Buffer;

const headOf = ({ method, target, version, headers }: RequestParts, more: string): string =>
  `${method} ${target} ${version}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}${more}\r\n`;

const withBody = (parts: RequestParts, more: string): Buffer =>
  Buffer.concat([Buffer.from(headOf(parts, more), 'latin1'), parts.body ?? Buffer.from('{}')]);

const CHUNKS: readonly string[] = [
  '2\r\n{}\r\n0\r\n\r\n',
  'zz\r\n{}\r\n0\r\n\r\n',
  'ffffffffffffffffff\r\n{}\r\n',
  '-2\r\n{}\r\n0\r\n\r\n',
  '2;ext=1\r\n{}\r\n0\r\nx-trailer: 1\r\n\r\n',
  '2;'.concat('x'.repeat(20_000), '\r\n{}\r\n0\r\n\r\n'),
  '2\n{}\n0\n\n',
  '1\r\n{}\r\n0\r\n\r\n',
  '5\r\n{}',
  '0\r\n\r\n',
  '1\r\n{\r\n1\r\n}\r\n0\r\n\r\n'.concat('GET /healthz HTTP/1.1\r\n\r\n'),
  '0\r\n'.concat('x-trailer: 1\r\n'.repeat(3_000), '\r\n'),
];

/** Ways in which the framing is wrong, or unusual. */
const BREAKS: readonly Break[] = [
  (parts, random) =>
    withBody(parts, `content-length: ${(parts.body?.length ?? 2) + 1 + below(random, 5_000)}\r\n`),
  (parts, random) => withBody(parts, `content-length: ${below(random, parts.body?.length ?? 2)}\r\n`),
  (parts, random) =>
    withBody(
      parts,
      `content-length: ${pick(random, ['-1', '1e3', '0x10', '99999999999999999999', '', '+2', '2, 2', '\u00a02'])}\r\n`,
    ),
  (parts) => withBody(parts, 'content-length: 2\r\ncontent-length: 3\r\n'),
  (parts) => withBody(parts, 'content-length: 2\r\ntransfer-encoding: chunked\r\n'),
  (parts, random) =>
    Buffer.from(headOf(parts, 'transfer-encoding: chunked\r\n') + pick(random, CHUNKS), 'latin1'),
  (parts, random) =>
    withBody(
      parts,
      `transfer-encoding: ${pick(random, ['gzip', 'chunked, gzip', 'xchunked', 'chunked, chunked', '"chunked"'])}\r\n`,
    ),
  (parts, random) => {
    parts.version = pick(random, [
      'HTTP/1.0',
      'HTTP/1.0',
      'HTTP/0.9',
      'HTTP/2.0',
      'HTTP/1.9',
      'http/1.1',
      'HTTP/11',
      '',
      'HTTP/1.1 x',
    ]);
    return encoded(parts);
  },
  ({ target }) => Buffer.from(`GET ${target}\r\n`),
  (parts) => {
    const at = parts.headers.findIndex(([name]) => name === 'host');
    if (at >= 0) parts.headers.splice(at, 1);
    return encoded(parts);
  },
  (parts) => {
    parts.headers.push(['host', 'evil.example']);
    return encoded(parts);
  },
  (parts) => Buffer.from(encoded(parts).toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  (parts, random) => {
    const line = pick(random, [
      ' folded',
      'no colon',
      ': no name',
      'na me: x',
      'x : y',
      'x\u0000: y',
      'x: \u0000',
      'x: a\rb',
      'é: x',
    ]);
    return Buffer.from(headOf(parts, `${line}\r\n`), 'latin1');
  },
  (parts, random) => Buffer.from(headOf(parts, `x-long: ${'x'.repeat(10_000 + below(random, 100_000))}\r\n`)),
  (parts) => Buffer.from(headOf(parts, 'x: y\r\n'.repeat(4_000))),
  (parts) => {
    parts.target = `/v1/docs/${ORG}/${'x'.repeat(30_000)}`;
    return encoded(parts);
  },
  (parts, random) => {
    const bytes = encoded(parts);
    return bytes.subarray(0, 1 + below(random, bytes.length));
  },
  (parts, random) => {
    const bytes = encoded(parts);
    for (let count = 0; count < 3; count++) bytes[below(random, bytes.length)] = below(random, 256);
    return bytes;
  },
  (_, random) => randomBytes(1 + below(random, 500)),
  () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  () => Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Array<number>(40).fill(7)]),
  (parts, random) => {
    parts.headers.push(
      ['connection', 'upgrade'],
      ['upgrade', pick(random, ['h2c', 'websocket', 'x'.repeat(500)])],
    );
    if (random() < 0.5) parts.target = '/v1/socket';
    return encoded(parts);
  },
  (parts) => {
    parts.method = 'CONNECT';
    return encoded(parts);
  },
  (parts, random) => {
    parts.headers.push(['expect', pick(random, ['100-continue', 'miracles', ''])]);
    return encoded(parts);
  },
  (parts, random) => {
    parts.method = pick(random, ['get', 'FOO', 'X'.repeat(300), 'G\u00cbT', '']);
    return encoded(parts);
  },
  (parts, random) => {
    parts.target = pick(random, [
      '*',
      'http://127.0.0.1/v1/docs/garbage/x',
      '//evil.example/',
      'v1',
      '/v1/docs/garbage/x y',
      '/\u00ff',
      '\\v1\\docs',
      '?',
      '#',
      '/#/v1/docs',
    ]);
    return encoded(parts);
  },
];
