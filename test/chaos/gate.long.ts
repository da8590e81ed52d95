// The output gate on real processes: a node that is killed in mid-batch has told clients nothing that is
// lost. Without the gate it has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killInBatch } from '../../loadtest/chaos/faults/kills.ts';
import { shortRun } from './short-run.ts';

test('a node is killed in mid-batch: nothing that was told is lost, and the batch never lands', async (t) => {
  const [result] = await shortRun(t, [killInBatch]);
  assert.deepEqual(result?.violations, []);
  assert.deepEqual(result?.unmet, []);
  assert.ok((result?.acknowledged ?? 0) > 100, 'edits are made');
  assert.equal(result?.seen[0]?.fences.runs, 1, 'it is fenced, once');
});

test('the same without the gate: acknowledged edits are lost, and the checker misses them', async (t) => {
  process.env.TROUPE_TEST_WITHOUT = 'gate';
  t.after(() => delete process.env.TROUPE_TEST_WITHOUT);
  const [result] = await shortRun(t, [killInBatch], { faulty: true });
  const rules = new Set(result?.violations.map(({ rule }) => rule));
  assert.ok(rules.has('acked-lost'), [...rules].join(', '));
});
