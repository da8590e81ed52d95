// Clients that all come back at once: how long it takes, and that the simulation of it stays small.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { stampede } from '../../loadtest/model/stampede.ts';

const STORM = {
  clients: 10_000,
  opensPerSecond: 2_000,
  readyAfterMs: 0,
  backoffMs: 500,
  ceilingMs: 30_000,
  timeoutMs: 10_000,
};

test('a stampede within what the nodes can serve is over with the first waits; more clients take turns', () => {
  const few = stampede({ ...STORM, clients: 500 });
  assert.ok((few.backMs.all ?? Infinity) <= 600, `${few.backMs.all}`);
  assert.equal(few.attempts, 500);
  const many = stampede(STORM);
  // Five seconds of work.
  assert.ok(Math.abs((many.backMs.all ?? 0) / 5_000 - 1) < 0.1, `${many.backMs.all}`);
  assert.ok(many.longestQueue > 8_000);
});

test('clients that are not served in time come again, later each time, and all are back in the end', () => {
  const { attempts, backMs, mostAttemptsASecond } = stampede({ ...STORM, clients: 50_000 });
  assert.ok(attempts > 50_000);
  assert.ok((backMs.all ?? Infinity) < 90_000, `${backMs.all}`);
  assert.ok(mostAttemptsASecond <= 50_000);
  assert.deepEqual(stampede({ ...STORM, clients: 5_000 }), stampede({ ...STORM, clients: 5_000 }));
  const late = stampede({ ...STORM, clients: 500, readyAfterMs: 3_000 });
  assert.ok((late.backMs.half ?? 0) > 3_000);
});

test('clients of which hardly any are served dial for an hour, and the simulation keeps no attempt that has ended', async (t) => {
  const options = { ...STORM, clients: 30_000, opensPerSecond: 1 };
  const code =
    "const { parentPort, workerData } = require('node:worker_threads');" +
    'import(workerData.module).then(({ stampede }) => parentPort.postMessage(stampede(workerData.options)));';
  const worker = new Worker(code, {
    eval: true,
    workerData: { module: new URL('../../loadtest/model/stampede.js', import.meta.url).href, options },
    resourceLimits: { maxOldGenerationSizeMb: 48 },
  });
  t.after(() => worker.terminate());
  const [{ backMs, attempts }] = (await once(worker, 'message')) as [ReturnType<typeof stampede>];
  assert.equal(backMs.half, undefined);
  assert.ok(attempts > 3_000_000, `${attempts}`);
});
