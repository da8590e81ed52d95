// A node ends while its database does not answer: every step of its start is given up, and nothing of it is
// left. A process that took all its time would end with exit code 1.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { ControlStore } from '../../actors/storage/store.ts';
import { createControlStore } from '../../actors/storage/store-postgres.ts';
import { Rings } from '../../cluster/placement/rings.ts';
import { Router } from '../../cluster/shards/router.ts';
import { configFrom } from '../../config/load.ts';
import { freePort } from '../../loadtest/nodes/free-ports.ts';
import { hostLimits } from '../../src/host-limits.ts';
import { startClusterRun } from '../../src/membership/cluster-run.ts';
import { NodeMetrics } from '../../src/observability/node-metrics.ts';
import { serving, troupe } from '../cli/spawn.ts';
import { freshDatabase } from '../support/postgres.ts';
import { startTestRedis } from '../support/redis.ts';
import { type SilentProxy, startSilentProxy } from '../support/silent-proxy.ts';

const LIMIT = { timeout: 120_000 };
/** None of the node's own time-outs ends the calls that hang here. */
const PATIENT = {
  connectTimeoutMs: 600_000,
  answerTimeoutMs: 600_000,
  readConnections: 1,
  lowestTimeline: 0,
};
const SECRET = 'a secret of the tests';

/** The call at which the database falls silent, and for which the start then waits. */
type Calls = Pick<ControlStore, 'openSession' | 'sessions' | 'listen' | 'pins'>;
type Silencing = (control: Calls, proxy: SilentProxy, waits: () => void) => Partial<Calls>;
const SILENCINGS: Readonly<Record<string, Silencing>> = {
  'its session': (control, proxy, waits) => ({
    openSession: (identity) => {
      proxy.silence();
      const asked = control.openSession(identity);
      setImmediate(waits);
      return asked;
    },
  }),
  'what nodes were alone': (control, proxy, waits) => ({
    sessions: () => {
      proxy.silence();
      setImmediate(waits);
      return control.sessions();
    },
  }),
  'its workers': (control, proxy, waits) => ({
    sessions: async () => {
      const sessions = await control.sessions();
      proxy.silence();
      proxy.taken().then(waits, assert.ifError);
      return sessions;
    },
  }),
  'its events': (control, proxy, waits) => ({
    listen: (listener) => {
      proxy.silence();
      proxy.taken().then(waits, assert.ifError);
      return control.listen(listener);
    },
  }),
  'its pins': (control, proxy, waits) => ({
    pins: () => {
      proxy.silence();
      setImmediate(waits);
      return control.pins();
    },
  }),
};

for (const [what, silencing] of Object.entries(SILENCINGS)) {
  test(`a run that waits for ${what} is given up when it is told to be`, LIMIT, async (t) => {
    const redis = await startTestRedis(t);
    const { proxy } = await silentDatabase(t);
    const storage = { url: proxy.url, ...PATIENT };
    const control = createControlStore(storage);
    t.after(() => control.close());
    await control.sessions();
    const port = await freePort();
    const config = configFrom({
      workers: 1,
      storage: { url: proxy.url },
      cluster: { redis: redis.url, secret: SECRET, name: 'tests', link: { port } },
    });
    const giveUp = new AbortController();
    const waiting = new Promise<void>((waits) => {
      const calls: Calls = {
        openSession: control.openSession.bind(control),
        sessions: control.sessions.bind(control),
        listen: control.listen.bind(control),
        pins: control.pins.bind(control),
      };
      Object.assign(control, silencing(calls, proxy, waits));
    });
    const starting = startClusterRun({
      run: randomUUID(),
      node: 'a',
      config,
      storage,
      limits: hostLimits(config),
      counts: new NodeMetrics().thread,
      link: hostLimits(config).link,
      control,
      router: new Router(),
      rings: new Rings(),
      gateway: { messages: () => undefined, lost: () => undefined, changed: () => undefined },
      fold: () => Promise.resolve(undefined),
      snapshotJob: () => Promise.reject(new Error('no snapshot is prepared here')),
      log: () => undefined,
      onWrites: () => undefined,
      signal: giveUp.signal,
      onFenced: () => assert.fail('fenced'),
      onLeaveAsked: () => ({ clients: 0, isDone: false }),
      figures: () => ({ clients: 0, documents: 0, editsPerSecond: 0, uptimeMs: 0 }),
    });
    await Promise.race([waiting, starting.then(() => assert.fail('it started'))]);
    giveUp.abort(new Error('given up'));
    await assert.rejects(starting, /given up/);
    const again = createServer().listen(port, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });
}

/** A node that hangs longer than this is ended with exit code 1. */
const PATIENCE = [
  'storage.connectTimeoutMs=10m',
  'storage.answerTimeoutMs=10m',
  'shutdown.timeoutMs=60s',
  'drain.timeoutMs=1s',
  'http.waitMs=60s',
].flatMap((setting) => ['--set', setting]);

for (const storage of ['alone', 'in a cluster']) {
  test(`a node that starts ${storage} and reaches no database ends with 0 on SIGTERM`, LIMIT, async (t) => {
    const { proxy } = await silentDatabase(t);
    proxy.silence();
    const taken = proxy.taken();
    const node = troupe(
      t,
      ...['serve', '--set', 'listen.port=0', '--set', `storage.url=${proxy.url}`, ...PATIENCE],
      ...(storage === 'alone' ? [] : clustered('redis://127.0.0.1:1')),
    );
    await taken;
    node.child.kill('SIGTERM');
    const { code, stdout, stderr } = await node.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '');
  });
}

