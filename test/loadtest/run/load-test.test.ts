// Load tests as a whole: against a real node, against a server that is slow or breaks its promises, and the
// command with its exit codes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LoadResult } from '../../../loadtest/run/result.ts';
import { OwnNodesReader } from '../../../loadtest/run/servers/own-nodes-reader.ts';
import { ProcReader } from '../../../loadtest/run/servers/server-readings.ts';
import type { MeasuredStretch } from '../../../loadtest/run/steering.ts';
import { start } from '../../cli/spawn.ts';
import { FileNode } from '../../gateway/wire/contract.ts';
import { untilSeen } from '../../support/until.ts';
import { startFakeServer } from '../fake-server.ts';
import { ANY_TIME, against, run } from './load-run.ts';

const file = new FileNode();

const COMMAND = fileURLToPath(new URL('../../../loadtest/run/load-test-cli.js', import.meta.url));

test('editors of every kind in two processes, readers, presence, churn and a dropped half leave no promise broken', async () => {
  const result = await run(
    file.url,
    `documents: {count: 3}
clients: {editors: 12, readers: 6}
typing: {model: random, everyMs: 250ms}
presence: {everyMs: 500ms}
churn: {stayMs: 2s, awayMs: 200ms}
stages: [{lastsMs: 1s, change: ramp}, {lastsMs: 2s}]
faults: [{atMs: 1500, do: drop-clients, share: 0.5}]
${ANY_TIME}`,
    2,
  );
  assert.deepEqual(
    result.criteria.filter(({ verdict }) => verdict !== 'passed'),
    [],
  );
  assert.equal(result.verdict, 'passed');
  assert.deepEqual([result.checked.documents, result.checked.clients], [3, 18]);
  assert.equal(result.checked.edits, result.totals.committed);
  assert.equal(result.times.commit.count, result.totals.committed);
  assert.ok(result.times.open.count >= 18 && result.times.delivery.count > 0);
  assert.ok(result.totals.presenceReceived > 0);
  assert.deepEqual(
    result.marks.map(({ label }) => label),
    ['50 % of the clients lose their connections'],
  );
});

test('edits are due at their times however slow the answers are, and their times count from then', async (t) => {
  const result = await against(
    t,
    { flushMs: 500 },
    `documents: {count: 1, kinds: [json]}
clients: {editors: 2}
typing: {model: even, everyMs: 50ms}
stages: [{lastsMs: 1500ms}]
${ANY_TIME}`,
  );
  // A closed loop would have made three edits each.
  assert.ok(result.totals.asked >= 58 && result.totals.asked <= 60, `${result.totals.asked}`);
  assert.equal(result.totals.committed, result.totals.asked);
  assert.ok(result.times.commit.p50 > 200, `${result.times.commit.p50}`);
});

test('a steered load forgets at a rest what a slow server has left undone, and the next level has its own edits alone', async (t) => {
  const server = await startFakeServer({ flushMs: 2000 });
  t.after(() => server.close());
  const stretches: MeasuredStretch[] = [];
  const result = await run(
    server.url,
    `documents: {count: 1, kinds: [json]}
clients: {editors: 2}
typing: {model: even, everyMs: 10ms}
stages: [{lastsMs: 1h}]
${ANY_TIME}`,
    1,
    10_000,
    {
      first: 2,
      async steer(load) {
        stretches.push(await load.measure(2));
        server.faults.flushMs = 0;
        await load.rest();
        stretches.push(await load.measure(1));
        load.goOn();
        stretches.push(await load.measure(2));
      },
    },
  );
  const sums = stretches.map(({ seconds }) => ({
    asked: seconds.reduce((sum, { counts }) => sum + counts.asked, 0),
    committed: seconds.reduce((sum, { counts }) => sum + counts.committed, 0),
  }));
  const [slow, resting, after] = sums;
  assert.ok(slow !== undefined && slow.committed < slow.asked / 2, JSON.stringify(sums));
  assert.deepEqual(resting, { asked: 0, committed: 0 });
  // The answers of a second may belong to edits of the second before.
  assert.ok(
    after !== undefined && after.asked > 0 && after.committed <= after.asked + 10,
    JSON.stringify(sums),
  );
  assert.ok(result.totals.committed < result.totals.asked);
  assert.equal(result.totals.failed, 0);
  assert.deepEqual([result.checked.violations, result.checked.edits], [0, result.totals.committed]);
});

test('after a rest each client of a steered load is where it was in its pause', async (t) => {
  const server = await startFakeServer({});
  t.after(() => server.close());
  let after: MeasuredStretch | undefined;
  await run(
    server.url,
    `documents: {count: 1, kinds: [json]}
clients: {editors: 40}
typing: {model: even, everyMs: 4s}
stages: [{lastsMs: 1h}]
${ANY_TIME}`,
    1,
    10_000,
    {
      first: 40,
      async steer(load) {
        await load.rest();
        load.goOn();
        after = await load.measure(2);
      },
    },
  );
  const asked = after?.seconds.reduce((sum, { counts }) => sum + counts.asked, 0) ?? 0;
  // If all of them began a pause anew, nobody would make an edit for four seconds.
  assert.ok(asked >= 5, `${asked} of 40`);
});

