// The plan from each pass of a capacity test alone, on a machine that is slower in some minutes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAPACITY_FORMAT, type CapacityMeasured, capacityOf } from '../../loadtest/capacity/find-capacity.ts';
import type { Search } from '../../loadtest/capacity/level-search.ts';
import { atUsualSpeed } from '../../loadtest/capacity/machine-speed.ts';
import { hopsOf, type Window } from '../../loadtest/model/costs.ts';
import { readScenario } from '../../loadtest/scenarios/read-scenario.ts';

/** `slowness`: factor of all processor times. */
function windowOf(nodes: number, sockets: number, edits: number, together: number, slowness = 1): Window {
  const deliveries = edits * together;
  const hops = edits * hopsOf(nodes, together);
  const member = nodes > 1 ? 0.012 + (nodes - 1) * 0.006 : 0;
  const cpu = slowness * (nodes * (0.016 + member) + edits * 65e-6 + deliveries * 3e-6 + hops * 25e-6);
  // An edit of a busy load costs less: it reads several messages at once.
  const loadCpu = slowness * edits ** 0.8 * 1e-3;
  const commits = Math.min(edits, 300);
  const postgresCpu = slowness * (0.01 + edits * 3e-5 + commits * 2e-4);
  const megabytes = (deliveries * 160) / 1e6;
  const use = { mainCpu: cpu, workersCpu: cpu * 0.9, loadCpu, postgresCpu, foreignCpu: 0 };
  return { nodes, sockets, edits, deliveries, opens: 0, megabytes, together, commits, ...use };
}

const SIZES = [620, 1_240, 2_480, 5_000];

function searchOf(nodes: number, pass: number, slowness: number): Search {
  const level = (size: number) => ({
    clients: size,
    asked: size / 2,
    committed: size / 2,
    p95Ms: 5 + size / 100,
    errors: 0,
    window: windowOf(nodes, size, size / 2, 5, slowness),
    walBytes: 1e5,
    storedBytes: 1e5,
    rows: size / 2,
    redisCommands: undefined,
    redisBytes: undefined,
  });
  const knee = { clients: 5_000, edits: 2_500, low: 5_000, high: 5_000, isAtLeast: false };
  return { nodes, pass, knee, levels: SIZES.map(level), violations: 0 };
}

const SLOW = 1.3;
const SEARCHES = [
  searchOf(1, 1, SLOW),
  searchOf(2, 1, 1),
  searchOf(3, 1, 1),
  searchOf(1, 2, 1),
  searchOf(2, 2, SLOW),
  searchOf(3, 2, SLOW),
];

test('the processor times of a slow and of a fast search are those of one speed', () => {
  const mainCpu = (searches: readonly Search[], pass: number) =>
    searches.find((search) => search.nodes === 1 && search.pass === pass)?.levels.at(-1)?.window?.mainCpu ??
    0;
  const [slow, fast] = [mainCpu(SEARCHES, 1), mainCpu(SEARCHES, 2)];
  const usual = atUsualSpeed(SEARCHES);
  const [one, other] = [mainCpu(usual, 1), mainCpu(usual, 2)];
  assert.ok(Math.abs(one / other - 1) < 1e-6, `${one} and ${other}`);
  assert.ok(fast < one && one < slow);
});

test('two passes plan alike although the machine was slower in one part of each', () => {
  const { scenario: settings } = readScenario('busy');
  const costWindows = [1, 2, 3].flatMap((nodes) => [
    windowOf(nodes, 2_000, 0, 10),
    windowOf(nodes, 400, 960, 1),
    windowOf(nodes, 500, 100, 25),
  ]);
  const measured: CapacityMeasured = {
    format: CAPACITY_FORMAT,
    scenario: 'busy',
    settings,
    startedAt: new Date().toISOString(),
    isInterrupted: false,
    measurements: {
      machine: { processors: 2, sockets: 20_000, memoryBytes: 8e9 },
      isElsewhere: false,
      searches: SEARCHES,
      costWindows,
      quiet: { residentBytes: 2e8, p95Ms: 5 },
    },
  };
  const { passPlans } = capacityOf(measured, { prices: undefined, nodeProcessors: undefined });
  const nodes = passPlans.map(({ rows }) => rows.at(-1)?.nodes ?? 0);
  assert.equal(nodes.length, 2);
  assert.ok(Math.min(...nodes) > 5 && Math.max(...nodes) - Math.min(...nodes) <= 1, nodes.join(', '));
});