test(
  'a member that loses its database ends with 0 on SIGTERM, where nothing waits for it',
  LIMIT,
  async (t) => {
    const { node, proxy } = await member(t);
    proxy.silence();
    node.child.kill('SIGTERM');
    const { code, stderr } = await node.ended;
    assert.equal(code, 0, stderr);
  },
);

test('a request that waits for its document is answered when the node stops', LIMIT, async (t) => {
  const { node, proxy } = await member(t);
  proxy.silence();
  const taken = proxy.taken();
  const asked = fetch(`${node.url}v1/docs/acme/plan`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'json' }),
  });
  await taken;
  node.child.kill('SIGTERM');
  const answer = await asked;
  assert.equal(answer.status, 503);
  assert.notEqual(answer.headers.get('retry-after'), null);
  assert.match(await answer.text(), /"code":"unavailable"/);
  const { code, stderr } = await node.ended;
  assert.equal(code, 0, stderr);
});

test('a node that was fenced and cannot rejoin ends with 0 on SIGTERM', LIMIT, async (t) => {
  const { node, proxy, databaseUrl } = await member(t);
  const control = createControlStore({ url: databaseUrl });
  t.after(() => control.close());
  const other = randomUUID();
  const me = await control.openSession({ run: other, node: 'other', slot: -1 });
  for (const { run } of await control.foreignSessions(other)) await control.fence(me, { run });
  await node.told(/it starts over under a new run/);
  proxy.silence();
  node.child.kill('SIGTERM');
  const { code, stderr } = await node.ended;
  assert.equal(code, 0, stderr);
});

/**
 * The proxy ends first: before it drops a database, a server waits for clients that are silent while they log
 * in.
 */
async function silentDatabase(t: TestContext) {
  const closers: (() => unknown)[] = [];
  const later = { after: (close: () => unknown) => void closers.unshift(close) };
  const databaseUrl = await freshDatabase(later);
  const proxy = await startSilentProxy(later, databaseUrl);
  t.after(async () => {
    for (const close of closers) await close();
  });
  return { databaseUrl, proxy };
}

async function member(t: TestContext) {
  const redis = await startTestRedis(t);
  const { databaseUrl, proxy } = await silentDatabase(t);
  const node = await serving(t, proxy.url, ...PATIENCE, ...clustered(redis.url));
  return { node, proxy, databaseUrl };
}

const clustered = (redis: string): string[] =>
  [
    `cluster.redis=${redis}`,
    `cluster.secret=${SECRET}`,
    'cluster.name=tests',
    'cluster.link.port=0',
    'workers=1',
  ].flatMap((setting) => ['--set', setting]);
