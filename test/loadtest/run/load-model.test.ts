// The pure parts of the load test: the course of a run, the times of typing, the crowd, merged figures and the
// verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { replicaOf } from '../../../loadtest/checker/replica.ts';
import { seededRandom } from '../../../loadtest/clients/random-edits.ts';
import {
  encodeHistogram,
  newHistogram,
  noCounts,
  type ProcessSecond,
  recordMs,
} from '../../../loadtest/run/figures.ts';
import { Course } from '../../../loadtest/run/generator/course.ts';
import { checkedDocuments, crowdOf } from '../../../loadtest/run/generator/crowd.ts';
import { loadEdits } from '../../../loadtest/run/generator/load-edits.ts';
import { strokesOf, typingOf } from '../../../loadtest/run/generator/typing.ts';
import { ProgressView, plainLine, tableLines } from '../../../loadtest/run/progress.ts';
import { Merger } from '../../../loadtest/run/result.ts';
import { judge, verdictOf } from '../../../loadtest/run/verdict.ts';
import { parseScenario } from '../../../loadtest/scenarios/read-scenario.ts';

const scenarioOf = (yaml: string) => parseScenario(yaml, 'x.yaml');

test('a ramp rises in a straight line from the stage before, and a step holds at once', () => {
  const { stages } = scenarioOf(
    'stages:\n  - {lastsMs: 10s, change: ramp}\n  - {lastsMs: 10s, clients: 0.5, change: step}\n  - {lastsMs: 10s, clients: 1, change: ramp}\n',
  );
  const course = new Course(stages);
  assert.equal(course.lastsMs, 30_000);
  assert.deepEqual(
    [0, 5_000, 9_999, 10_000, 19_999, 25_000, 30_000].map((at) => Number(course.clientsAt(at).toFixed(2))),
    [0, 0.5, 1, 0.5, 0.5, 0.75, 1],
  );
});

test('typing at half the factor takes twice as long, and none happens at the factor 0', () => {
  const { stages } = scenarioOf('stages:\n  - {lastsMs: 10s, typing: 0}\n  - {lastsMs: 10s, typing: 0.5}\n');
  const course = new Course(stages);
  assert.equal(course.afterTyping(2_000, 1_000), 12_000);
  assert.equal(course.afterTyping(2_000, 6_000), undefined);
});

test('every model of typing has the mean that the scenario asks for, and the same seed types the same', () => {
  for (const model of ['bursts', 'random', 'even'] as const) {
    const { typing } = scenarioOf(`typing: {model: ${model}, everyMs: 2s, burstEdits: 5}`);
    const times = (seed: number) => {
      const source = typingOf(typing, undefined, seededRandom(seed));
      return Array.from({ length: 20_000 }, () => source.next().afterMs);
    };
    const mean = times(3).reduce((sum, ms) => sum + ms, 0) / 20_000;
    assert.ok(Math.abs(mean - 2_000) < 120, `${model}: ${mean}`);
    assert.deepEqual(times(3), times(3));
  }
});

test('a trace whose times are whole seconds is spread over them, and keeps the place of each edit', () => {
  const strokes = strokesOf([
    { time: '2020-01-01T00:00:00Z', patches: [[0, 0, 'ab']] },
    { time: '2020-01-01T00:00:00Z', patches: [[2, 0, 'c']] },
    { time: '2020-01-01T00:00:02Z', patches: [[1, 1, '😀']] },
  ]);
  assert.deepEqual(
    strokes.map(({ afterMs, move, deleted }) => [afterMs, move, deleted]),
    [
      [1_000, 0, 0],
      [1_000, 0, 0],
      [200, -2, 1],
    ],
  );
  assert.equal(strokes[2]?.inserted, '?');
});

test('clients are spread evenly or skewed, none is lost, and a large document is split over processes', () => {
  const of = (yaml: string, processes: number) => crowdOf(scenarioOf(yaml), processes);
  const perDocument = (lists: ReturnType<typeof crowdOf>) => {
    const counts: number[] = [];
    for (const { document } of lists.flat()) counts[document] = (counts[document] ?? 0) + 1;
    return counts;
  };
  assert.deepEqual(perDocument(of('{documents: {count: 4}, clients: {editors: 10}}', 1)), [3, 3, 2, 2]);
  const skewed = perDocument(of('{documents: {count: 20}, clients: {editors: 200, skew: 1}}', 3));
  assert.ok((skewed[0] ?? 0) > 40 && (skewed[19] ?? 0) < 5, skewed.join());
  const lists = of('{documents: {count: 1}, clients: {editors: 100, readers: 20}}', 3);
  assert.deepEqual(
    lists.map((list) => list.length),
    [40, 40, 40],
  );
  assert.equal(new Set(lists.flat().map(({ rank }) => rank)).size, 120);
  assert.equal(lists.flat().filter(({ edits }) => edits).length, 100);
});

