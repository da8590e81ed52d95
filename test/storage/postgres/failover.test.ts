// Failover between two real servers: the stores find the primary of a URL with several hosts, lose nothing
// with a synchronous standby, detect missing commits of an asynchronous one, and leave a primary that missed
// the failover.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { type TestContext, test } from 'node:test';
import postgres from 'postgres';
import { type DocumentId, StoreUnavailable } from '../../../actors/storage/store.ts';
import { createControlStore, createWorkerStore } from '../../../actors/storage/store-postgres.ts';
import { plain } from '../../support/creations.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { startReplicated } from '../../support/replicated-postgres.ts';
import { row } from '../contract/contract.ts';

void test('failover to a synchronous standby: stores go on by themselves, and no committed row is lost', async (t) => {
  const { url, primary, standby } = await startReplicated(t, { synchronous: true });
  const { control, worker, doc } = await stores(t, url);
  assert.deepEqual(await control.timeline(), { timeline: 1, highest: 1 });
  const events = new EventEmitter();
  const gapped = once(events, 'gap');
  await control.listen({
    onEvent: (event) => events.emit('heard', event),
    onGap: () => events.emit('gap'),
  });

  // Appends batches one after the other, through the failover and beyond.
  let version = 0;
  let stop = false;
  const writing = (async () => {
    while (!stop) {
      const outcome = await worker.append(
        [row(doc, version + 1), row(doc, version + 2)],
        new Map(version === 0 ? [[doc, 0]] : []),
      );
      assert.deepEqual(outcome, { type: 'committed' });
      version += 2;
      events.emit('committed');
    }
  })();
  const reached = async (wanted: number): Promise<void> => {
    while (version < wanted) await Promise.race([once(events, 'committed'), writing]);
  };
  await reached(20);
  await primary.crash();
  const atCrash = version;
  await assert.rejects(control.sessions(), StoreUnavailable, 'a standby is not used');
  await standby.promote();
  await reached(atCrash + 20);
  stop = true;
  await writing;
  const [loaded] = await worker.load([doc]);
  assert.deepEqual(
    loaded?.deltas.map(({ seq }) => seq),
    Array.from({ length: version }, (_, i) => i + 1),
  );
  assert.deepEqual(await control.timeline(), { timeline: 2, highest: 2 });
  await gapped;
  const heard = once(events, 'heard');
  await control.notify('after');
  await heard;

  const after = createWorkerStore({ url });
  t.after(() => after.abort());
  const kept = await after.open({ run: randomUUID(), node: 'node', slot: 0 });
  assert.equal(kept.historyTag, '', 'nothing is lost: the histories go on');

  // The old primary, which is the first in the URL, comes back and takes connections.
  await primary.start({ synchronous_standby_names: '' });
  const late = createControlStore({ url });
  t.after(() => late.close());
  assert.equal((await late.timeline()).timeline, 1, 'who has heard of no failover believes it');
  late.refuseBelow(2);
  assert.equal((await late.timeline()).timeline, 2);
  const fresh = createWorkerStore({ url });
  t.after(() => fresh.abort());
  fresh.refuseBelow(2);
  await fresh.open({ run: randomUUID(), node: 'node', slot: 0 });
  assert.equal((await fresh.load([doc]))[0]?.deltas.length, version);
});

void test('failover to an asynchronous standby: all documents have another history', async (t) => {
  const { url, primary, standby, caughtUp, stopReplication } = await startReplicated(t, {
    synchronous: false,
  });
  const { worker, doc } = await stores(t, url);
  assert.equal((await worker.append([row(doc, 1), row(doc, 2)], new Map([[doc, 0]]))).type, 'committed');
  await caughtUp();
  await stopReplication();
  assert.deepEqual(await worker.append([row(doc, 3)], new Map()), { type: 'committed' });
  await primary.crash();
  await standby.promote();
  assert.deepEqual(await worker.append([row(doc, 4)], new Map()), { type: 'fenced' });
  assert.equal((await worker.load([doc]))[0]?.deltas.length, 2);
  assert.deepEqual(await worker.append([row(doc, 3)], new Map([[doc, 2]])), { type: 'fenced' });
  const next = createWorkerStore({ url });
  t.after(() => next.abort());
  const session = await next.open({ run: randomUUID(), node: 'node', slot: 0 });
  assert.match(session.historyTag, /^[0-9a-f]{12}$/, 'another history: what clients held is not built upon');
  const [epoch = 0] = (await next.claim([1])).values();
  const rows = [row(doc, 3, { epoch })];
  assert.deepEqual(await next.append(rows, new Map([[doc, 2]])), { type: 'committed' });
});

