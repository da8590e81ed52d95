// The counts of a thread, the sampler that writes what the thread uses, and the text that is made from them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { METRICS, OF_THREAD } from '../../actors/metrics/metrics.ts';
import { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import { ThreadSampler } from '../../actors/metrics/thread-sampler.ts';
import { NodeMetrics } from '../../src/observability/node-metrics.ts';
import { valuesIn } from './metrics-text.ts';

test('counts of all threads are summed, and a thread that is replaced goes on with its totals', async () => {
  const metrics = new NodeMetrics();
  metrics.thread('worker-0').count(METRICS.editsCommitted, 3);
  metrics.thread('worker-1').count(METRICS.editsCommitted);
  metrics.thread('main').countAs(METRICS.editsRejected, 'conflict', 2);
  const successor = new ThreadCounts(metrics.thread('worker-0').memory);
  successor.count(METRICS.editsCommitted, 10);
  const values = valuesIn(await metrics.text());
  assert.equal(values.get('troupe_edits_committed_total'), 14);
  assert.equal(values.get('troupe_edits_rejected_total{code="conflict"}'), 2);
  assert.equal(values.get('troupe_edits_rejected_total{code="bad-op"}'), 0);
});

test('a gauge is left out while no thread knows it, and when the thread has ended', async () => {
  const metrics = new NodeMetrics();
  const counts = metrics.thread('worker-0');
  assert.equal(valuesIn(await metrics.text()).has('troupe_documents_resident'), false);
  counts.set(METRICS.documentsResident, 7);
  metrics.thread('worker-1').set(METRICS.documentsResident, 1);
  assert.equal(valuesIn(await metrics.text()).get('troupe_documents_resident'), 8);
  counts.forgetGauges();
  assert.equal(valuesIn(await metrics.text()).get('troupe_documents_resident'), 1);
});

test('a histogram has cumulative buckets, a sum and a count', async () => {
  const metrics = new NodeMetrics();
  const counts = metrics.thread('main');
  for (const seconds of [0.0005, 0.2, 0.21, 60]) counts.observe(METRICS.editSeconds, seconds);
  const values = valuesIn(await metrics.text());
  const bucket = (le: string) => values.get(`troupe_edit_commit_seconds_bucket{le="${le}"}`);
  assert.deepEqual([bucket('0.001'), bucket('0.15'), bucket('0.2'), bucket('0.3')], [1, 1, 2, 3]);
  assert.deepEqual([bucket('10'), bucket('+Inf')], [3, 4]);
  assert.equal(values.get('troupe_edit_commit_seconds_count'), 4);
  assert.ok(Math.abs((values.get('troupe_edit_commit_seconds_sum') ?? 0) - 60.4105) < 1e-9);
});

test('a long turn counts once for each beat that was due in it, and what the thread uses is told every second', () => {
  const counts = new ThreadCounts();
  let now = 5_000;
  let cpu = 2;
  let busy = 1;
  const usage = {
    osThread: 42,
    cpuSeconds: () => cpu,
    busySeconds: () => busy,
    heap: () => ({ used: 10, limit: 100, external: 5 }),
    close: () => undefined,
  };
  const sampler = new ThreadSampler(counts, usage, () => now);
  const delays = () => METRICS.loopDelay.buckets.map((_, index) => counts.cell(METRICS.loopDelay.at + index));
  for (let beat = 0; beat < 9; beat++) {
    now += 100;
    sampler.beat();
  }
  assert.equal(delays()[0], 9);
  assert.equal(counts.cell(METRICS.threadCpu.at), 2);
  now += 350;
  cpu = 2.5;
  busy = 1.25;
  sampler.beat();
  // It was late by 250 ms; the beats that were due meanwhile by 150 and 50.
  assert.deepEqual(delays().slice(0, 7), [9, 0, 0, 1, 0, 1, 1]);
  assert.equal(counts.cell(METRICS.threadCpu.at), 2.5);
  assert.equal(counts.cell(METRICS.threadBusy.at), 0.25);
  assert.equal(counts.cell(METRICS.heapUsed.at), 10);
  assert.equal(counts.cell(OF_THREAD.osThread), 42);
  assert.equal(counts.cell(OF_THREAD.beatMs), now);
});

test('two requests at a time get the same text, and the next one a new text', async () => {
  const metrics = new NodeMetrics();
  let reads = 0;
  metrics.readBy({ sockets: () => ++reads });
  const [first, second] = await Promise.all([metrics.text(), metrics.text()]);
  assert.equal(first, second);
  assert.equal(reads, 1);
  assert.equal(valuesIn(await metrics.text()).get('troupe_sockets'), 2);
});
