// The garbage run for the HTTP API: throwers send broken and odd requests to every route of the node's description, with
// all kinds of tokens, while other clients edit over sockets. The server must live, answer with a coded error or with a
// success that the caller may have, and keep within its memory, and no other client may notice (garbage-scene.ts). The
// requests are made in http-requests.ts, and http-answers.ts judges the answers.
import { z } from 'zod';
import { below, pick } from '../clients/random-edits.ts';
import { RunFailure } from '../command-line/cli-options.ts';
import { ANSWER_MS, type GarbageOptions, type GarbageResult, GarbageScene, ORG } from './garbage-scene.ts';
import { type Asked, wrongAnswer } from './http-answers.ts';
import { type Heard, HttpConnection, type RawAnswer } from './http-connection.ts';
import {
  brokenRequest,
  encoded,
  type HttpGarbageSources,
  OTHER_PATHS,
  type RequestParts,
  type Route,
  someRequest,
  validRequest,
} from './http-requests.ts';

/** The length of the run. */
export type HttpGarbageOptions = GarbageOptions &
  ({ readonly seconds: number } | { readonly requests: number });

/**
 * Settings under which a node answers each request, ends slow ones while the run goes on, and has filled its cache of old
 * versions soon: growth after that is none of a cache.
 */
export const HTTP_GARBAGE_SETTINGS = {
  http: { requestsPerSecond: 1_000_000, headersMs: 2_000, requestMs: 3_000, idleMs: 10_000 },
  history: { cacheBytes: 4 * 1024 * 1024 },
} as const;

/** Connections beside the throwers. */
const SLOW = 8;
const UNREAD = 2;
/** How long a server may wait for a slow request; the defaults of the limits are below it. */
const SLOW_MS = 100_000;
const LOOK_MS = 100;
const SLOW_BYTE_MS = 50;
const UNREAD_REQUESTS = 30;
const UNREAD_MS = 2_000;
/** Requests in one write. */
const PIPELINED = 20;
const SESSION_EACH = 500;
/** A server may refuse such a request before it has come whole. */
const LARGE_BYTES = 12_000;

export async function httpGarbageRun(options: HttpGarbageOptions): Promise<GarbageResult> {
  const run = new HttpGarbageRun(options, await describedRoutes(options.url));
  return await run.play();
}

const DESCRIPTION = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ parameters: z.array(z.object({ name: z.string(), in: z.string() })).optional() }),
    ),
  ),
});

async function describedRoutes(url: string): Promise<readonly Route[]> {
  const answer = await fetch(new URL('/v1/openapi.json', url.replace(/^ws/, 'http')));
  const { paths } = DESCRIPTION.parse(await answer.json());
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { parameters = [] }]) => ({
      method: method.toUpperCase(),
      path,
      query: parameters.filter((each) => each.in === 'query').map(({ name }) => name),
    })),
  );
  if (routes.length === 0) throw new RunFailure('the description of the node has no paths');
  return routes;
}

class HttpGarbageRun {
  readonly #options: HttpGarbageOptions;
  readonly #scene: GarbageScene;
  readonly #url: URL;
  readonly #sources: HttpGarbageSources;
  readonly #until: number;
  readonly #thrown = new Set<Route>();
  readonly #first: Iterator<Route, undefined>;
  /** Faults of one kind are told once, with their number. */
  readonly #wrong = new Map<string, { readonly first: string; count: number }>();
  #cookie: string | undefined;
  #csrf = '';

