// Chaos on real processes, short: `npm run test:chaos` is the long one, with all faults.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { chaosRun, type FaultResult } from '../../loadtest/chaos.ts';
import type { Fault } from '../../loadtest/chaos-fault.ts';
import { killOwner } from '../../loadtest/chaos-kills.ts';
import { report } from '../../loadtest/chaos-report.ts';
import { rollingRestart } from '../../loadtest/chaos-restarts.ts';
import { startServices } from './services.ts';

test('kill -9 of a node, and a rolling restart: no acknowledged edit is lost or doubled, and the others go on', async (t) => {
  const [killed, restarted] = await run(t, killOwner, rollingRestart);
  assert.ok((killed?.acknowledged ?? 0) > 100, 'edits are made');
  const [strike] = killed?.seen ?? [];
  assert.equal(strike?.fences.runs, 1, 'one node is fenced, once');
  assert.deepEqual(errorsOf(strike?.survivors), [], 'who is at another node sees a pause and no error');
  assert.deepEqual(errorsOf(restarted?.seen[0]?.survivors), [], 'no edit fails');
});

/** Small: the test machine has other things to do. */
async function run(t: TestContext, ...faults: readonly Fault[]): Promise<readonly FaultResult[]> {
  const closers: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const services = await startServices({ after: (close) => void closers.push(close) });
  const results = await chaosRun({
    services,
    faults,
    nodes: 3,
    clients: 48,
    sdkClients: 3,
    rate: 120,
    rounds: 1,
    calmMs: 1500,
    length: 0.2,
    seed: 1,
  });
  t.diagnostic(`\n${report(results)}`);
  for (const { fault, violations, unmet } of results) {
    assert.deepEqual(violations, [], fault);
    assert.deepEqual(unmet, [], fault);
  }
  return results;
}

/** What random edits may meet by themselves is none. */
const errorsOf = (told: Readonly<Record<string, number>> = {}): readonly string[] =>
  Object.keys(told).filter((code) => !/^rejected (test-failed|conflict)$/.test(code));
