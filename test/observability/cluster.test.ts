// The metrics of two nodes of a cluster: shards, links, Redis, and the hand-over to a node that joins.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCluster } from '../support/cluster.ts';
import { untilSeen } from '../support/until.ts';
import { metricsAt } from './metrics-text.ts';

const LIMIT = { timeout: 120_000 };

test('shards, hand-overs, links, Redis and its lease thread are told', LIMIT, async (t) => {
  const start = await testCluster(t);
  const a = await start('a');
  const alone = await metricsAt(a.metricsUrl);
  assert.equal(alone.get('troupe_shards_owned'), 4096);
  assert.equal(alone.get('troupe_shards_taken_total{how="claimed"}'), 4096);
  assert.equal(alone.get('troupe_peers{link="up"}'), 0);
  const b = await start('b');
  const [ofA, ofB] = await untilSeen('shards on the move', async () => {
    const other = await metricsAt(b.metricsUrl);
    const handed = other.get('troupe_shards_taken_total{how="handed"}') ?? 0;
    if (handed === 0 || other.get('troupe_redis_up') !== 1) return false;
    const one = await metricsAt(a.metricsUrl);
    return (one.get('troupe_shards_moving') ?? 0) > 0 && ([one, other] as const);
  });
  const handed = ofB.get('troupe_shards_taken_total{how="handed"}') ?? 0;
  assert.ok((ofA.get('troupe_shards_handed_over_total') ?? 0) >= handed);
  assert.ok((ofA.get('troupe_shards_owned') ?? 4096) <= 4096 - handed);
  for (const values of [ofA, ofB]) {
    assert.equal(values.get('troupe_peers{link="up"}'), 1);
    assert.equal(values.get('troupe_peers{link="down"}'), 0);
    assert.equal(values.get('troupe_redis_up'), 1);
    assert.ok((values.get('troupe_redis_answer_seconds_count') ?? 0) > 0);
    assert.ok((values.get('troupe_heap_used_bytes{thread="lease"}') ?? 0) > 100_000);
  }
});
