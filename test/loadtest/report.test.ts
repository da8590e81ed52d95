// The report of a load test in a browser, and two runs side by side.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { compareRuns } from '../../loadtest/report/compare.ts';
import { reportHtml } from '../../loadtest/report/report.ts';
import { encodeHistogram, newHistogram, noCounts, recordMs } from '../../loadtest/run/figures.ts';
import { FORMAT, type LoadResult, Merger } from '../../loadtest/run/result.ts';
import { judge, verdictOf } from '../../loadtest/run/verdict.ts';
import { parseScenario } from '../../loadtest/scenarios/read-scenario.ts';
import { launchChromium } from '../support/chromium.ts';

/** The result of a run of `length` seconds whose edits take about `ms`. */
function resultOf(ms: number, length = 20, description = 'A run.'): LoadResult {
  const scenario = { ...parseScenario('', 'x.yaml'), description };
  const merger = new Merger(1);
  for (let second = 0; second < length; second++) {
    const histogram = newHistogram();
    for (let edit = 0; edit < 50; edit++) recordMs(histogram, ms * (1 + ((second * 7 + edit * 3) % 10) / 50));
    const times = { commit: encodeHistogram(histogram), delivery: encodeHistogram(histogram) };
    const counts = { ...noCounts(), asked: 50, committed: 50, delivered: 100 };
    const state = { connected: 10, errors: {}, losses: {}, loopDelayMs: second === 5 ? 90 : 1, cpu: 0.2 };
    const servers = [{ node: 'node-1', cpu: 0.4, residentBytes: 2 ** 28, loopDelayMs: undefined }];
    merger.take(0, { second, counts, times, ...state }, servers);
  }
  const measured = {
    generator: { processes: 1, processors: 2, node: process.version, lateSeconds: 1 / length },
    isInterrupted: false,
    seconds: merger.seconds,
    totals: merger.totals,
    times: merger.times,
    errors: merger.errors,
    losses: merger.losses,
    checked: {
      documents: 3,
      ofDocuments: 4,
      clients: 10,
      replicas: 10,
      edits: 50 * length,
      violations: 0,
      told: [],
      unchecked: [],
    },
  };
  const criteria = judge(scenario, measured);
  return {
    format: FORMAT,
    scenario: 'office',
    settings: scenario,
    startedAt: '2026-01-02T03:04:05.000Z',
    target: { urls: ['ws://127.0.0.1:1/v1/socket'], isOwn: true },
    ...measured,
    marks: [{ atMs: 8_000, label: 'kill -9 of node-2' }],
    criteria,
    verdict: verdictOf(criteria, false),
  };
}

test('the report is one file that draws its charts in light and dark, and fetches nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-report-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const description = '</script><img src=x onerror="throw 1"> & a < b.';
  const result = resultOf(20, 20, description);
  const compared = { with: ['before.json'], rows: compareRuns(result, [resultOf(10)]) };
  const file = join(folder, 'report.html');
  writeFileSync(file, reportHtml({ result, compared }));
  const chromium = await launchChromium(t);
  const grounds: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await chromium.window(t, { colorScheme, viewport: { width: 1280, height: 900 } });
    const fetched: string[] = [];
    page.on('request', (request) => fetched.push(request.url()));
    await page.goto(pathToFileURL(file).href);
    await page.locator('.charts canvas').nth(8).waitFor();
    assert.deepEqual(fetched, [pathToFileURL(file).href]);
    assert.deepEqual(await page.locator('figcaption').allTextContents(), [
      'Edit → commit ms',
      'Edit → delivery ms',
      'Edits a second',
      'Clients and deliveries ',
      'CPU processors',
      'Memory MiB',
      'Delay of event loops ms',
      'Distribution ms, by share of the edits',
      'Edit → commit over load ms, each second at its edits due',
    ]);
    assert.match((await page.locator('h1').textContent()) ?? '', /^office\s*passed$/);
    assert.equal(await page.locator('h1 + p').textContent(), description);
    assert.equal(await page.locator('img').count(), 0);
    assert.match((await page.locator('main').textContent()) ?? '', /0:08 {1,2}kill -9 of node-2/);
    assert.match((await page.locator('main').textContent()) ?? '', /compared 3 of 4 documents/);
    assert.ok((await page.locator('.worse').count()) > 0);
    const isDrawn = await page.locator('.charts canvas').evaluateAll((all) =>
      all.map((canvas) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const context = (canvas as HTMLCanvasElement).getContext('2d');
        return context?.getImageData(0, 0, width, height).data.some((value) => value > 0) ?? false;
      }),
    );
    assert.deepEqual(isDrawn, new Array(9).fill(true));
    grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    // A narrow window has no scroll bar of its own.
    await page.setViewportSize({ width: 360, height: 700 });
    await page.waitForFunction(
      () => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
    );
  }
  assert.notEqual(grounds[0], grounds[1]);
});

test('a change beyond the noise of a run is marked, and one within it is not', () => {
  const verdicts = (now: LoadResult, old: LoadResult[]) =>
    Object.fromEntries(compareRuns(now, old).map(({ figure, verdict }) => [figure, verdict]));
  const same = verdicts(resultOf(10.2), [resultOf(10)]);
  assert.deepEqual(new Set(Object.values(same)), new Set(['same']));
  const slower = verdicts(resultOf(20), [resultOf(10)]);
  assert.equal(slower['edit → commit, p95'], 'worse');
  assert.equal(slower['edits committed'], 'same');
  assert.equal(verdicts(resultOf(10), [resultOf(20)])['edit → commit, p50'], 'better');
  // The old runs differ among themselves as much as the new one differs from them.
  assert.equal(verdicts(resultOf(14), [resultOf(8), resultOf(12)])['edit → commit, p95'], 'same');
  assert.deepEqual(compareRuns(resultOf(10), []), []);
});
