// The messages of webhooks in a real PostgreSQL: one of a name at a time, in order, and none is lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { document } from './support.ts';
import { append, DAY_MS, stage, tellAll, worker } from './telling.ts';

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

void test('EVENT-5 messages of a name that is deleted and created again go in that order, however long one waits', async (t) => {
  const { url, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  const failure = { problem: 'status 500', againMs: 60_000, retryForMs: 600_000 };
  for (const [shard, name] of ['a', 'b', 'c', 'd'].entries()) {
    await document(store, name, shard);
    await tellAll(events);
    await events.addEndpoint(name);
    await store.remove('org', name, shard, 'm');
    await tellAll(events);
    await events.queue(name, ['%']);
    const [deleted, ...none] = await events.take(name, 10, 60_000);
    assert.ok(deleted);
    assert.deepEqual([deleted.type, none], ['deleted', []]);
    await document(store, name, shard);
    await tellAll(events);
    await events.queue(name, ['%']);
    assert.deepEqual(await events.take(name, 10, 0), [], 'while the deletion is sent');
    await events.failed(name, deleted, failure);
    assert.deepEqual(await events.take(name, 10, 0), [], 'while the deletion waits to be sent again');
    await events.failed(name, deleted, { ...failure, retryForMs: 0 });
    const [created] = await events.take(name, 10, 60_000);
    assert.equal(created?.type, 'created', 'what is parked holds nothing up');
    await events.failed(name, created, { ...failure, againMs: 0 });
    assert.equal(await events.retry(name), 1);
    const [again] = await events.take(name, 10, 60_000);
    assert.equal(again?.type, 'deleted', 'in order again');
    await events.delivered(name, again);
    assert.equal((await events.take(name, 10, 60_000))[0]?.type, 'created');
  }
});

void test('EVENT-5 a message that is being sent is not overtaken, also if a newer event has taken its place', async (t) => {
  const { url, events } = await stage(t);
  const { store } = await worker(t, url, 0);
  await events.addEndpoint('one');
  await document(store, 'plan', 1);
  await tellAll(events);
  await events.queue('one', ['%']);
  const [created] = await events.take('one', 10, 60_000);
  assert.ok(created);
  await store.remove('org', 'plan', 1, 'm-1');
  await store.bringBack('org', 'plan', 1, 'm-2', DAY_MS);
  await tellAll(events);
  await events.queue('one', ['%']);
  assert.deepEqual(await events.take('one', 10, 60_000), []);
  await events.delivered('one', created);
  const order: string[] = [];
  for (let step = 0; step < 2; step++) {
    const [next] = await events.take('one', 10, 60_000);
    assert.ok(next);
    order.push(next.type);
    await events.delivered('one', next);
  }
  assert.deepEqual(order, ['deleted', 'created']);
});
