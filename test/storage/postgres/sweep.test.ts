// The sweep on a real PostgreSQL: by several nodes, on a slow database, and over the data of earlier
// versions.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type postgres from 'postgres';
import { systemClock } from '../../../actors/clock.ts';
import type { ControlStore, DocumentId, SweepSlice } from '../../../actors/storage/store.ts';
import { createControlStore, createFoldStore } from '../../../actors/storage/store-postgres.ts';
import { Sweeping } from '../../../src/database/sweeping.ts';
import { row, writeSnapshot } from '../contract/support.ts';
import { database, document, openWorker } from './support.ts';

const RETENTION = { olderThanMs: 0, keepOps: 10 };
const VERSIONS = 60;
/** Versions between two snapshots of a document. */
const EVERY = 10;
/** A document is folded up to its newest snapshot that is `keepOps` behind. */
const FOLDED = VERSIONS - EVERY;

async function control(t: TestContext, url: string, answerTimeoutMs = 10_000): Promise<ControlStore> {
  const store = createControlStore({ url, answerTimeoutMs });
  t.after(() => store.close());
  await store.openSession({ run: randomUUID(), node: 'node', slot: -1 });
  return store;
}

/** Documents of VERSIONS runs by one client, with snapshots of 1,000 bytes. */
async function documents(t: TestContext, url: string, count: number): Promise<DocumentId[]> {
  const { worker, session } = await openWorker(t, url, 0);
  const fold = createFoldStore({ url, run: randomUUID() });
  t.after(() => fold.close());
  const docs: DocumentId[] = [];
  for (let i = 0; i < count; i++) docs.push(await document(worker, `d${i}`, 1));
  const state = Buffer.alloc(100);
  for (let version = 1; version <= VERSIONS; version++) {
    const heads = new Map(version === 1 ? docs.map((doc) => [doc, 0] as const) : []);
    const rows = docs.map((doc) => row(doc, version, { op: Buffer.alloc(100) }));
    assert.deepEqual(await worker.append(rows, heads), { type: 'committed' });
    if (version % EVERY !== 0) continue;
    for (const doc of docs)
      assert.equal(await writeSnapshot(fold, session, doc, version, 1, version - EVERY, state), true);
  }
  return docs;
}

/** A sweep as a node makes it, and the answers to its slices. */
function sweeping(store: ControlStore, answerTimeoutMs = 10_000) {
  const slices: SweepSlice[] = [];
  const problems: object[] = [];
  const pass = new Sweeping({
    control: {
      sweep: async (options) => {
        const slice = await store.sweep(options);
        slices.push(slice);
        return slice;
      },
    },
    retention: RETENTION,
    everyMs: 3_600_000,
    answerTimeoutMs,
    clock: systemClock,
    log: (level, message, fields) => level === 'warn' && problems.push({ message, ...fields }),
  });
  return { pass: () => pass.pass(), slices, problems };
}

const removedBy = (slices: readonly SweepSlice[]): number =>
  slices.reduce((sum, slice) => sum + ('removed' in slice ? slice.removed : 0), 0);

async function left(admin: postgres.Sql): Promise<{ patches: number; floors: number; cleared: number }> {
  const [found] = await admin<{ patches: number; floors: number; cleared: number }[]>`
    SELECT (SELECT count(*)::int FROM patch) AS patches, (SELECT min(folded)::int FROM document) AS floors,
      (SELECT min(cleared)::int FROM document) AS cleared`;
  return found ?? assert.fail('nothing');
}

test('one of several nodes runs a slice at a time, each patch is removed once, and the pass is over for all', async (t) => {
  const { url, admin } = await database(t);
  await documents(t, url, 8);
  const nodes = [];
  for (let i = 0; i < 3; i++) nodes.push(sweeping(await control(t, url)));
  await admin.unsafe('BEGIN');
  await admin`SELECT 1 FROM sweep FOR UPDATE`;
  await Promise.all(nodes.map(({ pass }) => pass()));
  assert.deepEqual(
    nodes.flatMap(({ slices }) => slices),
    [{ type: 'busy' }, { type: 'busy' }, { type: 'busy' }],
  );
  await admin.unsafe('COMMIT');

  await Promise.all(nodes.map(({ pass }) => pass()));
  const slices = nodes.flatMap((node) => node.slices);
  assert.equal(removedBy(slices), 8 * FOLDED);
  assert.equal(slices.filter(({ type }) => type === 'done').length, 1);
  assert.deepEqual(await left(admin), { patches: 8 * EVERY, floors: FOLDED, cleared: FOLDED });
  for (const node of nodes) await node.pass();
  for (const node of nodes) assert.deepEqual(node.slices.at(-1), { type: 'idle' });
});

