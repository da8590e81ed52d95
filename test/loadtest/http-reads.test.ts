// The HTTP requests of a load test, by autocannon, against a real node and against a server that is slow or refuses.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { decodeHistogram, Figures, percentileMs } from '../../loadtest/run/figures.ts';
import { HttpReads } from '../../loadtest/run/generator/http-reads.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { untilSeen } from '../support/until.ts';
import { httpServer } from './http-server.ts';
import { run } from './run/load-run.ts';

const file = new FileNode();

const NONE = { connected: 0, errors: {}, losses: {} };

test('a scenario reads the page and the health of a node, and judges the answers', async () => {
  const result = await run(
    file.url,
    `documents: {count: 1}
clients: {editors: 2}
typing: {model: even, everyMs: 100ms}
http: {requestsPerSecond: 15, connections: 4}
stages: [{lastsMs: 3s}]
criteria: {commitP95Ms: null, httpP95Ms: 1h, edits: 20}`,
    2,
  );
  assert.equal(result.verdict, 'passed', JSON.stringify(result.criteria));
  assert.ok(result.totals.requests >= 20 && result.totals.responses >= 20, JSON.stringify(result.totals));
  assert.ok(result.times.http.count >= result.totals.responses);
  assert.ok(result.criteria.some(({ name }) => name === 'HTTP read, p95'));
});

test('paths with {doc} name documents of the run, and refusals are errors by their status', async (t) => {
  const asked = new Set<string>();
  const { urls } = await httpServer(t, (request, response) => {
    asked.add(`${request.url} ${request.headers.authorization}`);
    response.writeHead(404).end();
  });
  const http = { requestsPerSecond: 50, connections: 5, paths: ['/v1/docs/{doc}?format=text'] };
  const reads = start(t, { urls, token: 'secret', docs: ['acme/a', 'acme/b'], http });
  await reads.begin();
  await untilSeen('answers', () =>
    Promise.resolve((reads.errors.get('HTTP 404') ?? 0) > 10 && asked.size === 2),
  );
  assert.deepEqual([...asked].sort(), [
    '/v1/docs/acme/a?format=text Bearer secret',
    '/v1/docs/acme/b?format=text Bearer secret',
  ]);
});

test('a slow answer stands also for the requests that were due while it was awaited', async (t) => {
  const { urls } = await httpServer(t, (_request, response) => {
    setTimeout(() => response.end(), 450);
  });
  const figures = new Figures();
  const http = { requestsPerSecond: 10, connections: 1, paths: ['/'] };
  const reads = start(t, { urls, docs: [], http, figures });
  await reads.begin();
  await untilSeen('answers', () => Promise.resolve(figures.counts.responses >= 2));
  reads.stop();
  const { counts, times } = figures.take(0, NONE);
  const histogram = decodeHistogram(times.http ?? '');
  // 450, 350, 250 and 150 ms for each answer.
  assert.ok(histogram.totalCount >= 4 * counts.responses, `${histogram.totalCount} of ${counts.responses}`);
  assert.ok(percentileMs(histogram, 100) >= 440);
  assert.ok(counts.requests > counts.responses, 'due whether answered or not');
});

function start(
  t: TestContext,
  options: Pick<ConstructorParameters<typeof HttpReads>[0], 'urls' | 'docs' | 'http'> & {
    token?: string;
    figures?: Figures;
  },
): HttpReads {
  const { token, figures = new Figures() } = options;
  const reads = new HttpReads({ ...options, token, figures, index: 0, processes: 1 });
  t.after(() => reads.stop());
  return reads;
}