test('the checked documents are chosen among those that have clients', () => {
  const scenario = scenarioOf('{documents: {count: 100, checked: 4}, clients: {editors: 8}}');
  assert.deepEqual(checkedDocuments(scenario, crowdOf(scenario, 2)), [0, 2, 4, 6]);
});

test('documents with an editor are checked before those that are only read', () => {
  const read = (checked: number) => {
    const scenario = scenarioOf(
      `{documents: {count: 100, checked: ${checked}}, clients: {editors: 3, readers: 100}}`,
    );
    return checkedDocuments(scenario, crowdOf(scenario, 2));
  };
  assert.deepEqual(read(2), [0, 1]);
  assert.deepEqual(read(3), [0, 1, 2]);
  assert.deepEqual(read(5), [0, 1, 2, 3, 51]);
  assert.equal(read(1_000).length, 100);
});

test('edits made without a replica apply to the document, at every place and length', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 3 }), (seed, many) => {
      const replica = replicaOf('rich-text', [{ insert: 'abc\n' }], 0);
      const editors = Array.from({ length: many }, (_, place) => {
        const edits = loadEdits('rich-text', seededRandom(seed + place), { initialLength: 0, characters: 0 });
        edits.reset(replica.content());
        return edits;
      });
      for (let round = 0; round < 60; round++) {
        const stroke = {
          afterMs: 0,
          move: (seed % 9) - 4,
          deleted: round % 5,
          inserted: round % 3 ? '' : 'x',
        };
        const op = editors[round % many]?.next(round % 4 === 0 ? stroke : undefined) ?? [];
        replica.apply(op);
        for (const edits of editors) edits.take(op);
      }
      const text = (replica.content() as { insert: string }[]).map(({ insert }) => insert).join('');
      assert.ok(text.endsWith('\n'));
    }),
    { numRuns: 50 },
  );
});

const partOf = (
  second: number,
  commits: readonly number[],
  more: Partial<ProcessSecond> = {},
): ProcessSecond => {
  const histogram = newHistogram();
  for (const ms of commits) recordMs(histogram, ms);
  const counts = { ...noCounts(), asked: commits.length, committed: commits.length };
  const times = { commit: encodeHistogram(histogram) };
  return { second, connected: 1, counts, times, errors: {}, losses: {}, loopDelayMs: 0, cpu: 0, ...more };
};

test('the percentiles of several processes are those of all their times together', () => {
  const merger = new Merger(2);
  assert.equal(merger.take(0, partOf(0, [1, 2, 3]), []), undefined);
  const second = merger.take(1, partOf(0, [100, 200, 300]), []);
  assert.equal(second?.times.commit.count, 6);
  assert.ok(Math.abs((second?.times.commit.p95 ?? 0) - 300) < 1);
  assert.ok(Math.abs((second?.times.commit.p50 ?? 0) - 3) < 0.1);
  merger.take(0, partOf(1, [5]), []);
  merger.closeRest([]);
  assert.equal(merger.totals.committed, 7);
  assert.equal(merger.times.commit.count, 7);
});

test('a second in which the load itself was late, or had no processor left, is marked', () => {
  const isLate = (more: Partial<ProcessSecond>) =>
    new Merger(1).take(0, partOf(0, [1], more), [])?.generator.isLate;
  assert.equal(isLate({}), false);
  assert.equal(isLate({ loopDelayMs: 50 }), true);
  assert.equal(isLate({ cpu: 0.95 }), true);
});

const measuredOf = (commits: readonly number[], lateSeconds: number) => {
  const merger = new Merger(1);
  merger.take(0, partOf(0, commits), []);
  const checked = {
    documents: 1,
    ofDocuments: 1,
    clients: 1,
    replicas: 1,
    edits: commits.length,
    violations: 0,
    told: [],
    unchecked: [],
  };
  const { times, totals, errors, losses } = merger;
  return { times, totals, errors, losses, checked, isInterrupted: false, generator: { lateSeconds } };
};

