// Marks of changed documents and the events that are made of them, in a real PostgreSQL: nothing that has committed stays
// untold, and nothing is told twice, however batches, tellers, fences and hand-overs race.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { StoredEvent } from '../../../actors/storage/event-store.ts';
import type { DocumentId, WorkerStore } from '../../../actors/storage/store.ts';
import {
  createControlStore,
  createEventStore,
  createRequestStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { deferred } from '../../../loadtest/clients/deferred.ts';
import { plain } from '../../support/creations.ts';
import { row } from '../contract/support.ts';
import { database, document, headOf } from './support.ts';
import { append, DAY_MS, stage, tellAll, worker } from './telling.ts';

/** The events of a name in order. */
const ofName = (events: readonly StoredEvent[], name: string) =>
  events.filter((event) => event.name === name).map(({ type, version }) => `${type} ${version}`);

const RUNS = Number(process.env.FUZZ_RUNS ?? 1);

const facts = (events: readonly StoredEvent[]) =>
  events.map(({ type, name, since, version }) => [type, name, since, version]);

void test('EVENT-1 a creation and the changes of a window are told once, and a second telling finds nothing', async (t) => {
  const { url, events, admin } = await stage(t);
  const { store } = await worker(t, url, 0);
  const doc = await document(store, 'plan', 1);
  for (let version = 1; version <= 3; version++) await append(store, doc, version);
  await tellAll(events);
  assert.deepEqual(facts(await events.page(0, 10)), [
    ['created', 'plan', 0, 0],
    ['changed', 'plan', 0, 3],
  ]);
  assert.equal((await events.tell([])).type, 'nothing');
  await append(store, doc, 4);
  await tellAll(events);
  assert.deepEqual(facts(await events.page(2, 10, 'org')), [['changed', 'plan', 3, 4]]);
  assert.deepEqual(await events.page(2, 10, 'other'), []);
  assert.deepEqual(await events.bounds(), { newest: 3, pruned: 0 });
  assert.deepEqual(await events.usersOf(doc, 0, 4), ['user']);
  // A mark without a change, as a batch leaves it whose head was wrong.
  await admin`UPDATE change SET due = now()`;
  await tellAll(events);
  assert.equal((await events.bounds()).newest, 3);
});

void test('EVENT-1 a marked document is not marked again by its next edits, so an edit has no row of its own', async (t) => {
  const { url, admin, events } = await stage(t);
  const { store } = await worker(t, url, 0, 60_000);
  const doc = await document(store, 'plan', 1);
  await tellAll(events);
  const mark = async () => {
    const [found] = await admin`SELECT xmin::text, ctid::text, due FROM change WHERE doc = ${doc}`;
    return found;
  };
  await append(store, doc, 1);
  const first = await mark();
  assert.ok(first?.due !== null);
  for (let version = 2; version <= 5; version++) await append(store, doc, version);
  assert.deepEqual(await mark(), first);
  assert.equal((await events.tell([])).type, 'nothing', 'its time has not come');
});

void test('EVENT-2 events race batches of two workers: every head is told, each stretch begins where the last has ended', async (t) => {
  const { url, admin, events } = await stage(t);
  const others = createEventStore({ url });
  t.after(() => others.close());
  const writers = await Promise.all([worker(t, url, 0), worker(t, url, 1)]);
  const docs: { store: WorkerStore; doc: DocumentId; version: number }[] = [];
  for (const [slot, { store }] of writers.entries())
    for (let index = 0; index < 3; index++)
      docs.push({ store, doc: await document(store, `d${slot}-${index}`, slot * 3 + index), version: 0 });
  let isWriting = true;
  const telling = [events, others].map(async (store) => {
    while (isWriting) await store.tell([]);
  });
  await Promise.all(
    writers.map(async ({ store }) => {
      const own = docs.filter((each) => each.store === store);
      for (let lap = 0; lap < 150 * RUNS; lap++) {
        const some = own.filter((_, index) => (lap + index) % 3 !== 0);
        const heads = new Map(some.filter(({ version }) => version === 0).map(({ doc }) => [doc, 0]));
        const rows = some.map((each) => row(each.doc, ++each.version));
        assert.equal((await store.append(rows, heads)).type, 'committed');
      }
    }),
  );
  isWriting = false;
  await Promise.all(telling);
  await tellAll(events);
  let changes = 0;
  const all = await events.page(0, 100_000);
  for (const { doc, version } of docs) {
    let last = 0;
    for (const event of all.filter((each) => each.doc === doc && each.type === 'changed')) {
      assert.equal(event.since, last);
      assert.ok(event.version > last, 'none twice without a change');
      last = event.version;
      changes += 1;
    }
    assert.equal(last, version);
    assert.equal(last, await headOf(admin, doc));
  }
  assert.ok(changes > docs.length, 'they raced');
});

void test('EVENT-2 a session that holds its row locked is passed over, and told once it is free', async (t) => {
  const { url, events } = await stage(t);
  const { admin } = await database(t, url);
  const [hung, other] = await Promise.all([worker(t, url, 0), worker(t, url, 1)]);
  const stuck = await document(hung.store, 'stuck', 1);
  await append(hung.store, stuck, 1);
  await append(other.store, await document(other.store, 'free', 2), 1);
  const release = deferred<void>();
  const held = deferred<void>();
  // As a batch whose process was stopped while it sent it.
  const holding = admin.begin(async (tx) => {
    await tx`SELECT 1 FROM session WHERE id = ${hung.session.id} FOR SHARE`;
    held.resolve();
    await release.promise;
  });
  await held.promise;
  const skipped: number[] = [];
  for (;;) {
    const told = await events.tell(skipped);
    if (told.type === 'nothing') break;
    if (told.type === 'locked') skipped.push(told.session);
  }
  assert.deepEqual(skipped, [hung.session.id]);
  assert.deepEqual(
    (await events.page(0, 10)).map(({ name }) => name),
    ['free', 'free'],
  );
  release.resolve();
  await holding;
  await tellAll(events);
  assert.equal((await events.page(2, 10)).at(-1)?.name, 'stuck');
});

void test('EVENT-2 what a fenced session has committed is told, and its successor marks for itself', async (t) => {
  const { url, events } = await stage(t);
  const control = createControlStore({ url });
  t.after(() => control.close());
  const me = await control.openSession({ run: randomUUID(), node: 'fencer', slot: -1 });
  const first = await worker(t, url, 0);
  const doc = await document(first.store, 'plan', 7);
  await append(first.store, doc, 1);
  first.store.abort();
  assert.equal(await control.fence(me, { session: first.session.id }), true);
  const second = await worker(t, url, 1);
  assert.equal((await second.store.claim([7])).size, 1);
  await append(second.store, doc, 2, true);
  await tellAll(events);
  await append(second.store, doc, 3);
  await tellAll(events);
  assert.deepEqual(facts(await events.page(1, 10)), [
    ['changed', 'plan', 0, 2],
    ['changed', 'plan', 2, 3],
  ]);
});

void test('EVENT-2 a document that was handed over and back is marked anew by the session that had marked it before', async (t) => {
  const { url, events } = await stage(t);
  const [one, two] = await Promise.all([worker(t, url, 0), worker(t, url, 1)]);
  const doc = await document(one.store, 'plan', 7);
  await append(one.store, doc, 1);
  assert.equal((await one.store.handOff([7], two.session.id)).size, 1);
  await append(two.store, doc, 2, true);
  assert.equal((await two.store.handOff([7], one.session.id)).size, 1);
  await append(one.store, doc, 3, true);
  await tellAll(events);
  await append(one.store, doc, 4);
  await tellAll(events);
  assert.deepEqual(facts(await events.page(1, 10)), [
    ['changed', 'plan', 0, 3],
    ['changed', 'plan', 3, 4],
  ]);
});

void test('EVENT-1 without events nothing is marked', async (t) => {
  const { url, admin, events } = await stage(t);
  const store = createWorkerStore({ url });
  t.after(() => store.abort());
  await store.open({ run: randomUUID(), node: 'node', slot: 0 });
  await append(store, await document(store, 'plan', 1), 1);
  assert.equal((await events.tell([])).type, 'nothing');
  assert.deepEqual([...(await admin`SELECT 1 FROM change`)], []);
});

void test('EVENT-4 events are kept for their time, and until the endpoints have taken them', async (t) => {
  const { url, admin, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  const doc = await document(store, 'plan', 1);
  await events.addEndpoint('slow');
  for (let version = 1; version <= 4; version++) {
    await append(store, doc, version);
    await tellAll(events);
  }
  assert.equal(await events.prune(3_600_000, 100, []), 0);
  await admin`UPDATE event SET at = now() - interval '2 hours' WHERE id <= 3`;
  assert.equal(await events.prune(3_600_000, 100, ['slow']), 0);
  assert.equal(await events.queue('slow', ['%']), true);
  assert.equal(await events.prune(3_600_000, 2, ['slow']), 2);
  assert.equal(await events.prune(3_600_000, 100, ['slow']), 1);
  assert.deepEqual(await events.bounds(), { newest: 5, pruned: 3 });
  assert.deepEqual(
    (await events.page(0, 10)).map(({ id }) => id),
    [4, 5],
  );
});

void test('EVENT-2 a name that is deleted and created again at once is told in that order', async (t) => {
  const { url, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  // The ids of documents have no order, so that the order of one name proves little.
  const names = Array.from({ length: 12 }, (_, index) => `d${index}`);
  for (const [shard, name] of names.entries()) await append(store, await document(store, name, shard), 1);
  await tellAll(events);
  const { newest } = await events.bounds();
  for (const [shard, name] of names.entries()) {
    assert.equal((await store.remove('org', name, shard, 'm')).type, 'changed');
    await append(store, await document(store, name, shard), 1);
  }
  await tellAll(events);
  const told = await events.page(newest, 1_000);
  for (const name of names)
    assert.deepEqual(ofName(told, name), ['deleted 1', 'created 0', 'changed 1'], name);
});

void test('EVENT-2 a creation waits until the deletion of the same name is told, which another session has marked', async (t) => {
  const { url, events } = await stage(t);
  const { admin } = await database(t, url);
  const [one, two] = await Promise.all([worker(t, url, 0), worker(t, url, 1)]);
  await document(one.store, 'plan', 7);
  await tellAll(events);
  // The second session has the mark that has waited longest.
  await document(two.store, 'other', 8);
  assert.equal((await one.store.remove('org', 'plan', 7, 'm')).type, 'changed');
  assert.equal((await one.store.handOff([7], two.session.id)).size, 1);
  await document(two.store, 'plan', 7);
  const release = deferred<void>();
  const held = deferred<void>();
  const holding = admin.begin(async (tx) => {
    await tx`SELECT 1 FROM session WHERE id = ${one.session.id} FOR SHARE`;
    held.resolve();
    await release.promise;
  });
  await held.promise;
  assert.equal((await events.tell([])).type, 'told');
  assert.equal((await events.tell([two.session.id])).type, 'locked');
  assert.deepEqual(facts(await events.page(1, 10)), [['created', 'other', 0, 0]]);
  release.resolve();
  await holding;
  await tellAll(events);
  assert.deepEqual(ofName(await events.page(1, 10), 'plan'), ['deleted 0', 'created 0']);
});

void test('EVENT-1 a document that is deleted and brought back before it is told is told as both', async (t) => {
  const { url, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  await append(store, await document(store, 'plan', 1), 1);
  await tellAll(events);
  await store.remove('org', 'plan', 1, 'm-1');
  await store.bringBack('org', 'plan', 1, 'm-2', DAY_MS);
  await tellAll(events);
  assert.deepEqual(ofName(await events.page(2, 10), 'plan'), ['deleted 1', 'created 1']);
  await store.bringBack('org', 'plan', 1, 'm-2', DAY_MS);
  await store.remove('org', 'plan', 1, 'm-3');
  await store.bringBack('org', 'plan', 1, 'm-4', DAY_MS);
  await store.remove('org', 'plan', 1, 'm-5');
  await tellAll(events);
  assert.deepEqual(ofName(await events.page(4, 10), 'plan'), ['created 1', 'deleted 1']);
  assert.equal((await events.tell([])).type, 'nothing');
  await document(store, 'new', 2);
  for (let lap = 0; lap < 2; lap++) {
    await store.remove('org', 'new', 2, `m-${lap}`, 'bob');
    await store.bringBack('org', 'new', 2, `n-${lap}`, DAY_MS, 'bob');
  }
  await tellAll(events);
  const told = await events.page(6, 10);
  assert.deepEqual(
    told.map(({ type, by }) => [type, by]),
    [['created', 'ada']],
    'a document of which nothing was told begins with its creation',
  );
});

void test('EVENT-4 nothing of an erased document stays in the marks once its deletion is told', async (t) => {
  const { url, admin, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  const requests = createRequestStore({ url });
  t.after(() => requests.close());
  for (const [shard, name] of ['told', 'untold'].entries()) {
    await document(store, name, shard);
    await store.remove('org', name, shard, 'm');
    if (name === 'told') await tellAll(events);
    assert.equal(await requests.erase('org', name), 1);
  }
  await tellAll(events);
  assert.deepEqual([...(await admin`SELECT 1 FROM change`)], []);
  assert.deepEqual(
    (await events.page(0, 10)).filter(({ type }) => type === 'deleted').map(({ name }) => name),
    ['told', 'untold'],
  );
});

void test('EVENT-1 an event tells its user and the time at which it happened', async (t) => {
  const { url, admin, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  await store.claim([1]);
  const made = await store.create('org', 'plan', 1, { ...plain('json'), user: 'ada' });
  assert.ok(made);
  const { id } = made.row;
  await append(store, id, 1);
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  const times = { created: ago(50), changed: ago(40), deleted: ago(30), back: ago(20) };
  await admin`UPDATE document SET created_at = ${times.created}`;
  await admin`UPDATE delta SET at = ${times.changed}`;
  await tellAll(events);
  await store.remove('org', 'plan', 1, 'm-1', 'bob');
  await store.bringBack('org', 'plan', 1, 'm-2', DAY_MS, 'cyd');
  await admin`UPDATE change SET deleted_at = ${times.deleted}, returned_at = ${times.back}`;
  await tellAll(events);
  await store.remove('org', 'plan', 1, 'm-3');
  await tellAll(events);
  const told = await events.page(0, 10);
  assert.deepEqual(
    told.slice(0, 4).map(({ type, by, at }) => [type, by, at]),
    [
      ['created', 'ada', times.created.toISOString()],
      ['changed', null, times.changed.toISOString()],
      ['deleted', 'bob', times.deleted.toISOString()],
      ['created', 'cyd', times.back.toISOString()],
    ],
  );
  const [last] = told.slice(4);
  assert.deepEqual([last?.type, last?.by], ['deleted', null], 'the users of before are not told again');
  assert.deepEqual(
    [...(await admin`SELECT 1 FROM change WHERE coalesce(deleted_by, returned_by) IS NOT NULL`)],
    [],
    'no mark that was told keeps a user',
  );
  // An event is kept for its time from when it was told, however long ago it happened.
  assert.equal(await events.prune(60_000, 100, []), 0);
});
