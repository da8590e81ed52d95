// Load tests on servers that break their promises, or answer nothing: the run fails and names the reason. And a
// capacity test.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CapacityResult } from '../../../loadtest/capacity/find-capacity.ts';
import { start } from '../../cli/spawn.ts';
import { startFakeServer } from '../fake-server.ts';
import { against } from './load-run.ts';

const COMMAND = fileURLToPath(new URL('../../../loadtest/run/load-test-cli.js', import.meta.url));

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

test('a capacity test raises the load level by level, and writes a page and its levels', async (t) => {
  const server = await startFakeServer();
  t.after(() => server.close());
  const folder = mkdtempSync(join(tmpdir(), 'troupe-capacity-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [report, json] = [join(folder, 'plan.html'), join(folder, 'plan.json')];
  const args = ['smoke', '--find-capacity', '--passes', '1', '--level', '1s', '--most', '160'];
  const files = ['--target', server.url, '--report', report, '--json', json];
  const { code, stdout, stderr } = await start(t, [COMMAND, ...args, ...files]).ended;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /the knee is at least 1\d\d clients .*broken promises: 0/);
  const result: CapacityResult = JSON.parse(readFileSync(json, 'utf8'));
  const levels = result.measurements.searches[0]?.levels.map(({ clients }) => clients) ?? [];
  assert.ok(levels.length >= 2 && (levels.at(-1) ?? 0) > 150, levels.join());
  assert.ok(result.measurements.searches[0]?.levels.every(({ committed }) => committed > 0));
  assert.match(readFileSync(report, 'utf8'), /^<!doctype html>[\s\S]*<svg/);
});