test('a time above its bound fails, is unsure where the load was late, and within its bound passes in any case', () => {
  const verdict = (commits: readonly number[], late: number) =>
    verdictOf(judge(scenarioOf(''), measuredOf(commits, late)), false);
  assert.equal(verdict([10, 20], 0), 'passed');
  assert.equal(verdict([10, 20], 1), 'passed');
  assert.equal(verdict([300, 400], 0), 'failed');
  assert.equal(verdict([300, 400], 1), 'unsure');
});

test('a run in which too little happened has failed, and so has one that nobody could check', () => {
  const scenario = scenarioOf('criteria: {edits: 10}');
  const failed = (measured: ReturnType<typeof measuredOf>) =>
    judge(scenario, measured)
      .filter(({ verdict }) => verdict === 'failed')
      .map(({ name }) => name);
  assert.deepEqual(failed(measuredOf([1, 2], 0)), ['edits committed']);
  assert.deepEqual(failed(measuredOf([], 0)), [
    'edit → commit, p95',
    'edits committed of those due',
    'edits committed',
  ]);
  const enough = measuredOf(new Array(10).fill(1), 0);
  assert.deepEqual(failed({ ...enough, checked: { ...enough.checked, documents: 0 } }), [
    'documents checked',
  ]);
  assert.deepEqual(failed({ ...enough, checked: { ...enough.checked, violations: 1 } }), [
    'broken promises found by the checker',
  ]);
  assert.deepEqual(failed({ ...enough, errors: { overloaded: 1 }, losses: { 'closed 1006': 1 } }), [
    'errors',
    'lost connections',
  ]);
});

const PROGRESS = {
  lastsMs: 20_000,
  errors: { overloaded: 3 },
  losses: {},
  marks: [{ atMs: 4_000, label: 'kill -9 of node-2' }],
};

test('a terminal shows a table that takes the place of the last, within its width', () => {
  const second = new Merger(1).take(0, partOf(0, [1, 2]), []);
  assert.ok(second !== undefined);
  for (const columns of [40, 80, 200])
    for (const line of tableLines(second, PROGRESS, columns)) assert.ok(line.length < columns, line);
  const written: string[] = [];
  const view = new ProgressView({ isTTY: true, columns: 80, write: (text) => written.push(text) });
  view.second(second, PROGRESS);
  view.second(second, PROGRESS);
  const height = (written[0]?.split('\n').length ?? 0) - 1;
  assert.equal(written[1], `\x1b[${height}A\x1b[0J`);
  assert.match(written[2] ?? '', /overloaded 3[\s\S]*0:04 {2}kill -9 of node-2/);
});

test('the clients that connect before a run are counted on one line of a terminal, elsewhere now and then', () => {
  const terminal: string[] = [];
  const view = new ProgressView({ isTTY: true, columns: 80, write: (text) => terminal.push(text) });
  view.opening(500, 2_000);
  view.opening(1_000, 2_000);
  view.phase('next');
  assert.match(terminal[0] ?? '', /^\[█{10}·{30}\] 500 of 2000 clients are connected\n$/);
  assert.equal(terminal[1], '\x1b[1A\x1b[0J');
  assert.deepEqual(terminal.slice(3), ['\x1b[1A\x1b[0J', 'next\n']);
  const lines: string[] = [];
  const plain = new ProgressView({ write: (text) => lines.push(text) });
  for (let second = 1; second <= 20; second++) plain.opening(second * 50, 2_000);
  assert.deepEqual(lines, ['500 of 2000 clients are connected\n', '1000 of 2000 clients are connected\n']);
});

test('without a terminal there are plain lines, and each fault is told once', () => {
  const written: string[] = [];
  const view = new ProgressView({ write: (text) => written.push(text) });
  const merger = new Merger(1);
  for (let number = 0; number < 10; number++) {
    const second = merger.take(0, partOf(number, [1]), []);
    if (second !== undefined) view.second(second, PROGRESS);
  }
  const last = merger.seconds.at(-1);
  assert.ok(last !== undefined);
  assert.equal(written.length, 3);
  assert.equal(written[0], '0:04  kill -9 of node-2\n');
  assert.equal(written[2], `${plainLine(last, PROGRESS)}\n`);
  assert.ok(!written.join('').includes('\x1b'));
});