  constructor(options: HttpGarbageOptions, routes: readonly Route[]) {
    this.#options = options;
    this.#scene = new GarbageScene({ ...options, demandsFlat: true });
    this.#url = new URL(options.url.replace(/^ws/, 'http'));
    this.#until =
      'seconds' in options ? performance.now() + options.seconds * 1_000 : Number.POSITIVE_INFINITY;
    this.#first = [...routes, ...OTHER_PATHS].values();
    this.#sources = {
      random: this.#scene.random,
      host: this.#url.host,
      routes,
      tokens: options.tokens,
      live: this.#scene.bystanders.docs,
      cookie: () => this.#cookie,
    };
  }

  async play(): Promise<GarbageResult> {
    const { throwers } = this.#options;
    return await this.#scene.play(async () => {
      await Promise.all([
        ...Array.from({ length: throwers }, () => this.#thrower()),
        ...Array.from({ length: SLOW }, () => this.#slow()),
        ...Array.from({ length: UNREAD }, (_, index) => this.#unread(index)),
      ]);
      await this.#conclude();
    });
  }

  get #isOver(): boolean {
    const { isOver, thrown } = this.#scene;
    const isEnough = 'requests' in this.#options && thrown >= this.#options.requests;
    return isOver || isEnough || performance.now() >= this.#until;
  }

  async #thrower(): Promise<void> {
    const { random } = this.#scene;
    let connection: HttpConnection | undefined;
    for (let round = 0; !this.#isOver; round++) {
      if (round % SESSION_EACH === 0) await this.#beginSession();
      const dice = random();
      if (dice < 0.2) await this.#throwBroken();
      else if (dice < 0.25) await this.#throwPipelined();
      else connection = await this.#throwWhole(connection);
    }
    connection?.destroy();
  }

  /** Returns the connection if it can be used again. */
  async #throwWhole(open: HttpConnection | undefined): Promise<HttpConnection | undefined> {
    const isFresh = open === undefined || open.isClosed;
    const connection = isFresh ? await HttpConnection.dial(this.#url) : open;
    // Each route once, and then any.
    const { value } = this.#first.next();
    const parts = someRequest(this.#sources, value);
    this.#scene.thrown += 1;
    this.#thrown.add(parts.route);
    const bytes = encoded(parts);
    connection.write(bytes);
    const heard = await connection.answer(parts.method, ANSWER_MS);
    // A connection that was idle may be closed at the moment of the request. One that is closed while bytes are on their
    // way loses the answer.
    if (!(heard === 'closed' && (!isFresh || bytes.length > LARGE_BYTES))) this.#judge(heard, parts);
    const isStream = typeof heard === 'object' && isStreamed(heard);
    if (!isStream && connection.restBytes > 0) this.#fault('bytes behind an answer', parts);
    const stays = typeof heard === 'object' && !isStream && heard.headers.get('connection') !== 'close';
    if (stays) return connection;
    connection.destroy();
    return undefined;
  }

  /** The client says that nothing more comes, so that the server need not wait for more. */
  async #throwBroken(): Promise<void> {
    const { bytes, parts } = brokenRequest(this.#sources);
    const connection = await HttpConnection.dial(this.#url);
    this.#scene.thrown += 1;
    connection.write(bytes);
    connection.end();
    // It may be read as several requests.
    for (let count = 0; ; count++) {
      const heard = await connection.answer(parts.method, ANSWER_MS);
      if (heard === 'closed') break;
      // A flipped bit may make any request of it: only errors and the form of the answer can be judged.
      if (typeof heard === 'object' && heard.status < 400) this.#scene.count(String(heard.status));
      else this.#judge(heard, parts);
      if (typeof heard !== 'object' || isStreamed(heard)) break;
      if (count > bytes.length) this.#fault('more answers than requests', parts);
    }
    connection.destroy();
  }

  /** Answers come in the order of the requests. Bytes behind them that are no request change nothing in that. */
  async #throwPipelined(): Promise<void> {
    const { random, bystanders } = this.#scene;
    const { tokens, host } = this.#sources;
    const headers: [string, string][] = [['host', host]];
    if (tokens !== undefined) headers.push(['authorization', `Bearer ${tokens.valid}`]);
    const request = (target: string): RequestParts => {
      const route = { method: 'GET', path: target, query: [] };
      const caller = tokens === undefined ? 'anyone' : 'valid';
      return {
        method: 'GET',
        target,
        version: 'HTTP/1.1',
        headers,
        body: undefined,
        isLive: true,
        caller,
        route,
      };
    };
    const live = bystanders.docs;
    const choices: readonly (readonly [target: string, status: number, text: string])[] = [
      ['/healthz', 200, '"alive"'],
      ['/readyz', 200, '"ready"'],
      ['/v1/nothing', 404, '"not-found"'],
      [`/v1/docs/${ORG}/${'x'.repeat(201)}`, 400, '"bad-name"'],
      ...live.map((doc) => [`/v1/docs/${doc}`, 200, `"doc":"${doc}"`] as const),
    ];
    const asked = Array.from({ length: 1 + below(random, PIPELINED) }, () => pick(random, choices));
    const isBroken = random() < 0.5;
    const connection = await HttpConnection.dial(this.#url);
    const tail = isBroken ? [Buffer.from('garbage\r\n\r\n')] : [];
    connection.write(Buffer.concat([...asked.map(([target]) => encoded(request(target))), ...tail]));
    this.#scene.thrown += asked.length;
    for (const [target, status, text] of asked) {
      const heard = await connection.answer('GET', ANSWER_MS);
      const parts = request(target);
      // The garbage ends the connection, with some requests unanswered.
      if (heard === 'closed' && isBroken) break;
      this.#judge(heard, parts);
      if (typeof heard !== 'object') break;
      const isThis = heard.status === status && heard.body.includes(text);
      if (!isThis && heard.status !== 503 && heard.status !== 429)
        this.#fault(
          `the answer of another request: ${heard.status} ${heard.body.toString('utf8', 0, 200)}`,
          parts,
        );
    }
    connection.destroy();
  }

  /** Sends a part of a request, or all of it byte for byte; the server must answer or close. */
  async #slow(): Promise<void> {
    const { random } = this.#scene;
    while (!this.#isOver) {
      const parts = validRequest(this.#sources, pick(random, this.#sources.routes));
      const bytes = encoded(parts);
      const connection = await HttpConnection.dial(this.#url);
      const start = below(random, bytes.length);
      connection.write(bytes.subarray(0, start));
      const isDripping = random() < 0.5;
      const until = performance.now() + SLOW_MS;
      let heard: Heard = 'silent';
      for (let at = start; heard === 'silent' && !this.#isOver && performance.now() < until; at++) {
        if (isDripping && at < bytes.length - 1) connection.write(bytes.subarray(at, at + 1));
        heard = await connection.answer(parts.method, isDripping ? SLOW_BYTE_MS : LOOK_MS);
      }
      this.#scene.thrown += 1;
      if (heard === 'silent' && !this.#isOver)
        this.#fault('a slow request is neither answered nor closed', parts);
      if (typeof heard === 'object' && heard.status >= 400) this.#judge(heard, { ...parts, method: 'GET' });
      connection.destroy();
    }
  }

  /** Asks for a large document again and again, and reads nothing. */
  async #unread(index: number): Promise<void> {
    const { tokens, host } = this.#sources;
    const authorization: [string, string][] =
      tokens === undefined ? [] : [['authorization', `Bearer ${tokens.valid}`]];
    const headers = Object.fromEntries([...authorization, ['content-type', 'application/json']]);
    const path = `/v1/docs/${ORG}/unread-${index}-${below(this.#scene.random, 1e9)}`;
    const body = JSON.stringify({ kind: 'json', content: 'large '.repeat(30_000) });
    const made = await fetch(new URL(path, this.#url), { method: 'PUT', headers, body });
    await made.arrayBuffer();
    if (made.status !== 201) this.#scene.fault(`a large document is not created: ${made.status}`);
    const head = [['host', host], ...authorization].map((line) => `${line.join(': ')}\r\n`).join('');
    while (!this.#isOver) {
      const connection = await HttpConnection.dial(this.#url);
      connection.pause();
      connection.write(Buffer.from(`GET ${path} HTTP/1.1\r\n${head}\r\n`.repeat(UNREAD_REQUESTS)));
      this.#scene.thrown += UNREAD_REQUESTS;
      const until = performance.now() + UNREAD_MS;
      while (!this.#isOver && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      connection.destroy();
    }
  }

  /** Begins a session by a token, for requests with its cookie, and ends the one before. */
  async #beginSession(): Promise<void> {
    const { tokens } = this.#sources;
    if (tokens === undefined) return;
    const url = new URL('/v1/session', this.#url);
    const [before, csrf] = [this.#cookie, this.#csrf];
    const signal = AbortSignal.timeout(ANSWER_MS);
    const headers = { authorization: `Bearer ${tokens.valid}` };
    const begun = await fetch(url, { method: 'POST', headers, signal });
    const text = await begun.text();
    if (begun.status !== 200) return;
    this.#cookie = begun.headers.get('set-cookie')?.split(';', 1)[0];
    this.#csrf = z.object({ csrf: z.string() }).parse(JSON.parse(text)).csrf;
    if (before === undefined) return;
    const login = { cookie: before, 'x-csrf-token': csrf };
    const ended = await fetch(url, { method: 'DELETE', headers: login, signal });
    await ended.arrayBuffer();
  }

  #judge(heard: Heard, parts: RequestParts): void {
    if (typeof heard === 'string') {
      this.#scene.count(heard);
      this.#fault(heard, parts);
      return;
    }
    this.#scene.count(`${heard.status}${codeOf(heard)}`);
    const asked: Asked = parts;
    const wrong = wrongAnswer(heard, asked);
    if (wrong !== undefined) this.#fault(wrong, parts);
  }

  #fault(wrong: string, { method, target, caller, headers, body }: RequestParts): void {
    const kind = wrong.slice(0, 60);
    const known = this.#wrong.get(kind);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    const sent = headers
      .filter(([name]) => !['host', 'authorization'].includes(name) && !name.startsWith('x-flood'))
      .map((header) => header.join(': ').slice(0, 80));
    const first = `${method} ${target.slice(0, 200)} (${caller}; ${sent.slice(0, 8).join('; ')}; ${body?.toString('utf8', 0, 200) ?? 'no body'}): ${wrong}`;
    this.#wrong.set(kind, { first, count: 1 });
  }

  async #conclude(): Promise<void> {
    for (const { first, count } of this.#wrong.values()) this.#scene.fault(`${first} (${count} times)`);
    for (const route of [...this.#sources.routes, ...OTHER_PATHS])
      if (!this.#thrown.has(route)) this.#scene.fault(`nothing was thrown at ${route.method} ${route.path}`);
    // A prototype that was changed would be seen in it.
    const alive = await (await fetch(new URL('/healthz', this.#url))).text();
    if (alive !== '{"status":"alive"}') this.#scene.fault(`/healthz has answered ${alive.slice(0, 200)}`);
  }
}

const isStreamed = ({ headers }: RawAnswer): boolean =>
  headers.get('content-type')?.startsWith('text/event-stream') === true;

function codeOf({ status, body }: RawAnswer): string {
  if (status < 400) return '';
  const code = /"code":"([a-z-]{1,30})"/.exec(body.toString('utf8', 0, 100))?.[1];
  return code === undefined ? '' : ` ${code}`;
}
