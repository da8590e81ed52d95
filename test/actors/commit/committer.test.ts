// The rows that a batch of the group commit takes, and their order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Committer } from '../../../actors/commit/committer.ts';
import type { AppendOutcome, DeltaRow, WorkerStore } from '../../../actors/storage/store.ts';

const LIMITS = {
  maxRows: 1_000,
  maxBytes: 4 * 1024 * 1024,
  queueBytes: 64 * 1024 * 1024,
  perSecond: Number.POSITIVE_INFINITY,
};
const KB = 1_000;

/** A store whose appends end when the test says so, and a committer on it. */
class Bench {
  now = 0;
  readonly timers: { readonly ms: number; readonly run: () => void }[] = [];
  readonly batches: (readonly DeltaRow[])[] = [];
  readonly #versions = new Map<number, number>();
  #end: (outcome: AppendOutcome) => void = () => undefined;
  readonly committer: Committer;

  constructor(limits = LIMITS) {
    this.committer = this.#make(limits);
  }

  readonly #make = (limits: typeof LIMITS): Committer =>
    new Committer(
      {
        connectionEpoch: 1,
        append: (rows: readonly DeltaRow[]) =>
          new Promise<AppendOutcome>((resolve) => {
            this.batches.push(rows);
            this.#end = resolve;
          }),
      } as Pick<WorkerStore, 'append' | 'connectionEpoch'> as WorkerStore,
      limits,
      {
        now: () => this.now,
        soon: () => undefined,
        after: (ms, run) => {
          this.timers.push({ ms, run });
          return () => undefined;
        },
        every: () => () => undefined,
      },
      () => assert.fail('the session is over'),
    );

  give(doc: number, bytes: number): void {
    const version = (this.#versions.get(doc) ?? 0) + 1;
    this.#versions.set(doc, version);
    const row = {
      doc,
      version,
      epoch: 1,
      client: 'client-1',
      seq: version,
      user: '',
      op: new Uint8Array(bytes),
    };
    this.committer.enqueue({ durableTo: () => undefined, refusedByStore: () => assert.fail() }, row);
  }

  /** The batch under way commits after `ms`, and the next one begins. */
  async commit(ms: number): Promise<void> {
    await Promise.resolve();
    this.now += ms;
    this.#end({ type: 'committed' });
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  get last(): readonly string[] {
    return (this.batches.at(-1) ?? []).map(({ doc, version }) => `${doc}:${version}`);
  }
}

test('few bytes commit in the order in which they came', async () => {
  const bench = new Bench();
  bench.give(1, 100);
  await Promise.resolve();
  for (const doc of [3, 2, 3, 1]) bench.give(doc, 100);
  await bench.commit(1);
  assert.deepEqual(bench.last, ['3:1', '2:1', '3:2', '1:2']);
});

test('an edit does not wait for megabytes of other documents, and these get there too', async () => {
  const bench = new Bench();
  bench.give(1, 250 * KB);
  await Promise.resolve();
  for (let i = 0; i < 20; i++) bench.give(2, 250 * KB);
  bench.give(3, 100);
  bench.give(3, 100);
  // 250 kB in 100 ms: batches become small.
  await bench.commit(100);
  assert.deepEqual(bench.last, ['2:1', '3:1', '3:2']);
  bench.give(4, 100);
  await bench.commit(100);
  assert.deepEqual(bench.last, ['2:2', '4:1']);
  for (let version = 3; version <= 20; version++) {
    await bench.commit(100);
    assert.deepEqual(bench.last, [`2:${version}`]);
  }
});

test('the document that has waited longest is never left behind by lighter ones', async () => {
  const bench = new Bench();
  bench.give(1, 250 * KB);
  await Promise.resolve();
  bench.give(2, 250 * KB);
  bench.give(2, 250 * KB);
  for (let i = 0; i < 5; i++) {
    for (let doc = 10; doc < 13; doc++) bench.give(doc, 90 * KB);
    await bench.commit(100);
    if (bench.last.includes('2:2')) return;
  }
  assert.fail('its second edit has not been committed');
});

test('above the budget of commits edits are gathered, and go together when their time has come', async () => {
  const bench = new Bench({ ...LIMITS, perSecond: 1 });
  bench.give(1, 100);
  await bench.commit(1);
  assert.deepEqual(bench.last, ['1:1']);
  bench.give(1, 100);
  await Promise.resolve();
  bench.give(2, 100);
  await Promise.resolve();
  assert.equal(bench.batches.length, 1);
  assert.deepEqual(
    bench.timers.map(({ ms }) => ms),
    [5],
  );
  bench.now += 5;
  bench.timers[0]?.run();
  assert.deepEqual(bench.last, ['1:2', '2:1']);
});

test('edits that fill a batch are not gathered', async () => {
  const bench = new Bench({ ...LIMITS, perSecond: 1 });
  bench.give(1, 100);
  await bench.commit(1);
  bench.give(2, 100 * KB);
  await Promise.resolve();
  assert.deepEqual(bench.last, ['2:1']);
});
