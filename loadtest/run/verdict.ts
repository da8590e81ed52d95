// Whether a run has passed: its figures against the criteria of the scenario. Pure. A delay of the load itself
// can only make a time longer, so a time within its bound has passed in any case, and a time above its bound
// is no finding when the load was late.
import type { Scenario } from '../scenarios/scenario.ts';
import type { Judgement, LoadResult } from './result.ts';

type Measured = Pick<LoadResult, 'times' | 'totals' | 'errors' | 'losses' | 'checked' | 'isInterrupted'> & {
  readonly generator: Pick<LoadResult['generator'], 'lateSeconds'>;
};

/** Share of late seconds up to which a time above its bound counts. */
const MOST_LATE = 0.05;

export function judge({ criteria, clients, http }: Scenario, measured: Measured): Judgement[] {
  const { times, totals, errors, losses, checked } = measured;
  const isLate = measured.generator.lateSeconds > MOST_LATE;
  const judgements: Judgement[] = [];
  const add = (name: string, bound: string, value: string, isPassed: boolean, why?: string) =>
    judgements.push({
      name,
      bound,
      value,
      verdict: isPassed ? 'passed' : 'failed',
      ...(why === undefined ? {} : { why }),
    });
  const time = (name: string, boundMs: number | null, count: number, ms: number) => {
    if (boundMs === null) return;
    const bound = `at most ${boundMs} ms`;
    if (count === 0) add(name, bound, 'nothing measured', false, 'too little happened');
    else if (ms <= boundMs) add(name, bound, shown(ms), true);
    else if (!isLate) add(name, bound, shown(ms), false);
    else {
      const why = 'the load itself was late: use more processors or another machine for it';
      judgements.push({ name, bound, value: shown(ms), verdict: 'unsure', why });
    }
  };
  const achieved = (name: string, done: number, due: number) => {
    const share = due === 0 ? 0 : done / due;
    const bound = `at least ${percent(criteria.achieved)}`;
    // At a constant rate one request may be done before its time has passed.
    add(name, bound, percent(Math.min(1, share)), share >= criteria.achieved);
  };
  const hasEditors = clients.editors > 0;
  if (hasEditors) {
    time('edit → commit, p95', criteria.commitP95Ms, times.commit.count, times.commit.p95);
    time('edit → commit, p99', criteria.commitP99Ms, times.commit.count, times.commit.p99);
    time('edit → delivery, p95', criteria.deliveryP95Ms, times.delivery.count, times.delivery.p95);
  }
  time('open, p95', criteria.openP95Ms, times.open.count, times.open.p95);
  if (http.requestsPerSecond > 0) {
    time('HTTP read, p95', criteria.httpP95Ms, times.http.count, times.http.p95);
    achieved('HTTP reads answered of those due', totals.responses, totals.requests);
  }
  if (http.writesPerSecond > 0) {
    time('HTTP write, p95', criteria.httpWriteP95Ms, times.write.count, times.write.p95);
    achieved('HTTP writes committed of those due', totals.written, totals.writes);
  }
  if (hasEditors) {
    achieved('edits committed of those due', totals.committed, totals.asked);
    const isEnough = totals.committed >= criteria.edits;
    add(
      'edits committed',
      `at least ${criteria.edits}`,
      `${totals.committed}`,
      isEnough,
      isEnough ? undefined : 'too little happened',
    );
  }
  const most = (name: string, bound: number | null, counts: Readonly<Record<string, number>>) => {
    if (bound === null) return;
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    const parts = Object.entries(counts).map(([code, count]) => `${code}: ${count}`);
    add(name, `at most ${bound}`, parts.length === 0 ? '0' : parts.join(', '), sum <= bound);
  };
  most('errors', criteria.errors, errors);
  most('lost connections', criteria.lostConnections, losses);
  add('broken promises found by the checker', 'none', `${checked.violations}`, checked.violations === 0);
  add(
    'documents checked',
    'at least 1',
    `${checked.documents} of ${checked.ofDocuments}`,
    checked.documents > 0,
  );
  return judgements;
}

export function verdictOf(criteria: readonly Judgement[], isInterrupted: boolean): LoadResult['verdict'] {
  if (isInterrupted) return 'interrupted';
  if (criteria.some(({ verdict }) => verdict === 'failed')) return 'failed';
  return criteria.some(({ verdict }) => verdict === 'unsure') ? 'unsure' : 'passed';
}

/** 130 is that of a program that Ctrl-C has ended. */
export const EXIT_CODES = { passed: 0, failed: 1, unsure: 3, interrupted: 130 } as const;

const shown = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
