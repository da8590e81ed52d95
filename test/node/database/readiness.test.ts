// `/readyz` and the database: a node whose PostgreSQL is stopped, hangs or takes no edits reports it, and is
// ready again by itself.
import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import pino from 'pino';
import postgres from 'postgres';
import { WebSocket } from 'ws';
import type { Clock } from '../../../actors/clock.ts';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import { loadConfig } from '../../../config/load.ts';
import { freePort } from '../../../loadtest/nodes/free-ports.ts';
import { DatabaseHealth } from '../../../src/database/database-health.ts';
import { startNode } from '../../../src/node.ts';
import { startTestNode, type TestNode } from '../../support/node.ts';
import { freshDatabase, startTestPostgres } from '../../support/postgres.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { untilSeen } from '../../support/until.ts';
import { WireClient } from '../../support/wire-client.ts';

const LIMIT = { timeout: 120_000 };
const STORAGE = { answerTimeoutMs: '1s', connectTimeoutMs: '1s', unreadyMs: '500ms' };
const OP = [{ op: 'add', path: '/x', value: 1 }];

test('a database that does not answer makes the node unready after unreadyMs, and its answer ends that', async () => {
  const clock = new HandClock();
  const asked: { resolve(at: number): void; reject(error: Error): void }[] = [];
  const timeline = () =>
    new Promise<{ timeline: number; highest: number }>((resolve, reject) =>
      asked.push({ resolve: (at) => resolve({ timeline: at, highest: at }), reject }),
    );
  const risen: number[] = [];
  const said: string[] = [];
  const log = {
    warn: (_: object, line: string) => void said.push(line),
    info: (_: object, line: string) => void said.push(line),
  };
  const health = new DatabaseHealth({
    control: { timeline },
    unreadyMs: 5_000,
    clock,
    log,
    onRisen: (at) => void risen.push(at),
  });
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  asked[0]?.resolve(7);
  await settled();
  clock.pass(1_000);
  clock.pass(4_999);
  assert.equal(health.problem, undefined);
  assert.equal(asked.length, 2, 'one question at a time');
  clock.pass(1);
  assert.equal(health.problem, 'PostgreSQL has given no good answer for 5 s');
  asked[1]?.reject(
    new StoreUnavailable('timeline: connect ECONNREFUSED 10.0.0.5:5432', {
      cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
    }),
  );
  await settled();
  clock.pass(2_000);
  assert.equal(health.problem, 'PostgreSQL has given no good answer for 7 s (ECONNREFUSED)');
  asked[2]?.resolve(7);
  await settled();
  assert.equal(health.problem, undefined);
  clock.pass(1_000);
  assert.deepEqual(risen, [7]);
  assert.deepEqual(said, [
    'this node is not ready: the database does not serve it',
    'this node is ready again: the database serves it',
  ]);
  health.stop();
});