test('if a node ends in the middle of a pass, another goes on', async (t) => {
  const { url, admin } = await database(t);
  await documents(t, url, 4);
  const first = await control(t, url);
  const slice = { retention: RETENTION, limit: 70, sliceMs: 10_000, everyMs: 3_600_000 };
  assert.deepEqual(await first.sweep(slice), { type: 'more', removed: 70 });
  await first.close();
  const second = sweeping(await control(t, url));
  await second.pass();
  assert.equal(removedBy(second.slices), 4 * FOLDED - 70);
  assert.deepEqual(await left(admin), { patches: 4 * EVERY, floors: FOLDED, cleared: FOLDED });
});

test('a database on which a pass takes far longer than an answer may take is swept all the same', async (t) => {
  const { url, admin } = await database(t);
  await documents(t, url, 2);
  // All deletions take 2 s together, and an answer may take 400 ms.
  await admin.unsafe(`
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN OLD; END $$;
    CREATE TRIGGER slow BEFORE DELETE ON delta FOR EACH ROW EXECUTE FUNCTION slow()`);
  const node = sweeping(await control(t, url, 400), 400);
  // A slice that was given up may be under way for a moment. Then the pass ends and the next one goes on, or
  // the slice has ended the pass.
  const isOver = (): boolean => ['done', 'idle'].includes(node.slices.at(-1)?.type ?? '');
  for (let passes = 0; !isOver(); passes++) {
    assert.ok(passes < 1_000, 'it does not come to an end');
    await node.pass();
  }
  assert.ok(node.problems.length > 0, 'a slice of the first size was given up');
  assert.deepEqual(await left(admin), { patches: 2 * EVERY, floors: FOLDED, cleared: FOLDED });
});

test('snapshots that earlier versions have piled up are thinned, also where everything is kept', async (t) => {
  const { url, admin } = await database(t);
  const [doc = 0] = await documents(t, url, 1);
  await admin`DELETE FROM snapshot`;
  await admin`
    INSERT INTO snapshot (doc, version, state) SELECT ${doc}, v, convert_to(repeat('x', 1500), 'UTF8')
    FROM generate_series(1, ${VERSIONS}) v`;
  const store = await control(t, url);
  const everything = { retention: null, limit: 10_000, sliceMs: 10_000, everyMs: 0 };
  let slices = 0;
  while ((await store.sweep(everything)).type === 'more') slices++;
  assert.equal(slices, 3, '20 snapshots in a slice');
  const kept = await admin<{ version: string; logged: string; bytes: number }[]>`
    SELECT version, logged, octet_length(state) AS bytes FROM snapshot ORDER BY version`;
  const log = Number(kept.at(-1)?.logged);
  assert.ok(log >= 100 * VERSIONS && log < 150 * VERSIONS, `${log} bytes of log`);
  assert.equal(Number(kept.at(-1)?.version), VERSIONS);
  const bytes = kept.reduce((sum, each) => sum + each.bytes, 0);
  assert.ok(bytes <= 1_500 + log, `${bytes} bytes in ${kept.length} snapshots`);
  const fold = createFoldStore({ url, run: randomUUID() });
  t.after(() => fold.close());
  for (let version = 1; version <= VERSIONS; version++) {
    const { snapshotVersion, deltas } = await fold.read(doc, version);
    assert.equal(snapshotVersion + deltas.length, version);
  }
});

test('a fenced node sweeps nothing', async (t) => {
  const { url, admin } = await database(t);
  await documents(t, url, 1);
  const store = await control(t, url);
  await admin`UPDATE session SET state = 'fenced' WHERE slot = -1`;
  const node = sweeping(store);
  await node.pass();
  assert.deepEqual(node.slices, [{ type: 'fenced' }]);
  assert.equal((await left(admin)).patches, VERSIONS);
});
