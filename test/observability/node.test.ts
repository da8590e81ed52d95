// `/metrics` of a real node: which requests get it, and that it tells what clients did.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { ALL_METRICS } from '../../actors/metrics/metrics.ts';
import { FileNode } from '../gateway/wire/contract.ts';
import { startTestNode } from '../support/node.ts';
import { untilSeen } from '../support/until.ts';
import { WireClient } from '../support/wire-client.ts';
import { metricsAt } from './metrics-text.ts';

const LIMIT = { timeout: 120_000 };
const OP = [{ op: 'add', path: '/x', value: 1 }];

/** Metrics that a node without a cluster does not have. */
const OF_CLUSTERS = new Set(['troupe_redis_up', 'troupe_peers']);
/** Metrics that a node without replicas of its database does not have. */
const OF_REPLICAS = new Set(['troupe_replica_reads_total']);
/** Metrics that not every system tells. */
const OF_SYSTEMS = new Set(['process_open_fds', 'process_max_fds']);

/** The node of the tests without settings that are their own. The first test counts from its start. */
const file = new FileNode({ workers: 2 });

test('METRIC-1 edits, readers and documents of a node are told', LIMIT, async (t) => {
  const { node } = file;
  const fresh = await metricsAt(node.metricsUrl);
  for (const name of [
    'troupe_sockets_accepted_total',
    'troupe_sockets_closed_total{reason="shutdown"}',
    'troupe_loads_total{outcome="missing"}',
    'troupe_load_seconds_count',
  ])
    assert.equal(fresh.get(name), 0, `${name}: what the node has tried itself does not count`);
  const author = await WireClient.connect(t, node.socketUrl, { client: 'client-aa' });
  const reader = await WireClient.connect(t, node.socketUrl, { client: 'client-bb' });
  for (const client of [author, reader]) await client.open('acme/plan', 'json');
  assert.equal((await author.submit('acme/plan', 1, OP, 0)).type, 'commit');
  await reader.next('commit');
  const wrong = await author.submit('acme/plan', 2, [{ op: 'remove', path: '/nowhere' }], 1);
  assert.equal(wrong.type, 'reject');
  assert.equal((await author.submit('acme/plan', 1, OP, 0)).type, 'ack');

  // Some are told once a second, one after the other.
  const values = await untilSeen('the document in memory', async () => {
    const found = await metricsAt(node.metricsUrl);
    // The last gauge that the gateway sets, and the last one that a worker sets.
    const last = ['troupe_outbox_bytes', 'troupe_mailbox_bytes{reason="turn"}'];
    const isTold = last.every((name) => found.has(name));
    return found.get('troupe_documents_resident') === 1 && isTold && found;
  });
  const value = (name: string) => values.get(name);
  assert.equal(value('troupe_edits_taken_total'), 3);
  assert.equal(value('troupe_edits_committed_total'), 1);
  assert.equal(value('troupe_edits_rejected_total{code="bad-op"}'), 1);
  assert.equal(value('troupe_edits_repeated_total'), 1);
  assert.equal(value('troupe_edit_commit_seconds_count'), 1);
  assert.equal(value('troupe_commit_seconds_count'), 1);
  assert.equal(value('troupe_commit_batch_edits_bucket{le="1"}'), 1);
  assert.equal(value('troupe_deliveries_total'), 2);
  assert.equal(value('troupe_sockets'), 2);
  assert.equal(value('troupe_sockets_accepted_total'), 2);
  assert.equal(value('troupe_subscriptions'), 2);
  assert.equal(value('troupe_documents_open'), 1);
  assert.ok((value('troupe_mailboxes') ?? 0) >= 1);
  assert.equal(value('troupe_loads_total{outcome="loaded"}'), 1);
  assert.equal(value('troupe_shards_owned'), 4096);
  assert.equal(value('troupe_shards_unowned'), 0);
  assert.equal(value('troupe_ready'), 1);
  assert.equal(value('troupe_postgres_up'), 1);
  for (const thread of ['main', 'worker-0', 'worker-1']) {
    assert.ok((value(`troupe_heap_used_bytes{thread="${thread}"}`) ?? 0) > 100_000, thread);
    assert.ok((value(`troupe_event_loop_delay_seconds_count{thread="${thread}"}`) ?? 0) > 0, thread);
    assert.ok((value(`troupe_thread_silence_seconds{thread="${thread}"}`) ?? 99) < 99, thread);
    if (process.platform === 'linux')
      assert.ok((value(`troupe_thread_cpu_seconds_total{thread="${thread}"}`) ?? 0) > 0, thread);
  }
  const text = [...values.keys()];
  for (const { name } of ALL_METRICS)
    if (![OF_CLUSTERS, OF_REPLICAS, OF_SYSTEMS].some((some) => some.has(name)))
      assert.ok(
        text.some((line) => line.replace(/(_bucket)?(\{.*|$)/, '') === name),
        name,
      );
  for (const line of text) assert.doesNotMatch(line, /acme|plan|client-/, 'no document, client or user');
});

test('METRIC-1 the main listener gives the metrics to programs of this machine alone', LIMIT, async () => {
  const { node } = file;
  const asked = (headers: Record<string, string>) => statusOf(node.port, headers);
  assert.equal(await asked({}), 200);
  assert.equal(await asked({ host: 'localhost:1' }), 200);
  assert.equal(await asked({ host: 'docs.example.com' }), 403);
  assert.equal(await asked({ origin: 'https://evil.example' }), 403);
  for (const passedOn of ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'])
    assert.equal(await asked({ [passedOn]: '10.0.0.1' }), 403, passedOn);
  const { headers } = await fetch(node.metricsUrl);
  assert.equal(headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(headers.get('cache-control'), 'no-store');
});

test('METRIC-2 with an address of their own the metrics are there alone', LIMIT, async (t) => {
  const node = await startTestNode(t, { config: { metrics: { listen: '127.0.0.1:0' } } });
  assert.equal(await statusOf(node.port, {}), 404);
  assert.ok((await metricsAt(node.metricsUrl)).has('troupe_ready'));
  const own = Number(new URL(node.metricsUrl).port);
  assert.notEqual(own, node.port);
  assert.equal(await statusOf(own, { host: 'rebound.example' }), 403);
  assert.equal((await fetch(new URL('/healthz', node.metricsUrl))).status, 404);
});

function statusOf(port: number, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/metrics', headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