test('batches of one worker that are refused make the node unready until they are taken', async () => {
  const clock = new HandClock();
  const log = { warn: () => undefined, info: () => undefined };
  const timeline = async () => ({ timeline: 1, highest: 1 });
  const health = new DatabaseHealth({
    control: { timeline },
    unreadyMs: 5_000,
    clock,
    log,
    onRisen: () => undefined,
  });
  const answered = async () => {
    clock.pass(1_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  };
  await answered();
  health.writes(0, { code: '40001' });
  health.writes(1, { code: '53100' });
  health.writes(0, undefined);
  for (let i = 0; i < 4; i++) await answered();
  health.writes(1, { code: '53100' });
  assert.equal(health.problem, undefined);
  await answered();
  assert.equal(health.problem, 'PostgreSQL has taken no edits for 5 s (53100)');
  health.writes(1, undefined);
  assert.equal(health.problem, undefined);
  health.stop();
});

test('READY-1 a node that is starting sends sockets away with 503, at every endpoint', LIMIT, async (t) => {
  const port = await freePort();
  const given = new AbortController();
  // Nothing listens at port 1, so the start waits for PostgreSQL.
  const config = loadConfig({
    set: [`listen.port=${port}`, 'storage.url=postgres://u@127.0.0.1:1/d', 'storage.startTimeoutMs=10m'],
  });
  const starting = startNode(config, { log: pino({ level: 'silent' }), signal: given.signal });
  t.after(async () => {
    given.abort(new Error('given up'));
    await assert.rejects(starting, /given up/);
  });
  for (const path of ['/v1/socket', '/yjs/acme/plan', '/hocuspocus']) {
    const { status, headers, body } = await untilSeen('an answer', () => refusedUpgrade(port, path));
    assert.equal(status, 503, path);
    assert.equal(headers['retry-after'], '1');
    assert.deepEqual(JSON.parse(body), {
      code: 'unavailable',
      message: 'the node is starting',
      retryable: true,
    });
  }
  const probe = await fetch(`http://127.0.0.1:${port}/readyz`);
  assert.deepEqual([probe.status, probe.headers.get('retry-after')], [503, '1']);
  // Other requests are served as before.
  assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
});

test('READY-2 a stopped PostgreSQL: 503 with the reason, and the sockets stay', LIMIT, async (t) => {
  const afterwards: (() => unknown)[] = [];
  const server = await startTestPostgres({ fsync: false });
  afterwards.push(() => server.stop());
  const node = await startTestNode(t, { storageUrl: server.url, storage: STORAGE });
  t.after(async () => {
    for (const close of afterwards) await close();
  });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  assert.deepEqual(await readyz(node), { status: 200, body: { status: 'ready' } });
  await server.stop();
  afterwards.length = 0;
  const { body } = await unreadyFor(node, /^PostgreSQL has given no good answer for \d+ s \(ECONNREFUSED\)$/);
  assert.deepEqual([body.code, body.retryable], ['unavailable', true]);
  assert.equal((await fetch(new URL('/healthz', node.url))).status, 200);
  client.send({ type: 'ping', id: 1 });
  await client.next('pong');
});

test('READY-2 a hung PostgreSQL: 503 with the reason, and 200 once it answers', LIMIT, async (t) => {
  const afterwards: (() => unknown)[] = [];
  const later = { after: (close: () => unknown) => void afterwards.unshift(close) };
  const proxy = await startSilentProxy(later, await freshDatabase(later));
  t.after(() => proxy.speak());
  const node = await startTestNode(t, { storageUrl: proxy.url, storage: STORAGE });
  t.after(async () => {
    for (const close of afterwards) await close();
  });
  proxy.silence();
  await unreadyFor(node, /^PostgreSQL has given no good answer for \d+ s/);
  proxy.speak();
  await ready(node);
});

test(
  'READY-2 a PostgreSQL that answers and takes no edits, as on a full disk: 503 with the reason',
  LIMIT,
  async (t) => {
    const node = await startTestNode(t, { storage: STORAGE });
    const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
    await client.open('acme/full', 'json');
    const sql = postgres(node.storageUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
    t.after(() => sql.end());
    await sql.unsafe(`
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON delta EXECUTE FUNCTION full_disk()`);
    client.send({ type: 'submit', doc: 'acme/full', seq: 1, base: 0, op: OP });
    await unreadyFor(node, /^PostgreSQL has taken no edits for \d+ s \(53100\)$/);
    await sql.unsafe('DROP TRIGGER full_disk ON delta');
    assert.equal((await client.answer('acme/full', 1)).type, 'commit');
    await ready(node);
  },
);

interface RefusedUpgrade {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The answer to an upgrade that is refused. Undefined if nobody listens at the port. */
async function refusedUpgrade(port: number, path: string): Promise<RefusedUpgrade | undefined> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  const answer = await new Promise<IncomingMessage | undefined>((resolve) => {
    socket.once('unexpected-response', (_request, response) => resolve(response));
    socket.once('error', () => resolve(undefined));
  });
  if (answer === undefined) return undefined;
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

interface Readiness {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function readyz(node: TestNode): Promise<Readiness> {
  const response = await fetch(new URL('/readyz', node.url));
  return { status: response.status, body: await response.json() };
}

const ready = (node: TestNode): Promise<true> =>
  untilSeen('ready', async () => ((await readyz(node)).status === 200 ? true : undefined));

const unreadyFor = (node: TestNode, reason: RegExp): Promise<Readiness> =>
  untilSeen(`503 for ${reason}`, async () => {
    const answer = await readyz(node);
    return answer.status === 503 && reason.test(String(answer.body.message)) ? answer : undefined;
  });

/** A clock that the test advances. */
class HandClock implements Clock {
  #time = 0;
  readonly #repeated: { every: number; next: number; run: () => void }[] = [];

  now(): number {
    return this.#time;
  }

  after(): () => void {
    return () => undefined;
  }

  every(ms: number, run: () => void): () => void {
    this.#repeated.push({ every: ms, next: this.#time + ms, run });
    return () => this.#repeated.splice(0);
  }

  soon(run: () => void): void {
    run();
  }

  /** Advances the clock, and runs all timers that are due meanwhile. */
  pass(ms: number): void {
    const until = this.#time + ms;
    for (const each of this.#repeated) {
      while (each.next <= until) {
        this.#time = each.next;
        each.next += each.every;
        each.run();
      }
    }
    this.#time = until;
  }
}