void test('an ordinary user may ask for the timeline, the connections, and the end of its own backends', async (t) => {
  const url = await freshDatabase(t);
  const admin = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  const name = `ordinary_${randomUUID().replaceAll('-', '')}`;
  await admin.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO ${name};
    DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION ${name};`);
  const ordinary = new URL(url);
  ordinary.username = name;
  ordinary.password = 'secret';
  const control = createControlStore({ url: ordinary.href });
  await control.migrate();
  const me = await control.openSession({ run: randomUUID(), node: 'node', slot: -1 });
  assert.deepEqual(await control.timeline(), { timeline: 1, highest: 1 });
  const { max, reserved, used, ours } = await control.connectionBudget();
  // The administrator's connection is counted, but not as ours.
  assert.ok(used > ours && ours >= 1 && max > used && reserved > 0);
  const worker = createWorkerStore({ url: ordinary.href });
  const session = await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  await worker.claim([1]);
  const doc = (await worker.create('org', 'd', 1, plain('json')))?.row.id ?? 0;
  assert.deepEqual(await worker.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'committed' });
  assert.equal(await control.fence(me, { session: session.id }), true);
  await worker.close();
  assert.match(await control.renewHistory(), /^[0-9a-f]{12}$/);
  await control.close();
  // Users belong to the server, and outlive the database.
  await admin.unsafe(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name};`);
});

void test('another life of the database is noticed by whoever may only read and write its tables', async (t) => {
  const url = await freshDatabase(t);
  const admin = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  const owner = createControlStore({ url });
  t.after(() => owner.close());
  await owner.migrate();
  const name = `writer_${randomUUID().replaceAll('-', '')}`;
  await admin.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'secret';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${name};`);
  const writer = new URL(url);
  writer.username = name;
  writer.password = 'secret';
  const open = async () => {
    const store = createWorkerStore({ url: writer.href });
    t.after(() => store.abort());
    return { store, session: await store.open({ run: randomUUID(), node: 'node', slot: 0 }) };
  };
  const before = await open();
  assert.equal(before.session.historyTag, '');
  await before.store.claim([1]);
  const doc = (await before.store.create('org', 'd', 1, plain('json')))?.row.id ?? 0;
  assert.deepEqual(await before.store.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'committed' });
  // Timelines begin anew, as after an upgrade, or a dump restored elsewhere.
  await admin.unsafe('UPDATE cluster SET timeline = 5');
  const after = await open();
  assert.match(after.session.historyTag, /^[0-9a-f]{12}$/);
  assert.deepEqual(await before.store.append([row(doc, 2)], new Map()), { type: 'fenced' });
  assert.equal((await open()).session.historyTag, after.session.historyTag, 'renewed once');
  await admin.unsafe(`DROP OWNED BY ${name} CASCADE; DROP ROLE ${name};`);
});

async function stores(t: TestContext, url: string) {
  const control = createControlStore({ url });
  t.after(() => control.close());
  await control.migrate();
  await control.openSession({ run: randomUUID(), node: 'node', slot: -1 });
  const worker = createWorkerStore({ url });
  t.after(() => worker.abort());
  await worker.open({ run: randomUUID(), node: 'node', slot: 0 });
  await worker.claim([1]);
  const made = await worker.create('org', 'd', 1, plain('json'));
  assert.ok(made);
  const doc: DocumentId = made.row.id;
  return { control, worker, doc };
}
