// Runs: the patches of a batch for a document come back unchanged, from our reader and from the schema's.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import postgres from 'postgres';
import {
  countOfRun,
  decodeRun,
  deltasOf,
  encodeRun,
  pairsOfRun,
  RefusedValue,
  RUN_HEADER_BYTES,
  type RunPatch,
} from '../../../actors/storage/postgres/connection/run.ts';
import { encodeBatch } from '../../../actors/storage/postgres/documents/batch.ts';
import {
  createControlStore,
  createFoldStore,
  createWorkerStore,
} from '../../../actors/storage/store-postgres.ts';
import { plain as creation } from '../../support/creations.ts';
import { freshDatabase } from '../../support/postgres.ts';
import { compact, row, writeSnapshot } from '../contract/support.ts';

const RUNS = 200 * Number(process.env.FUZZ_RUNS ?? 1);

/** Patches may be longer than a length of one byte can state, and have characters of several bytes. */
const text = fc
  .oneof(fc.constantFrom('', 'a', 'b'), fc.string({ unit: 'grapheme', maxLength: 150 }))
  .map((value) => value.replaceAll('\0', '-'));
const seq = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const patch = fc.record({ client: text, seq, user: text, op: fc.uint8Array({ maxLength: 300 }) });
const patches = fc.array(patch, { maxLength: 20 });

const plain = ({ client, seq, user, op }: RunPatch) => ({ client, seq, user, op: Uint8Array.from(op) });

void test('a run gives back its patches', () => {
  fc.assert(
    fc.property(patches, (given) => {
      const bytes = encodeRun(given);
      assert.deepEqual(decodeRun(bytes).map(plain), given.map(plain));
      assert.equal(countOfRun(bytes.subarray(0, RUN_HEADER_BYTES)), given.length);
    }),
    { numRuns: RUNS },
  );
});

void test('of a run the pairs of a client are those of its patches', () => {
  fc.assert(
    fc.property(patches, text, fc.nat(30), (given, stranger, upTo) => {
      const run = { first: 11, last: 10 + given.length, epoch: 1, ops: encodeRun(given) };
      for (const client of new Set([stranger, ...given.map((each) => each.client)])) {
        assert.deepEqual(
          pairsOfRun(run, client, upTo).pairs,
          given.flatMap((each, i) => (each.client === client && 11 + i <= upTo ? [[each.seq, 11 + i]] : [])),
        );
        const last = given.findLast((each, i) => each.client === client && 11 + i <= upTo);
        assert.equal(pairsOfRun(run, client, upTo).user, last?.user ?? '');
      }
    }),
    { numRuns: RUNS },
  );
});

void test('a run that is cut short or goes on is refused', () => {
  fc.assert(
    fc.property(fc.array(patch, { minLength: 1, maxLength: 5 }), fc.nat(), (given, place) => {
      const bytes = encodeRun(given);
      assert.throws(() => decodeRun(bytes.subarray(0, place % bytes.length)));
      assert.throws(() => decodeRun(Buffer.concat([bytes, Uint8Array.of(0)])), /more bytes/);
    }),
    { numRuns: RUNS },
  );
});

void test('a run of another form is refused', () => {
  const bytes = encodeRun([row(1, 1)]);
  bytes[0] = 2;
  assert.throws(() => decodeRun(bytes), /has form 2/);
});

void test('a run takes half the bytes of its patches at most for names that repeat', () => {
  const one = encodeRun([row(1, 1)]).length;
  const many = encodeRun(Array.from({ length: 100 }, () => row(1, 1))).length;
  assert.ok(many < (one * 100) / 2, `${many} bytes for 100 patches, ${one} for one`);
});

void test('what text and bigint of PostgreSQL refuse, a run refuses, and names the same reason', () => {
  const refused = (code: string) => (error: unknown) => error instanceof RefusedValue && error.code === code;
  for (const user of ['a\0b', `${'a'.repeat(100)}\0`, 'ü\0']) {
    assert.throws(() => encodeRun([row(1, 1, { user })]), refused('22021'));
    assert.throws(() => encodeRun([row(1, 1, { client: user })]), refused('22021'));
  }
  for (const seq of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => encodeRun([row(1, 1, { seq })]), refused('22003'));
  }
});

