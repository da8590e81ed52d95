// Measures the cost of marks on the commit path: batches of a store with events and of one without, by turns, on one
// PostgreSQL, while events are told. `node dist/test/storage/postgres/marks-cost.js` prints ratios; a ratio of 1 is no cost.
import { randomUUID } from 'node:crypto';
import type { DocumentId, WorkerStore } from '../../../actors/storage/store.ts';
import {
  createControlStore,
  createEventStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { plain } from '../../support/creations.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { row } from '../contract/support.ts';

const BLOCK_MS = 1_000;
const BLOCKS = 12;
const TELL_MS = 250;

interface Side {
  readonly store: WorkerStore;
  readonly docs: { readonly id: DocumentId; version: number }[];
  readonly perMs: number[];
}

/** Appends batches of `rows` documents, in turn, for a time. Rows a millisecond. */
async function block({ store, docs, perMs }: Side, rows: number): Promise<void> {
  let next = 0;
  let written = 0;
  const began = performance.now();
  while (performance.now() - began < BLOCK_MS) {
    const some = Array.from({ length: rows }, () => docs[next++ % docs.length]).filter(
      (doc) => doc !== undefined,
    );
    const heads = new Map(some.filter(({ version }) => version === 0).map(({ id }) => [id, 0]));
    const outcome = await store.append(
      some.map((doc) => row(doc.id, ++doc.version)),
      heads,
    );
    if (outcome.type !== 'committed') throw new Error(outcome.type);
    written += rows;
  }
  perMs.push(written / (performance.now() - began));
}

async function side(url: string, slot: number, count: number, eventsMs: number | undefined): Promise<Side> {
  const store = createWorkerStore({ url, ...(eventsMs === undefined ? {} : { eventsMs }) });
  await store.open({ run: randomUUID(), node: 'node', slot });
  await store.claim([slot]);
  const docs: Side['docs'] = [];
  for (let index = 0; index < count; index++) {
    const made = await store.create('org', `d${slot}-${index}`, slot, plain('json'));
    if (made !== undefined) docs.push({ id: made.row.id, version: 0 });
  }
  return { store, docs, perMs: [] };
}

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0;

const server = await startTestPostgres();
try {
  const { url } = server;
  const control = createControlStore({ url });
  await control.migrate();
  const events = createEventStore({ url });
  let slot = 0;
  for (const [rows, docs, dueMs] of [
    [1, 100, 5_000],
    [10, 1_000, 5_000],
    [100, 1_000, 5_000],
    [100, 1_000, 250],
  ] as const) {
    const sides = [await side(url, slot++, docs, dueMs), await side(url, slot++, docs, undefined)];
    let isTelling = true;
    const telling = (async () => {
      while (isTelling) {
        for (
          let told = await events.tell([]);
          told.type === 'told' && told.marks > 0;
          told = await events.tell([])
        );
        await new Promise((next) => setTimeout(next, TELL_MS));
      }
    })();
    for (let lap = 0; lap < BLOCKS; lap++)
      for (const each of lap % 2 === 0 ? sides : [...sides].reverse()) await block(each, rows);
    isTelling = false;
    await telling;
    const [marked = 0, plain = 0] = sides.map(({ perMs }) => median(perMs));
    process.stdout.write(
      `batches of ${rows}, ${docs} documents, told after ${dueMs} ms: ${(plain / marked).toFixed(3)} of the time without marks (${Math.round(marked * 1_000)} and ${Math.round(plain * 1_000)} rows/s)\n`,
    );
    for (const { store } of sides) await store.close();
  }
  await events.close();
  await control.close();
} finally {
  await server.stop();
}
