// Support for tests of events: workers whose changes are due at once, and the telling of all of them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { EventStore } from '../../../actors/storage/event-store.ts';
import type { DocumentId, WorkerStore } from '../../../actors/storage/store.ts';
import { createEventStore, createWorkerStore } from '../../../actors/storage/store-postgres.ts';
import { row } from '../contract/support.ts';
import { database } from './support.ts';

/** Due at once. */
const AT_ONCE = 0;

export const DAY_MS = 86_400_000;

export async function stage(t: TestContext) {
  const { url, admin } = await database(t);
  // The first store makes the schema in the template; this one only reads and tells.
  const events = createEventStore({ url });
  t.after(() => events.close());
  return { url, admin, events };
}

export async function worker(t: TestContext, url: string, slot: number, eventsMs = AT_ONCE) {
  const store = createWorkerStore({ url, eventsMs });
  t.after(() => store.abort());
  const session = await store.open({ run: randomUUID(), node: 'node', slot });
  return { store, session };
}

/** Tells until nothing is due. */
export async function tellAll(events: EventStore): Promise<void> {
  for (;;) {
    const told = await events.tell([]);
    if (told.type === 'nothing') return;
    assert.notEqual(told.type, 'locked');
  }
}

export async function append(store: WorkerStore, doc: DocumentId, version: number, isFirst = version === 1) {
  const outcome = await store.append([row(doc, version)], new Map(isFirst ? [[doc, version - 1]] : []));
  assert.equal(outcome.type, 'committed');
}
