// The contract's rules about many snapshots: writing one removes those that it makes superfluous, the
// snapshots of a document take less than its newest one and its log, and every version stays readable.
import assert from 'node:assert/strict';
import type { SessionRef } from '../../../actors/storage/store.ts';
import { type Random, seededRandom } from '../../../loadtest/clients/random-edits.ts';
import { fuzzRuns } from '../../support/fuzz-runs.ts';
import {
  compact,
  document,
  node,
  openWorker,
  type Rule,
  row,
  type StoreHarness,
  writeSnapshot,
} from './support.ts';

/** Every version is read after each, so the time grows with the square of the number. */
const SNAPSHOTS = Math.min(40, fuzzRuns(70));

export function thinning(rule: Rule): void {
  for (let seed = 1; seed <= fuzzRuns(3); seed++) {
    rule(`thinning: all snapshots take less than the newest and the log, history ${seed}`, async (h) => {
      const random = seededRandom(seed);
      const { append, snapshot, kept } = await stage(h);
      for (let i = 0; i < SNAPSHOTS; i++) {
        await append(random, 1 + Math.floor(3 * random()), 50);
        await snapshot(Math.floor(600 ** random()));
        const { versions, bytes, newest, log } = await kept();
        assert.ok(
          bytes <= newest + log,
          `${bytes} bytes of ${versions.join()}: newest ${newest}, log ${log}`,
        );
      }
    });
  }

  rule('thinning: a document that is opened often for little keeps few snapshots', async (h) => {
    const { append, snapshot, kept } = await stage(h);
    await append(() => 0.99, 1, 10_000);
    for (let i = 0; i < 12; i++) {
      await append(() => 0.99, 1, 50);
      await snapshot(10_000);
    }
    assert.deepEqual((await kept()).versions, [13]);
  });

  rule('thinning: never the one up to which the log is folded away', async (h) => {
    const { append, snapshot, kept, control } = await stage(h);
    await append(() => 0.99, 4, 50);
    await snapshot(10_000);
    await append(() => 0.99, 1, 50);
    assert.ok((await compact(control, { olderThanMs: 0, keepOps: 1, limit: 1_000 })) >= 4);
    for (let i = 0; i < 5; i++) {
      await snapshot(10_000);
      await append(() => 0.99, 1, 50);
    }
    assert.deepEqual((await kept(4)).versions, [4, 9]);
  });

  rule('thinning: a fenced session removes none', async (h) => {
    const { append, snapshot, kept, fold, session, doc, me } = await stage(h);
    const other = await node(h);
    await append(() => 0.99, 3, 50);
    await snapshot(1);
    await append(() => 0.99, 1, 50);
    await snapshot(1_000);
    const before = await kept();
    await append(() => 0.99, 1, 50);
    for (const id of [me.id, session.id]) await other.control.fence(other.me, { session: id });
    assert.equal(await writeSnapshot(fold, session, doc, 5, 1, 4, Buffer.alloc(1_000)), false);
    assert.deepEqual((await kept()).versions, before.versions);
  });
}

/** A document that grows by patches and snapshots of given sizes, and whose versions are all read. */
async function stage(h: StoreHarness) {
  const { control, me, run } = await node(h);
  const a = await openWorker(h, run);
  const session: SessionRef = a.session;
  const fold = h.fold(run);
  const doc = await document(a);
  let head = 0;
  let newest = 0;
  return {
    control,
    me,
    doc,
    fold,
    session,
    /** Appends patches of up to `most` bytes. */
    append: async (random: Random, patches: number, most: number) => {
      const rows = Array.from({ length: patches }, (_, i) =>
        row(doc, head + i + 1, { op: Buffer.alloc(1 + Math.floor(most * random())) }),
      );
      const heads = head === 0 ? new Map([[doc, 0]]) : new Map<number, number>();
      assert.deepEqual(await a.store.append(rows, heads), { type: 'committed' });
      head += patches;
    },
    /** Writes a snapshot at the head. */
    snapshot: async (bytes: number) => {
      assert.equal(await writeSnapshot(fold, session, doc, head, 1, newest, Buffer.alloc(bytes)), true);
      newest = head;
    },
    /**
     * Reads every version from `from` on. The snapshots from which they are folded are those that were kept.
     */
    kept: async (from = 0) => {
      const found = new Map<number, number>();
      let log = 0;
      for (let version = from; version <= head; version++) {
        const { snapshotVersion, snapshot, deltas } = await fold.read(doc, version);
        assert.equal(snapshotVersion + deltas.length, version);
        if (snapshot !== undefined) found.set(snapshotVersion, snapshot.byteLength);
        if (version > from) log += deltas.at(-1)?.op.byteLength ?? 50;
      }
      const sizes = [...found.values()];
      return {
        versions: [...found.keys()],
        bytes: sizes.reduce((sum, size) => sum + size, 0),
        newest: sizes.at(-1) ?? 0,
        log,
      };
    },
  };
}
