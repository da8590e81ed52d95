// Behaviour that only a real PostgreSQL can show: fences that race batches, backends that die or stop in
// mid-statement, servers that go and come back, and the end of all connections.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { StoreUnavailable } from '../../../actors/storage/store.ts';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
  type StoreProblem,
} from '../../../actors/storage/store-postgres.ts';
import { until } from '../../support/until.ts';
import { row } from '../contract/contract.ts';
import { database, document, headOf, openWorker, writeNameOf } from './support.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 1);
const RACES = 60 * RUNS;
const KILLS = 25 * RUNS;

void test('fence: no row of a session lands after its fence has said true', async (t) => {
  const { url, admin } = await database(t);
  const control = createControlStore({ url });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  let landed = 0;
  for (let lap = 0; lap < RACES / 10; lap++) {
    const { worker, session } = await openWorker(t, url, lap);
    const doc = await document(worker, `d${lap}`, lap);
    let version = 0;
    let outcome = 'committed';
    // Appends batches one after the other until one is refused because of the fence.
    const writing = (async () => {
      while (outcome === 'committed') {
        const rows = [row(doc, version + 1), row(doc, version + 2)];
        outcome = (await worker.append(rows, new Map(version === 0 ? [[doc, 0]] : []))).type;
        if (outcome === 'committed') version += 2;
      }
    })();
    while (version < (lap % 10) * 2) await new Promise(setImmediate);
    assert.equal(await control.fence(me, { session: session.id }), true);
    const atFence = await headOf(admin, doc);
    await writing;
    assert.equal(await headOf(admin, doc), atFence, `lap ${lap}: a batch landed after the fence`);
    assert.equal(outcome, 'fenced');
    assert.equal(version, atFence, 'every committed batch was told so, and no other');
    landed += atFence;
    worker.abort();
  }
  assert.ok(landed > 0);
});

void test('fence: raced by single batches that wait on the server, none lands behind it', async (t) => {
  const { url, admin } = await database(t);
  const control = createControlStore({ url });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  // A statement's snapshot is older than its row lock. The longer the time between them, the wider the race.
  await admin.unsafe(`
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(random() * 0.004); RETURN NULL; END $$;
    CREATE TRIGGER dawdle BEFORE INSERT ON delta FOR EACH STATEMENT EXECUTE FUNCTION dawdle();`);
  const counts = { committed: 0, fenced: 0 };
  // The longest wait before a fence. It follows the outcomes, so that both happen on a slow machine too.
  let longestMs = 6;
  const sessions = 20;
  for (let lap = 0; lap < RACES / sessions; lap++) {
    const racers = await Promise.all(
      Array.from({ length: sessions }, async (_, i) => {
        const { worker, session } = await openWorker(t, url, lap * sessions + i);
        const doc = await document(worker, `r${lap}-${i}`, lap * sessions + i);
        // The worker connects here, so that the race is between the statements alone.
        assert.equal((await worker.append([row(doc, 1)], new Map([[doc, 0]]))).type, 'committed');
        return { worker, session, doc };
      }),
    );
    for (const { worker, session, doc } of racers) {
      const append = worker.append([row(doc, 2)], new Map());
      await new Promise((resolve) => setTimeout(resolve, Math.random() * longestMs));
      assert.equal(await control.fence(me, { session: session.id }), true);
      const atFence = await headOf(admin, doc);
      const outcome = await append;
      assert.equal(await headOf(admin, doc), atFence, 'a batch landed after the fence');
      assert.ok(outcome.type === 'committed' || outcome.type === 'fenced');
      assert.equal(atFence, outcome.type === 'committed' ? 2 : 1);
      counts[outcome.type]++;
      longestMs *= outcome.type === 'fenced' ? 1.25 : 0.8;
      worker.abort();
    }
  }
  assert.ok(counts.committed > 0 && counts.fenced > 0, `both must happen: ${JSON.stringify(counts)}`);
});

