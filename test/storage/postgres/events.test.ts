// Marks of changed documents and the events that are made of them, in a real PostgreSQL: nothing that has committed stays
// untold, and nothing is told twice, however batches, tellers, fences and hand-overs race.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { EventStore, StoredEvent } from '../../../actors/storage/event-store.ts';
import type { DocumentId, WorkerStore } from '../../../actors/storage/store.ts';
import {
  createControlStore,
  createEventStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { deferred } from '../../../loadtest/clients/deferred.ts';
import { row } from '../contract/support.ts';
import { database, document, headOf } from './support.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 1);
/** Due at once. */
const AT_ONCE = 0;

async function stage(t: TestContext) {
  const { url, admin } = await database(t);
  // The first store makes the schema in the template; this one only reads and tells.
  const events = createEventStore({ url });
  t.after(() => events.close());
  return { url, admin, events };
}

async function worker(t: TestContext, url: string, slot: number, eventsMs = AT_ONCE) {
  const store = createWorkerStore({ url, eventsMs });
  t.after(() => store.abort());
  const session = await store.open({ run: randomUUID(), node: 'node', slot });
  return { store, session };
}

/** Tells until nothing is due. */
async function tellAll(events: EventStore): Promise<void> {
  for (;;) {
    const told = await events.tell([]);
    if (told.type === 'nothing') return;
    assert.notEqual(told.type, 'locked');
  }
}

async function append(store: WorkerStore, doc: DocumentId, version: number, isFirst = version === 1) {
  const outcome = await store.append([row(doc, version)], new Map(isFirst ? [[doc, version - 1]] : []));
  assert.equal(outcome.type, 'committed');
}

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

void test('EVENT-6 messages: one of a document at a time, the newest change, again after the time of a node that died', async (t) => {
  const { url, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  await events.addEndpoint('one');
  const doc = await document(store, 'plan', 1);
  await append(store, doc, 1);
  await append(store, await document(store, 'other', 2), 1);
  await tellAll(events);
  assert.equal(await events.queue('one', ['org/plan']), true);
  assert.equal(await events.queue('one', ['org/plan']), false);
  const [created, ...none] = await events.take('one', 10, 60_000);
  assert.ok(created);
  assert.deepEqual([created.type, none.length], ['created', 0], 'the change waits for the creation');
  await append(store, doc, 2);
  await tellAll(events);
  await events.queue('one', ['org/plan']);
  await events.delivered('one', created);
  const [changed] = await events.take('one', 10, 0);
  assert.deepEqual([changed?.type, changed?.since, changed?.version], ['changed', 0, 2]);
  // Its time with the first node is over at once.
  const [again] = await events.take('one', 10, 60_000);
  assert.ok(again);
  assert.deepEqual([again.event, again.attempts], [changed?.event, 2]);
  assert.deepEqual(await events.take('one', 10, 60_000), []);
  // A change while it is being sent is sent afterwards.
  await append(store, doc, 3);
  await tellAll(events);
  await events.queue('one', ['org/plan']);
  await events.delivered('one', again);
  const [next] = await events.take('one', 10, 60_000);
  assert.ok(next);
  assert.deepEqual([next.since, next.version], [2, 3]);
  assert.equal(
    await events.failed('one', next, { problem: 'status 500', againMs: 0, retryForMs: 60_000 }),
    false,
  );
  const [last] = await events.take('one', 10, 0);
  assert.ok(last);
  assert.equal(await events.failed('one', last, { problem: 'status 500', againMs: 0, retryForMs: 0 }), true);
  assert.deepEqual(await events.take('one', 10, 0), []);
  assert.equal(await events.parkedCount(), 1);
  assert.deepEqual(
    (await events.waiting(10)).map(({ problem, parkedAt }) => [problem, parkedAt !== null]),
    [['status 500', true]],
  );
  assert.equal(await events.retry('other'), 0);
  assert.equal(await events.retry(undefined), 1);
  assert.equal((await events.take('one', 10, 0)).length, 1);
});
