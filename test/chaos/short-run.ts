// A small chaos run: the machine that runs the tests has other work.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { chaosRun, type FaultResult } from '../../loadtest/chaos/chaos.ts';
import { report } from '../../loadtest/chaos/chaos-report.ts';
import type { Fault } from '../../loadtest/chaos/faults/fault.ts';
import { startServices } from './services.ts';

export interface Load {
  readonly clients: number;
  /** Edits per second of all clients together. */
  readonly rate: number;
  /** Load before and after a strike. */
  readonly calmMs: number;
  /** As in ChaosOptions. */
  readonly leastShare?: number;
}

/** The load of the runs of `npm run test:full`. */
const MANY: Load = { clients: 48, rate: 120, calmMs: 1000 };

/** Runs on services of its own, which end with the test. */
export async function shortRun(
  t: TestContext,
  faults: readonly Fault[],
  { faulty = false, load = MANY }: { readonly faulty?: boolean; readonly load?: Load } = {},
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
    ...load,
    sdkClients: 3,
    httpWriters: 3,
    rounds: 1,
    length: 0.2,
    seed: 1,
    faulty,
  });
  t.diagnostic(`\n${report(results)}`);
  return results;
}

/** Runs the faults. Fails if a promise was broken, or if a client at another node saw an error. */
export async function keepsPromises(
  t: TestContext,
  faults: readonly Fault[],
  load = MANY,
): Promise<readonly FaultResult[]> {
  const results = await shortRun(t, faults, { load });
  for (const { fault, violations, unmet, seen } of results) {
    assert.deepEqual(violations, [], fault);
    assert.deepEqual(unmet, [], fault);
    assert.deepEqual(
      errorsOf(seen[0]?.survivors),
      [],
      `${fault}: clients at other nodes see a pause and no error`,
    );
  }
  return results;
}

/**
 * Returns the codes that count as errors. Random edits may be rejected by themselves. A rejection whose answer was lost is
 * `seq-used` when the client sends its submit again. A node that does not reach an owner for 3 s sends the clients of its
 * documents elsewhere; on a busy machine this happens before a takeover, and such a client may dial the killed node.
 */
const errorsOf = (told: Readonly<Record<string, number>> = {}): readonly string[] =>
  Object.keys(told).filter(
    (code) => !/^(rejected (test-failed|conflict|seq-used)|not connected: ECONNREFUSED)$/.test(code),
  );