void test('fence: a session whose batch is half sent and stopped is fenced all the same', async (t) => {
  const { url, admin } = await database(t);
  const control = createControlStore({ url });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  const { session } = await openWorker(t, url, 1);
  // A stopped process leaves the row locked by an open transaction of the session's backend.
  const stopped = postgres(url, {
    max: 1,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: await writeNameOf(admin, session.id) },
  });
  t.after(() => stopped.end({ timeout: 0 }));
  await stopped.unsafe('BEGIN');
  await stopped`SELECT 1 FROM session WHERE id = ${session.id} FOR SHARE`;
  assert.equal(await control.fence(me, { session: session.id }), true);
  assert.equal(await control.sessionState(session.id), 'fenced');
});

void test('unknown outcome: backends killed anywhere in large batches lose nothing and double nothing', async (t) => {
  const { url, admin } = await database(t);
  const { worker, session } = await openWorker(t, url, 1);
  const name = await writeNameOf(admin, session.id);
  const docs = await Promise.all([1, 2, 3].map((i) => document(worker, `d${i}`, i)));
  let version = 0;
  for (let i = 0; i < KILLS; i++) {
    const rows = docs.flatMap((doc) => Array.from({ length: 100 }, (_, j) => row(doc, version + j + 1)));
    const seconds = (i % 25) * 0.000_6;
    const kill = admin`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity, pg_sleep(${seconds})
      WHERE application_name = ${name}`;
    const [outcome] = await Promise.all([
      worker.append(rows, new Map(version === 0 ? docs.map((doc) => [doc, 0]) : [])),
      kill,
    ]);
    assert.deepEqual(outcome, { type: 'committed' });
    version += 100;
  }
  for (const { deltas } of await worker.load(docs)) {
    assert.deepEqual(
      deltas.map((delta) => delta.seq),
      Array.from({ length: version }, (_, j) => j + 1),
    );
  }
  assert.ok(worker.connectionEpoch > 2, 'connections were lost');
});

void test('unknown outcome: an answer that never comes is given up, and the batch sent again lands once', async (t) => {
  const { worker, doc, proxy } = await proxied(t);
  // The way back falls silent: the server commits, and the answer is lost.
  proxy.mute();
  assert.deepEqual(await worker.append([row(doc, 3)], new Map()), { type: 'committed' });
  const [loaded] = await worker.load([doc]);
  assert.deepEqual(
    loaded?.deltas.map(({ version }) => version),
    [1, 2, 3],
  );
});

void test('unknown outcome: a batch that landed before its session was fenced is committed', async (t) => {
  const { worker, session, doc, proxy, url, admin } = await proxied(t);
  const control = createControlStore({ url });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  proxy.mute();
  const append = worker.append([row(doc, 3)], new Map());
  await until(async () => (await headOf(admin, doc)) === 3);
  assert.equal(await control.fence(me, { session: session.id }), true);
  assert.deepEqual(await append, { type: 'committed' });
  assert.deepEqual(await worker.append([row(doc, 4)], new Map([[doc, 3]])), { type: 'fenced' });
});

void test('out of reach: appends stay open and land when it is back; other calls reject; abort gives up', async (t) => {
  const { url } = await database(t);
  const proxy = await openProxy(t, url);
  const problems: StoreProblem[] = [];
  let noticed = (): void => undefined;
  const worker = createWorkerStore({
    url: proxy.url,
    onProblem: (problem) => {
      problems.push(problem);
      noticed();
    },
  });
  t.after(() => worker.abort());
  await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  const doc = await document(worker, 'd', 1);
  await worker.append([row(doc, 1)], new Map([[doc, 0]]));
  const epoch = worker.connectionEpoch;
  await proxy.close();
  const tried = new Promise<void>((resolve) => {
    noticed = () => {
      if (problems.length >= 3) resolve();
    };
  });
  const append = worker.append([row(doc, 2)], new Map());
  await assert.rejects(worker.load([doc]), StoreUnavailable);
  await tried;
  await proxy.open();
  assert.deepEqual(await append, { type: 'committed' });
  assert.ok(worker.connectionEpoch > epoch);
  assert.equal(problems.at(-1)?.type, 'recovered');
  assert.equal((await worker.load([doc]))[0]?.deltas.length, 2);
  await proxy.close();
  const given = worker.append([row(doc, 3)], new Map());
  worker.abort();
  assert.deepEqual(await given, { type: 'fenced' });
});

