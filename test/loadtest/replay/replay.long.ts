// The order of a long trace of real authors: each can have seen exactly the edits that it saw, and
// transformation commits the same text as a CRDT merges.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTrace } from '../../../loadtest/replay/trace.ts';
import { mergeTrace } from '../../../loadtest/replay/trace-merge.ts';
import { planTrace } from '../../../loadtest/replay/trace-plan.ts';
import { transformOffline } from './transform-offline.ts';

test('clownschool has an order in which every author can have seen exactly what it saw', async () => {
  const trace = await readTrace('test/data/traces/clownschool.json.gz');
  const plan = planTrace(trace);
  assert.equal(plan.mode, 'ordered');
  assert.equal(plan.steps.length, 23_136);
  assert.equal(plan.switches, 1_328);
  const { log, texts, exact, carried } = transformOffline(trace, plan);
  assert.deepEqual(texts, [trace.endContent, trace.endContent, trace.endContent]);
  assert.deepEqual({ exact, carried }, { exact: 12_592, carried: 1_242 });
  const merged = mergeTrace(trace, plan);
  for (const [place, delta] of log.entries())
    assert.deepEqual(delta.ops, merged[place]?.ops, `version ${place + 1}`);
});