test('a run that is interrupted checks and tells what was done', async (t) => {
  const scenario =
    'documents: {count: 3}\nclients: {editors: 12, readers: 3}\ntyping: {everyMs: 200ms}\nstages: [{lastsMs: 1h}]\n';
  const result = await interruptedRun(t, scenario, /^0:05 /);
  assert.ok(result.isInterrupted && result.checked.documents > 0 && result.totals.committed > 0);
});

test('a run that is interrupted while its clients connect ends at once, with those that are there', async (t) => {
  const scenario = 'documents: {count: 400}\nclients: {editors: 4000}\nstages: [{lastsMs: 1h}]\n';
  const result = await interruptedRun(t, scenario, /^4000 clients in /);
  const connected = result.seconds.at(-1)?.clients ?? 0;
  assert.ok(result.isInterrupted && connected < 4000, `${connected} of 4000 clients`);
});

/** `when`: the line after which the run is interrupted. */
async function interruptedRun(t: TestContext, source: string, when: RegExp): Promise<LoadResult> {
  const server = await startFakeServer();
  t.after(() => server.close());
  const folder = mkdtempSync(join(tmpdir(), 'troupe-loadtest-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const scenario = join(folder, 'small.yaml');
  writeFileSync(scenario, source);
  const json = join(folder, 'result.json');
  const report = join(folder, 'report.html');
  const args = [scenario, '--target', server.url, '--report', report, '--json', json];
  const { child, line, ended } = start(t, [COMMAND, ...args]);
  await line(when);
  child.kill('SIGINT');
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 130, stderr);
  assert.match(stdout, /small: interrupted, \d+ edits committed/);
  assert.match(readFileSync(report, 'utf8'), /^<!doctype html>/);
  return JSON.parse(readFileSync(json, 'utf8')) as LoadResult;
}

test('a target that does not answer is one line and exit code 1', async (t) => {
  const other = createServer((socket) => socket.end('220 mail\r\n')).listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  for (const url of ['http://127.0.0.1:1', `http://127.0.0.1:${address.port}`]) {
    const { code, stdout, stderr } = await start(t, [COMMAND, 'smoke', '--target', url]).ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^ws:\/\/127\.0\.0\.1:\d+\/v1\/socket does not answer: [^\n]+\n$/);
  }
});

test('a scenario that strikes nodes is refused for nodes that the run did not start', async () => {
  const faults = 'faults: [{atMs: 1s, do: kill-node}]';
  await assert.rejects(run('ws://127.0.0.1:1/v1/socket', faults), { name: 'UsageError' });
});

test('the help names every scenario, with exit code 0', async (t) => {
  const { code, stdout } = await start(t, [COMMAND, '--help']).ended;
  assert.equal(code, 0);
  assert.match(
    stdout.replace(/\s+/g, ' '),
    /busy, classroom, hundred-thousand, large-documents, launch, node-loss, office, programs, reconnect-storm, smoke, soak, ten-thousand/,
  );
});

test('CPU and memory of a process are read, and a process that is gone has no reading', {
  skip: process.platform !== 'linux',
}, async () => {
  let now = 0;
  let pid: number | undefined = process.pid;
  const reader = new ProcReader([{ name: 'node-1', pid: () => pid }], () => now);
  const [first] = await reader.read();
  assert.equal(first?.cpu, undefined);
  assert.ok((first?.residentBytes ?? 0) > 1e6);
  now = 1000;
  const [second] = await reader.read();
  assert.ok((second?.cpu ?? -1) >= 0);
  assert.equal(second?.loopDelayMs, undefined);
  pid = 2 ** 22 + 1;
  assert.deepEqual(await reader.read(), []);
});

test('the event-loop delay of an own node comes from its metrics, and a node that does not answer has none', {
  skip: process.platform !== 'linux',
}, async () => {
  const { node } = file;
  const pid = () => process.pid;
  const reader = new OwnNodesReader(
    [
      { name: 'node-1', pid, url: node.socketUrl },
      { name: 'node-2', pid, url: 'ws://127.0.0.1:1/v1/socket' },
    ],
    () => performance.now(),
  );
  const readings = await untilSeen('a delay', async () => {
    const found = await reader.read();
    return found[0]?.loopDelayMs !== undefined && found;
  });
  assert.deepEqual(
    readings.map(({ node: name, residentBytes }) => [name, (residentBytes ?? 0) > 1e6]),
    [
      ['node-1', true],
      ['node-2', true],
    ],
  );
  assert.equal(readings[1]?.loopDelayMs, undefined);
});
