// Two runs side by side: each figure, its change, and whether the change is beyond the noise. Pure.
//
// The noise of a run is taken from the run itself: its seconds are cut into five parts, and the parts of a steady
// run differ by chance alone. Several old runs tell more: then their own spread counts if it is larger.
import type { LoadResult, Second } from '../run/result.ts';

export interface Compared {
  readonly figure: string;
  readonly unit: string;
  readonly old: number;
  readonly now: number;
  /** Change in units of the old value; undefined if that is 0. */
  readonly change: number | undefined;
  /** Least change that is no noise, in units of the old value. */
  readonly noise: number | undefined;
  readonly verdict: 'better' | 'worse' | 'same';
}

interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly isBetterHigh?: true;
  /** Undefined for a second without it. */
  of(second: Second): number | undefined;
}

const timed = (of: (second: Second) => { readonly count: number }, value: (second: Second) => number) => ({
  of: (second: Second) => (of(second).count === 0 ? undefined : value(second)),
});

const FIGURES: readonly Figure[] = [
  {
    name: 'edit → commit, p50',
    unit: 'ms',
    ...timed(
      (s) => s.times.commit,
      (s) => s.times.commit.p50,
    ),
  },
  {
    name: 'edit → commit, p95',
    unit: 'ms',
    ...timed(
      (s) => s.times.commit,
      (s) => s.times.commit.p95,
    ),
  },
  {
    name: 'edit → commit, p99',
    unit: 'ms',
    ...timed(
      (s) => s.times.commit,
      (s) => s.times.commit.p99,
    ),
  },
  {
    name: 'edit → delivery, p95',
    unit: 'ms',
    ...timed(
      (s) => s.times.delivery,
      (s) => s.times.delivery.p95,
    ),
  },
  {
    name: 'HTTP read, p95',
    unit: 'ms',
    ...timed(
      (s) => s.times.http,
      (s) => s.times.http.p95,
    ),
  },
  {
    name: 'HTTP write, p95',
    unit: 'ms',
    ...timed(
      (s) => s.times.write,
      (s) => s.times.write.p95,
    ),
  },
  { name: 'edits committed', unit: '/s', isBetterHigh: true, of: (second) => second.counts.committed },
  { name: 'CPU of the nodes', unit: 'processors', of: sumOf(({ cpu }) => cpu) },
  { name: 'memory of the nodes', unit: 'MiB', of: sumOf(({ residentBytes }) => mebibytes(residentBytes)) },
];

const PARTS = 5;
/** A change counts from this many standard errors on, and from this part of the old value on. */
const ERRORS = 3;
const LEAST = 0.05;

/** `old`: one or more runs. A figure that one side does not have is left out. */
export function compareRuns(now: LoadResult, old: readonly LoadResult[]): Compared[] {
  return FIGURES.flatMap((figure) => {
    const mine = partsOf(now, figure);
    const theirs = old.map((run) => partsOf(run, figure)).filter((parts) => parts.length > 0);
    if (mine.length === 0 || theirs.length === 0) return [];
    const value = mean(mine);
    const before = mean(theirs.map(mean));
    const within = Math.hypot(
      standardError(mine),
      mean(theirs.map(standardError)) / Math.sqrt(theirs.length),
    );
    const between = theirs.length > 1 ? deviation(theirs.map(mean)) : 0;
    const noise = Math.max(ERRORS * Math.max(within, between), LEAST * Math.abs(before));
    const difference = value - before;
    const isBetter = figure.isBetterHigh === true ? difference > 0 : difference < 0;
    const verdict = Math.abs(difference) <= noise ? 'same' : isBetter ? 'better' : 'worse';
    const { name, unit } = figure;
    return [
      {
        figure: name,
        unit,
        old: before,
        now: value,
        change: before === 0 ? undefined : difference / before,
        noise: before === 0 ? undefined : noise / Math.abs(before),
        verdict,
      } as const,
    ];
  });
}

/** The means of a figure in each part of a run. The last second is longer than the others, and left out. */
function partsOf({ seconds }: LoadResult, figure: Figure): number[] {
  const values = seconds
    .slice(0, -1)
    .map((second) => figure.of(second))
    .filter((value) => value !== undefined);
  const parts = Math.min(PARTS, values.length);
  return Array.from({ length: parts }, (_, part) =>
    mean(
      values.slice(
        Math.floor((part * values.length) / parts),
        Math.floor(((part + 1) * values.length) / parts),
      ),
    ),
  );
}

function sumOf(of: (reading: Second['servers'][number]) => number | undefined) {
  return ({ servers }: Second): number | undefined => {
    const values = servers.map(of).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  };
}

const mebibytes = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes / 2 ** 20);
const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

function deviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

const standardError = (values: readonly number[]): number =>
  values.length < 2 ? 0 : deviation(values) / Math.sqrt(values.length);
