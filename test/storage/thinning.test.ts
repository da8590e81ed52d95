// Thinning over random histories: the room of the snapshots that stay, and the log between them, are bounded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EMPTY_DOCUMENT,
  FOLD_BYTES,
  type SnapshotPlace,
  superfluous,
  THINNING_WINDOW,
} from '../../actors/storage/thinning.ts';
import { seededRandom } from '../../loadtest/clients/random-edits.ts';

interface History {
  /** The log between two snapshots, and the size of the later one. */
  next(i: number): { readonly log: number; readonly bytes: number };
}

/** Writes snapshot after snapshot, thins them as the stores do, and shows the kept ones after each. */
function play(count: number, history: History, check: (kept: readonly SnapshotPlace[]) => void): void {
  let kept: SnapshotPlace[] = [];
  let logged = 0;
  for (let version = 1; version <= count; version++) {
    const { log, bytes } = history.next(version);
    logged += log;
    const written: SnapshotPlace = { version, bytes, logged };
    const before = kept.slice(-THINNING_WINDOW);
    const whole = before.length < THINNING_WINDOW ? [EMPTY_DOCUMENT] : [];
    const gone = new Set(superfluous([...whole, ...before, written]));
    kept = [...kept, written].filter(({ version: at }) => !gone.has(at));
    assert.equal(kept.at(-1), written, 'the newest stays');
    check(kept);
  }
}

const between = (random: () => number, low: number, high: number): number =>
  Math.floor(low * (high / low) ** random());

const bytesOf = (kept: readonly SnapshotPlace[]): number => kept.reduce((sum, { bytes }) => sum + bytes, 0);

const gapsOf = (kept: readonly SnapshotPlace[]): number[] =>
  kept.map(({ logged }, i) => logged - (kept[i - 1]?.logged ?? 0));

test('all snapshots together are smaller than the newest and the log, whatever their sizes', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const scale = between(random, 1, 1_000_000);
    const next = () => ({ log: between(random, 1, 10 * scale), bytes: between(random, 1, 10_000_000) });
    play(150, { next }, (kept) => {
      const newest = kept.at(-1) ?? EMPTY_DOCUMENT;
      assert.ok(bytesOf(kept) < newest.bytes + newest.logged + 1, `seed ${seed}, version ${newest.version}`);
    });
  }
});

test('between two snapshots is no more log than was written at once, twice the largest, or FOLD_BYTES', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    let written = 0;
    let largest = 0;
    const next = () => {
      const made = { log: between(random, 1, 500_000), bytes: between(random, 1, 3_000_000) };
      written = Math.max(written, made.log);
      largest = Math.max(largest, made.bytes);
      return made;
    };
    play(150, { next }, (kept) => {
      const widest = Math.max(...gapsOf(kept));
      assert.ok(widest <= Math.max(written, 2 * largest, FOLD_BYTES), `seed ${seed}`);
    });
  }
});

test('near the head distances double: a small document has few snapshots, however long its log', () => {
  const log = 4_096;
  play(20_000, { next: () => ({ log, bytes: 200 }) }, (kept) => {
    const length = kept.at(-1)?.logged ?? 0;
    const doublings = Math.log2(Math.min(length, FOLD_BYTES) / log) + 1;
    const far = length / FOLD_BYTES;
    assert.ok(kept.length <= 2 * doublings + 2 * far + 2, `${kept.length} of ${length} bytes`);
  });
});

test('the window of a write judges as all of them would be judged', () => {
  const log = 1_024;
  let kept: SnapshotPlace[] = [];
  play(20_000, { next: () => ({ log, bytes: 100 }) }, (now) => {
    kept = [...now];
  });
  assert.ok(kept.length > 2);
  assert.deepEqual(superfluous([EMPTY_DOCUMENT, ...kept]), []);
});

test('the first and the newest stay, and nothing else is asked for', () => {
  assert.deepEqual(superfluous([]), []);
  assert.deepEqual(superfluous([EMPTY_DOCUMENT]), []);
  const huge = (version: number): SnapshotPlace => ({ version, bytes: 1e9, logged: version });
  assert.deepEqual(superfluous([huge(1), huge(2)]), []);
  assert.deepEqual(superfluous([huge(1), huge(2), huge(3), huge(4)]), [2, 3]);
});