void test('of a run only the versions asked for are given', () => {
  const run = {
    first: 11,
    last: 15,
    epoch: 3,
    ops: encodeRun([11, 12, 13, 14, 15].map((version) => row(1, version))),
  };
  const versions = (after: number, upTo: number) =>
    deltasOf(run, after, upTo).map(({ version, seq }) => [version, seq]);
  assert.deepEqual(versions(12, 14), [
    [13, 13],
    [14, 14],
  ]);
  assert.equal(versions(0, 99).length, 5);
  assert.deepEqual(versions(15, 99), []);
  // The rest that compaction left of the run: the last of first … last.
  const cut = { ...run, ops: encodeRun(decodeRun(run.ops).slice(3)) };
  assert.deepEqual(
    deltasOf(cut, 0, 99).map(({ version, seq }) => [version, seq]),
    [
      [14, 14],
      [15, 15],
    ],
  );
});

void test('a batch has one run a document; another epoch, a version that does not follow, and 64 KiB end one', () => {
  const big = new Uint8Array(40_000);
  const shape = (rows: Parameters<typeof encodeBatch>[1]) => {
    const { size, docs, firsts, lasts, epochs } = encodeBatch(1, rows);
    return { size, docs, firsts, lasts, epochs };
  };
  assert.deepEqual(shape([row(1, 5), row(2, 1), row(1, 6), row(2, 2), row(1, 7)]), {
    size: 2,
    docs: '{1,2}',
    firsts: '{5,1}',
    lasts: '{7,2}',
    epochs: '{1,1}',
  });
  assert.equal(shape([row(1, 5), row(1, 6, { epoch: 2 })]).epochs, '{1,2}');
  assert.equal(shape([row(1, 5), row(1, 7)]).firsts, '{5,7}');
  assert.equal(shape([1, 2, 3, 4].map((version) => row(1, version, { op: big }))).lasts, '{2,4}');
});

void test('the log has no constraint that each commit would have to compile: the batch refuses a version below 1 itself', async (t) => {
  const { admin } = await database(t);
  const checks = await admin`
    SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text ~ '^delta'`;
  assert.deepEqual([...checks], []);
  for (const version of [0, -1, Number.NaN])
    assert.throws(
      () => encodeBatch(1, [row(1, 1), row(2, version)]),
      (error) => error instanceof RefusedValue && error.code === '22003',
    );
});

void test('the schema unpacks runs as we do', async (t) => {
  const { admin } = await database(t);
  await fc.assert(
    fc.asyncProperty(patches, async (given) => {
      // PostgreSQL's order of text agrees with ours if no half of a surrogate pair occurs.
      const rows = await admin`
        SELECT version::float8, client, seq::float8, usr AS user, op FROM troupe_patches(1000, ${encodeRun(given)})`;
      const base = 1000 - given.length;
      assert.deepEqual(
        rows.map(({ version, client, seq, user, op }) => ({
          version,
          client,
          seq,
          user,
          op: Uint8Array.from(op),
        })),
        given.map((each, i) => ({ version: base + i + 1, ...plain(each) })),
      );
    }),
    { numRuns: Math.min(RUNS, 100) },
  );
});

void test('a session behind the log meets its key, by the row or by the proof', async (t) => {
  const { url, admin } = await database(t);
  const owner = await openWorker(t, url);
  const doc = await document(owner);
  // The stale worker opens before the owner goes on, with the head of that time. Nothing here fences it.
  const stale = await openWorker(t, url);
  await owner.append([row(doc, 1), row(doc, 2)], new Map([[doc, 0]]));
  const other = await document(stale, 'other', 2);
  await stale.append([row(other, 1)], new Map([[other, 0]]));
  await owner.append([row(doc, 3), row(doc, 4), row(doc, 5)], new Map());
  // Runs that are shorter and longer than the owner's run from there.
  for (const length of [1, 3, 4]) {
    const rows = Array.from({ length }, (_, i) => row(doc, 3 + i, { client: 'stale' }));
    assert.deepEqual(await stale.append(rows, new Map()), { type: 'gap' }, 'by the key');
    assert.deepEqual(await stale.append(rows, new Map([[doc, 2]])), { type: 'gap' }, 'by the proof');
  }
  // No writer can have these heads, because they are inside a run. The proof detects them too.
  assert.deepEqual(await stale.append([row(doc, 5)], new Map([[doc, 4]])), { type: 'gap' });
  assert.deepEqual(await stale.append([row(doc, 1)], new Map([[doc, 0]])), { type: 'gap' });
  const runs = await admin`SELECT first::int, last::int FROM delta WHERE doc = ${doc} ORDER BY first`;
  assert.deepEqual(
    [...runs],
    [
      { first: 1, last: 2 },
      { first: 3, last: 5 },
    ],
  );
});

