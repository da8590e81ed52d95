// Runs a scenario's load in a test: on a node, or on a server with faults.
import type { TestContext } from 'node:test';
import { runLoadTest } from '../../../loadtest/run/load-test.ts';
import type { LoadResult } from '../../../loadtest/run/result.ts';
import type { Steering } from '../../../loadtest/run/steering.ts';
import { parseScenario } from '../../../loadtest/scenarios/read-scenario.ts';
import { type FakeFaults, startFakeServer } from '../fake-server.ts';

export function run(
  url: string,
  yaml: string,
  processes = 1,
  settleMs = 10_000,
  steering?: Steering,
): Promise<LoadResult> {
  const { signal } = new AbortController();
  const patience = { settleMs, readMs: settleMs };
  const scenario = parseScenario(yaml, 'test.yaml');
  const target = { urls: [url], nodes: [] };
  return runLoadTest({
    name: 'test',
    scenario,
    target,
    token: undefined,
    org: 'loadtest',
    processes,
    signal,
    patience,
    ...(steering === undefined ? {} : { steering }),
  });
}

export async function against(
  t: TestContext,
  faults: FakeFaults,
  yaml: string,
  settleMs?: number,
): Promise<LoadResult> {
  const server = await startFakeServer(faults);
  t.after(() => server.close());
  return await run(server.url, yaml, 1, settleMs);
}

/** No bound on times, because the machine that runs the tests may be busy. */
export const ANY_TIME = 'criteria: {commitP95Ms: null, edits: 20}';
