// The times at which commits may begin: at once up to a rate, and above it just seldom enough to keep the
// rate.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommitBudget } from '../../../actors/commit/commit-budget.ts';

function bench(perSecond: number) {
  let ms = 0;
  const budget = new CommitBudget(perSecond, { now: () => ms });
  return {
    /**
     * Edits come at `times`; edits that come while others are gathered commit with them. Returns the times of
     * the commits.
     */
    commits(times: readonly number[]): number[] {
      const begun: number[] = [];
      for (const time of times) {
        const last = begun.at(-1) ?? Number.NEGATIVE_INFINITY;
        if (time <= last) continue;
        ms = time;
        const wait = budget.waitMs;
        ms += wait;
        budget.spend();
        begun.push(ms);
      }
      return begun;
    },
  };
}

const every = (ms: number, count: number): number[] => Array.from({ length: count }, (_, at) => at * ms);

test('below the rate each edit commits at once, also in bursts', () => {
  const times = every(10, 500).flatMap((time) => [time, time + 0.1]);
  assert.deepEqual(bench(300).commits(times), times);
});

test('above the rate there are no more commits than the rate has', () => {
  const commits = bench(300).commits(every(0.5, 10_000));
  // 5 s, and the burst at the beginning.
  assert.ok(commits.length <= 5 * 300 + 16, `${commits.length} commits`);
  assert.ok(commits.length >= 5 * 300 - 1, `${commits.length} commits`);
});

test('no edit is gathered for longer than 5 ms, however low the rate', () => {
  const times = every(0.5, 4_000);
  const commits = bench(10).commits(times);
  const waits = times.map((time) => (commits.find((commit) => commit >= time) ?? Number.NaN) - time);
  assert.ok(Math.max(...waits) <= 5);
  assert.ok(commits.length <= 2_000 / 5 + 2, `${commits.length} commits`);
});

test('an endless rate gathers nothing', () => {
  const times = every(0.01, 1_000);
  assert.deepEqual(bench(Number.POSITIVE_INFINITY).commits(times), times);
});