void test('reads begin and end inside runs, over many of them', async (t) => {
  const { url } = await database(t);
  const worker = await openWorker(t, url);
  const doc = await document(worker);
  const control = createControlStore({ url });
  t.after(() => control.close());
  await control.openSession({ run: randomUUID(), node: 'node', slot: -1 });
  const fold = createFoldStore({ url, run: randomUUID() });
  t.after(() => fold.close());
  const op = new Uint8Array(100);
  const heads = new Map([[doc, 0]]);
  for (let first = 1; first <= 61; first += 10) {
    const rows = Array.from({ length: 10 }, (_, i) => row(doc, first + i, { op, client: `c${i % 3}` }));
    assert.deepEqual(await worker.append(rows, first === 1 ? heads : new Map()), { type: 'committed' });
  }
  for (const [after, upTo, bytes, end] of [
    [0, 70, 1_000_000, 70],
    [14, 37, 1_000_000, 37],
    [9, 70, 2_550, 34],
    [10, 70, 100, 11],
    [69, 99, 1, 70],
  ] as const) {
    const versions = (await worker.history(doc, after, upTo, bytes)).map(({ version }) => version);
    assert.deepEqual(
      versions,
      Array.from({ length: end - after }, (_, i) => after + i + 1),
      `history(${after}, ${upTo}, ${bytes})`,
    );
  }
  const session = worker.session;
  const seqs = await worker.clientSeqs(doc, 'c1', 70);
  assert.equal(await writeSnapshot(fold, session, doc, 25, 1, 0), true, 'inside a run');
  assert.deepEqual(await worker.clientSeqs(doc, 'c1', 70), seqs);
  assert.equal(await writeSnapshot(fold, session, doc, 50, 1, 25), true);
  assert.deepEqual(await worker.clientSeqs(doc, 'c1', 70), seqs);
  const { deltas } = await fold.read(doc, 43);
  assert.deepEqual([deltas[0]?.version, deltas.length], [26, 18]);
  assert.equal(await compact(control, { olderThanMs: 0, keepOps: 40, limit: 12 }), 12);
  assert.equal(await compact(control, { olderThanMs: 0, keepOps: 40, limit: 1_000 }), 13);
  assert.deepEqual(await worker.history(doc, 24, 70, 100), []);
  assert.equal((await worker.history(doc, 25, 70, 1_000_000)).length, 45);
  const { pairs } = await worker.seqPage(doc, 'c1', 70);
  assert.deepEqual([pairs[0]?.[1], pairs.at(-1)?.[1]], [68, 28]);
  assert.deepEqual(await worker.clientSeqs(doc, 'c1', 70), seqs);
  assert.equal(await compact(control, { olderThanMs: 0, keepOps: 0, limit: 1_000 }), 25);
  assert.deepEqual(await worker.clientSeqs(doc, 'c1', 70), seqs);
});

type Ends = Parameters<typeof freshDatabase>[0];

async function database(t: Ends) {
  const url = await freshDatabase(t);
  const admin = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  t.after(() => admin.end({ timeout: 1 }));
  return { url, admin };
}

async function openWorker(t: Ends, url: string) {
  const store = createWorkerStore({ url });
  t.after(() => store.abort());
  const session = await store.open({ run: randomUUID(), node: 'node', slot: 0 });
  return Object.assign(store, { session });
}

async function document(worker: ReturnType<typeof createWorkerStore>, name = 'd', shard = 1) {
  await worker.claim([shard]);
  const made = await worker.create('org', name, shard, creation('json'));
  assert.ok(made);
  return made.row.id;
}
