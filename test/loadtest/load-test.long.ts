// Load tests on servers that break their promises, or answer nothing: the run fails and names the reason.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { against } from './load-run.ts';

test('a server that applies an edit twice, or leaves commits out, has failed', async (t) => {
  const yaml = `documents: {count: 1, kinds: [rich-text]}
clients: {editors: 4}
typing: {model: random, everyMs: 50ms}
stages: [{lastsMs: 1s}]
faults: [{atMs: 500, do: drop-clients}]
criteria: {commitP95Ms: null, lostConnections: null, achieved: 0.01}`;
  assert.equal((await against(t, {}, yaml)).verdict, 'passed');
  const lossy = await against(t, { dropEvery: 5 }, yaml, 1_000);
  assert.equal(lossy.verdict, 'failed');
  assert.match(lossy.checked.told.join('\n'), /^stream-gap/m);
  const twice = await against(t, { duplicates: 'out', holdEvery: 7 }, yaml, 1_000);
  assert.match(twice.checked.told.join('\n'), /committed-twice/);
});

test('edits that are never answered have failed, with the time that they have waited', async (t) => {
  const scenario = `documents: {count: 1, kinds: [json]}
clients: {editors: 1}
typing: {model: even, everyMs: 100ms}
stages: [{lastsMs: 1s}]`;
  const result = await against(t, { flushMs: 4_000 }, scenario, 300);
  assert.equal(result.verdict, 'failed');
  assert.equal(result.totals.committed, 0);
  assert.equal(result.totals.failed, result.totals.asked);
  assert.equal(result.times.commit.count, result.totals.asked);
});
