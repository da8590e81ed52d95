// A chaos run that is small: the machine that tests has other things to do.
import type { TestContext } from 'node:test';
import { chaosRun, type FaultResult } from '../../loadtest/chaos.ts';
import type { Fault } from '../../loadtest/chaos-fault.ts';
import { report } from '../../loadtest/chaos-report.ts';
import { startServices } from './services.ts';

/** On services of its own, which end with the test. */
export async function shortRun(
  t: TestContext,
  faults: readonly Fault[],
  { faulty = false } = {},
): Promise<readonly FaultResult[]> {
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
    calmMs: 1000,
    length: 0.2,
    seed: 1,
    faulty,
  });
  t.diagnostic(`\n${report(results)}`);
  return results;
}
