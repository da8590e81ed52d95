// Totals outlive the worker that counted them, and a worker that hangs holds no request for the metrics up.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestNode } from '../support/node.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { metricsAt } from './metrics-text.ts';

const LIMIT = { timeout: 120_000 };
const FAULTY = new URL('../support/faulty-worker.js', import.meta.url);
const insert = (text: string) => [{ insert: text }];

test('a worker that dies takes no total with it, and its end is counted', LIMIT, async (t) => {
  const node = await startTestNode(t, { config: { workers: 1 }, workerModule: FAULTY });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  await client.open('acme/plan', 'rich-text');
  for (const seq of [1, 2, 3]) await client.submit('acme/plan', seq, insert('a'), seq - 1);
  const before = await metricsAt(node.metricsUrl);
  assert.equal(before.get('troupe_edits_committed_total'), 3);
  const directory = await mkdtemp(join(tmpdir(), 'troupe-kill-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const committed = client.submit('acme/plan', 4, insert(`KILL-ONCE ${join(directory, 'done')}`), 3);
  await untilSeen('the end of the worker', async () => {
    const values = await metricsAt(node.metricsUrl);
    for (const [name, value] of before)
      if (/_(total|count|bucket)(\{|$)/.test(name)) assert.ok((values.get(name) ?? 0) >= value, name);
    return (values.get('troupe_worker_ends_total{end="error"}') ?? 0) >= 1;
  });
  assert.equal((await committed).type, 'commit');
  assert.equal((await metricsAt(node.metricsUrl)).get('troupe_edits_committed_total'), 4);
});

test('a worker that hangs is seen by its silence, and its processor time goes on', LIMIT, async (t) => {
  const node = await startTestNode(t, {
    // The stop of the node waits until the worker is ended for its silence.
    config: { workers: 1, worker: { stallMs: '4s' } },
    workerModule: FAULTY,
  });
  const client = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  await client.open('acme/plan', 'rich-text');
  client.send({ type: 'submit', doc: 'acme/plan', seq: 1, base: 0, op: insert('HANG') });
  const silence = 'troupe_thread_silence_seconds{thread="worker-0"}';
  const cpu = 'troupe_thread_cpu_seconds_total{thread="worker-0"}';
  const first = await untilSeen('the silence', async () => {
    const values = await metricsAt(node.metricsUrl);
    return (values.get(silence) ?? 0) > 1.5 && values;
  });
  await untilSeen('more silence', async () => {
    const values = await metricsAt(node.metricsUrl);
    const isBusier = process.platform !== 'linux' || (values.get(cpu) ?? 0) > (first.get(cpu) ?? 0);
    return (values.get(silence) ?? 0) > (first.get(silence) ?? 0) && isBusier;
  });
});