void test('closing: stores leave no connection behind', async (t) => {
  const { url, admin } = await database(t);
  const run = randomUUID();
  const control = createControlStore({ url });
  await control.openSession({ run, node: 'node', slot: -1 });
  const workers = await Promise.all([0, 1].map((slot) => openWorker(t, url, slot)));
  for (const [i, { worker }] of workers.entries()) {
    const doc = await document(worker, `d${i}`, i);
    await worker.append([row(doc, 1)], new Map([[doc, 0]]));
    await Promise.all([worker.load([doc]), worker.history(doc, 0, 1, 10), worker.clients(doc, 1)]);
  }
  const fold = createFoldStore({ url, run });
  await fold.read(1, 0);
  assert.ok((await connections(admin)) >= 5);
  await Promise.all([control.close(), fold.close(), ...workers.map(({ worker }) => worker.close())]);
  // The server needs a moment to notice that its clients have gone.
  await until(async () => (await connections(admin)) === 0);
});

void test('migrate: several at once apply each migration once', async (t) => {
  const { url, admin } = await database(t);
  await admin.unsafe('DROP SCHEMA public CASCADE; CREATE SCHEMA public;');
  const stores = [1, 2, 3].map(() => createControlStore({ url }));
  t.after(() => Promise.all(stores.map((store) => store.close())));
  const [store] = stores;
  const pending = await store?.pendingMigrations();
  assert.ok(pending && pending.length > 0);
  const applied = await Promise.all(stores.map((each) => each.migrate()));
  assert.deepEqual(applied.flat().toSorted(), pending.toSorted());
  assert.deepEqual(await store?.pendingMigrations(), []);
  const [shards] = await admin`SELECT count(*)::int AS n FROM shard`;
  assert.equal(shards?.n, 4_096);
});

/** A document of two versions, written through a proxy. Both forms of the batch's statement are prepared. */
async function proxied(t: TestContext) {
  const { url, admin } = await database(t);
  const proxy = await openProxy(t, url);
  const worker = createWorkerStore({ url: proxy.url, answerTimeoutMs: 2_000 });
  t.after(() => worker.abort());
  const session = await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  const doc = await document(worker, 'd', 1);
  await worker.append([row(doc, 1)], new Map([[doc, 0]]));
  await worker.append([row(doc, 2)], new Map());
  return { worker, session, doc, proxy, url, admin };
}

async function connections(admin: postgres.Sql): Promise<number> {
  const [found] = await admin`
    SELECT count(*)::int AS n FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'troupe:%'`;
  return found?.n;
}

/**
 * A proxy between a store and its server, which may fall silent on the way back, go away, and come back on
 * the same port.
 */
async function openProxy(t: TestContext, url: string) {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const pairs: { up: Socket; down: Socket }[] = [];
  let server: Server | undefined;
  let port = 0;
  const open = async (): Promise<void> => {
    const listening = createServer((down) => {
      const up = dial(Number(target.port), target.hostname);
      pairs.push({ up, down });
      for (const [from, to] of [
        [up, down],
        [down, up],
      ] as const) {
        sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => listening.listen(port, '127.0.0.1', resolve));
    const address = listening.address();
    port = address !== null && typeof address === 'object' ? address.port : 0;
    server = listening;
  };
  const close = async (): Promise<void> => {
    const listening = server;
    server = undefined;
    for (const socket of sockets) socket.destroy();
    if (listening) await new Promise((resolve) => listening.close(resolve));
  };
  await open();
  t.after(close);
  const through = new URL(url);
  through.port = String(port);
  return {
    url: through.href,
    open,
    close,
    /** Mutes the present connections. */
    mute: (): void => {
      for (const { up, down } of pairs) {
        up.unpipe(down);
        up.resume();
      }
    },
  };
}
