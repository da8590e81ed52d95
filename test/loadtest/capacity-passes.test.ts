// The plan from each pass of a capacity test alone: it depends on the costs, and hardly on the levels by which a search came to its knee.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAPACITY_FORMAT, capacityOf } from '../../loadtest/capacity/find-capacity.ts';
import type { Search } from '../../loadtest/capacity/level-search.ts';
import { hopsOf, type Window } from '../../loadtest/model/costs.ts';
import { readScenario } from '../../loadtest/scenarios/read-scenario.ts';

/** A message between nodes costs a fifth on a busy node of what it costs alone: messages travel together there. */
function windowOf(nodes: number, sockets: number, edits: number, together: number): Window {
  const deliveries = edits * together;
  const hopS = 40e-6 * (0.5 + 2 / (1 + edits / nodes / 1000));
  const member = nodes > 1 ? 0.012 + (nodes - 1) * 0.006 : 0;
  const cpu = nodes * (0.016 + member) + edits * (65e-6 + hopsOf(nodes, together) * hopS) + deliveries * 3e-6;
  const commits = Math.min(edits, 300);
  const postgresCpu = 0.01 + edits * 3e-5 + commits * 2e-4;
  const megabytes = (deliveries * 160) / 1e6;
  const use = { mainCpu: cpu, workersCpu: cpu * 0.9, loadCpu: cpu, postgresCpu, foreignCpu: 0 };
  return { nodes, sockets, edits, deliveries, opens: 0, megabytes, together, commits, ...use };
}

function searchOf(nodes: number, pass: number, clients: number, sizes: readonly number[]): Search {
  const level = (size: number) => ({
    clients: size,
    asked: size / 2,
    committed: size / 2,
    p95Ms: 5 + size / 100,
    errors: 0,
    window: windowOf(nodes, size, size / 2, 5),
    walBytes: 1e5,
    storedBytes: 1e5,
    rows: size / 2,
    redisCommands: undefined,
    redisBytes: undefined,
  });
  const knee = { clients, edits: clients / 2, low: clients, high: clients, isAtLeast: false };
  return { nodes, pass, knee, levels: sizes.map(level), violations: 0 };
}

test('two passes that came to alike knees by other levels plan alike', () => {
  const { scenario: settings } = readScenario('busy');
  const costs = [1, 2, 3].flatMap((nodes) => [
    windowOf(nodes, 2000, 0, 10),
    windowOf(nodes, 400, 960, 1),
    windowOf(nodes, 500, 100, 25),
  ]);
  const { plan, passPlans } = capacityOf(
    {
      format: CAPACITY_FORMAT,
      scenario: 'busy',
      settings,
      startedAt: new Date().toISOString(),
      isInterrupted: false,
      measurements: {
        machine: { processors: 2, sockets: 20_000, memoryBytes: 8e9 },
        isElsewhere: false,
        searches: [
          searchOf(1, 1, 9_900, [620, 1_240, 2_480, 4_950, 9_900]),
          searchOf(2, 1, 7_100, [620, 1_240, 2_480, 5_000, 7_100]),
          searchOf(3, 1, 5_000, [620, 1_240, 2_480, 5_000]),
          searchOf(1, 2, 9_900, [1_240, 2_480, 4_950, 9_900]),
          searchOf(2, 2, 6_300, [900, 1_770, 3_540, 5_000, 5_950, 5_960, 5_970, 6_490]),
          searchOf(3, 2, 4_300, [620, 1_240, 2_480, 3_540, 4_200, 4_210, 4_220, 4_580]),
        ],
        costWindows: costs,
        quiet: { residentBytes: 2e8, p95Ms: 5 },
        takeover: undefined,
      },
    },
    { prices: undefined, nodeProcessors: undefined },
  );
  const nodes = [...passPlans, plan].map((each) => each?.rows.at(-1)?.nodes ?? 0);
  assert.ok(Math.min(...nodes) > 10 && Math.max(...nodes) - Math.min(...nodes) <= 1, nodes.join(', '));
});
