// The capacity test: searches the knee with one, two, … nodes, more than once, measures what an edit, a delivery, a socket and a byte
// cost, fits the scalability law, holds the model against what was measured, and makes the plan.
import { availableParallelism, totalmem } from 'node:os';
import { type Beyond, beyond } from '../model/beyond.ts';
import { type Costs, fitCosts, type Window } from '../model/costs.ts';
import { type Basis, type Demand, type Deployment, kneeOf } from '../model/model.ts';
import { runLoadTest } from '../run/load-test.ts';
import type { LoadResult, SocketMemory } from '../run/result.ts';
import { mostSockets } from '../run/servers/open-files.ts';
import { type Target, withTarget } from '../run/servers/target.ts';
import { MOST_LATE } from '../run/verdict.ts';
import type { NamedScenario } from '../scenarios/read-scenario.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { COST_RUNS, TAKEOVER_RUN, windowOfRun } from './cost-runs.ts';
import { type MeasuredLevel, type Search, type SearchOptions, search } from './level-search.ts';
import { type DatabaseLoad, type Plan, type Prices, planOf } from './plan.ts';
import { fitScalability, type Interval, type Measured } from './scalability.ts';

export interface CapacityOptions extends SearchOptions {
  /** URLs of running nodes; empty: the test starts one node, then two, up to `nodes`. */
  readonly urls: readonly string[];
  readonly nodes: number;
  /** How often each knee is searched. */
  readonly passes: number;
  readonly prices: Prices | undefined;
  /** Processors of a node of the plan; undefined: as many as this machine has. */
  readonly nodeProcessors: number | undefined;
}

/** A knee as the model says it, and as it was measured. */
export interface ModelCheck {
  readonly nodes: number;
  readonly predicted: number;
  readonly measured: number;
  /** Relative. */
  readonly error: number;
}

export const CAPACITY_FORMAT = 'troupe-capacity-1';

export interface CapacityResult {
  readonly format: typeof CAPACITY_FORMAT;
  readonly scenario: string;
  readonly settings: Scenario;
  readonly startedAt: string;
  readonly processors: number;
  readonly boundMs: number;
  readonly isInterrupted: boolean;
  readonly searches: readonly Search[];
  /** Undefined where the nodes were not read. */
  readonly costs: Costs | undefined;
  readonly scalability:
    | { readonly lambda: Interval; readonly sigma: Interval; readonly kappa: Interval }
    | undefined;
  /** Edits a second of 1, 2, … nodes with machines of their own. */
  readonly throughput: readonly { readonly nodes: number; readonly edits: Interval }[];
  readonly checks: readonly ModelCheck[];
  readonly plan: Plan | undefined;
  readonly beyond: Beyond | undefined;
}

const DEFAULT_BOUND_MS = 200;
/** Share of a machine's thread up to which it is used: 200 ms at a queue that takes 10 ms when it is idle. */
const USED_SHARE = 0.95;

export async function findCapacity(options: CapacityOptions): Promise<CapacityResult> {
  const { scenario, urls, nodes, token, passes, signal, onPhase } = options;
  const startedAt = new Date().toISOString();
  const boundMs = scenario.criteria.commitP95Ms ?? DEFAULT_BOUND_MS;
  const counts = urls.length > 0 ? [urls.length] : Array.from({ length: nodes }, (_, index) => index + 1);
  const searches: Search[] = [];
  const costWindows: Window[] = [];
  let takeoverMs: number | undefined;
  let quiet: Quiet = { memory: undefined, residentBytes: 0, p95Ms: undefined };
  for (let pass = 1; pass <= passes; pass++) {
    for (const count of counts) {
      if (signal.aborted) break;
      await withTarget({ urls, nodes: count, token }, async (target) => {
        if (pass === 1 && count <= 2 && target.nodes.length > 0) {
          for (const run of COST_RUNS) {
            if (signal.aborted) return;
            onPhase(`costs with ${count} node(s): ${run.scenario.description}`);
            const result = await quietRun(options, run, target);
            const window = windowOfRun(result, count);
            if (window !== undefined) costWindows.push(window);
            if (run.name === 'sockets' && count === 1)
              quiet = { ...quiet, memory: result.memory, residentBytes: result.usage?.residentBytes ?? 0 };
            if (run.name === 'edits' && count === 1) quiet = { ...quiet, p95Ms: result.times.commit.p95 };
          }
        }
        const before = searches.find((search) => search.nodes === count)?.knee;
        searches.push(await search(options, target, { count, pass, boundMs, before }));
        if (pass > 1 || count < 2 || target.nodes.length === 0 || signal.aborted) return;
        onPhase(`takeover with ${count} nodes: ${TAKEOVER_RUN.scenario.description}`);
        const lost = await quietRun(options, TAKEOVER_RUN, target);
        // A load that was late itself has not measured the takeover.
        if (lost.generator.lateSeconds <= MOST_LATE)
          takeoverMs = Math.max(takeoverMs ?? 0, lost.times.commit.max);
      });
    }
  }
  const client = demandOfClient(scenario, searches);
  const basis = basisOf(searches, costWindows, quiet);
  const measured = ownMachines(searches, options.nodeProcessors ?? availableParallelism());
  const scalability = measured.length === 0 ? undefined : fitScalability(measured);
  const deployment = deploymentOf(options.nodeProcessors ?? availableParallelism());
  const { editors, readers } = scenario.clients;
  const plan =
    basis === undefined || scalability === undefined
      ? undefined
      : planOf({
          basis,
          deployment,
          client,
          editorsAClient: editors / (editors + readers),
          boundMs,
          scalability,
          perThousand: perThousandOf(searches, scenario),
          prices: options.prices,
        });
  return {
    format: CAPACITY_FORMAT,
    scenario: options.name,
    settings: scenario,
    startedAt,
    processors: availableParallelism(),
    boundMs,
    isInterrupted: signal.aborted,
    searches,
    costs: basis?.costs,
    scalability,
    throughput:
      scalability === undefined
        ? []
        : [...counts, 10, 100].map((at) => ({ nodes: at, edits: scalability.throughputOf(at) })),
    // Other machines have processors that this one does not know.
    checks: urls.length > 0 ? [] : checksOf(searches, costWindows, { client, quiet, boundMs }),
    plan,
    beyond:
      basis === undefined || urls.length > 0
        ? undefined
        : beyond({ basis, deployment, client, boundMs, takeoverMs }),
  };
}

function quietRun(options: CapacityOptions, run: NamedScenario, target: Target): Promise<LoadResult> {
  const { token, org, processes, signal } = options;
  return runLoadTest({ ...run, target, token, org, processes, signal });
}

/** Levels from half of their knee on that held. */
function busyLevels({ levels, knee }: Search): readonly MeasuredLevel[] {
  return levels.filter(
    ({ clients }) => knee !== undefined && clients >= knee.clients / 2 && clients <= knee.clients * 1.05,
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** The measured demand of one client of the scenario. */
function demandOfClient(scenario: Scenario, searches: readonly Search[]): Demand {
  const { clients, documents } = scenario;
  const levels = searches.flatMap(({ levels: each }) => each);
  const bytes = levels.flatMap(({ window }) =>
    window === undefined || window.deliveries === 0 ? [] : [(window.megabytes * 1e6) / window.deliveries],
  );
  const asked = levels.reduce((sum, level) => sum + level.asked, 0);
  const all = levels.reduce((sum, level) => sum + level.clients, 0);
  return {
    sockets: 1,
    edits: all === 0 ? 0 : asked / all,
    together: (clients.editors + clients.readers) / documents.count,
    opens: 0,
    bytes: mean(bytes),
  };
}

/** Figures of the cost runs for a node that has little to do. */
interface Quiet {
  readonly memory: SocketMemory | undefined;
  readonly residentBytes: number;
  readonly p95Ms: number | undefined;
}

function basisOf(
  searches: readonly Search[],
  costWindows: readonly Window[],
  quiet: Quiet,
): Basis | undefined {
  const levels = searches.flatMap(busyLevels).flatMap(({ window }) => (window === undefined ? [] : [window]));
  const windows = [...costWindows, ...levels];
  if (windows.length === 0) return undefined;
  const lowest = searches.flatMap((each) => each.levels).filter(({ p95Ms }) => p95Ms > 0);
  // Without levels of their own the fastest of the cost runs tell how many edits share a transaction.
  const busiest = levels.length > 0 ? levels : costWindows.filter((each) => each.edits > MANY_EDITS);
  const edits = busiest.reduce((sum, window) => sum + window.edits, 0);
  const commits = busiest.reduce((sum, window) => sum + window.commits, 0);
  const bytesPerSocket = quiet.memory?.serverBytes ?? 0;
  return {
    costs: fitCosts(windows),
    quietMs: Math.min(quiet.p95Ms ?? Number.POSITIVE_INFINITY, ...lowest.map(({ p95Ms }) => p95Ms)),
    commitsPerEdit: edits === 0 ? 1 : commits / edits,
    bytesPerSocket,
    bytesPerNode: Math.max(0, quiet.residentBytes - bytesPerSocket * (quiet.memory?.clients ?? 0)),
  };
}

const deploymentOf = (processors: number): Deployment => ({
  nodes: 1,
  workers: Math.max(1, processors - 1),
  processors,
  postgresProcessors: processors,
  shared: undefined,
  sockets: mostSockets(),
  memoryBytes: totalmem(),
});

/** The throughput that nodes would have with machines of their own: from the processor time that an edit takes them. */
function ownMachines(searches: readonly Search[], processors: number): Measured[] {
  return searches.flatMap((each) => {
    const windows = busyLevels(each).flatMap(({ window }) => (window === undefined ? [] : [window]));
    const sum = (of: (window: Window) => number) => windows.reduce((total, window) => total + of(window), 0);
    const edits = sum((window) => window.edits);
    if (edits === 0) return [];
    const main = sum(({ mainCpu }) => mainCpu) / edits;
    const workers = sum(({ workersCpu }) => workersCpu) / edits;
    const most = Math.min(1 / main, Math.max(1, processors - 1) / workers, processors / (main + workers));
    return [{ nodes: each.nodes, throughput: each.nodes * USED_SHARE * most }];
  });
}

/** The model knows the costs of fewer nodes, and of none of the levels that it is held against. */
function checksOf(
  searches: readonly Search[],
  costWindows: readonly Window[],
  { client, quiet, boundMs }: { client: Demand; quiet: Quiet; boundMs: number },
): ModelCheck[] {
  return [...new Set(searches.map(({ nodes }) => nodes))].flatMap((nodes) => {
    const here = searches.filter((each) => each.nodes === nodes);
    const knees = here.flatMap(({ knee }) => (knee === undefined || knee.isAtLeast ? [] : [knee.clients]));
    const others = searches.filter((each) => (nodes === 1 ? each.nodes !== nodes : each.nodes < nodes));
    const basis = basisOf(
      others,
      costWindows.filter((window) => window.nodes <= nodes),
      quiet,
    );
    if (basis === undefined || knees.length === 0) return [];
    const processors = availableParallelism();
    // Processors that other programs used were not there for the run.
    const foreign = here.flatMap((each) => each.levels.map(({ window }) => window?.foreignCpu ?? 0));
    const shared = Math.max(0.1, processors - mean(foreign));
    const deployment = { ...deploymentOf(processors), nodes, workers: 1, shared };
    const predicted = kneeOf(basis, deployment, client, boundMs).share;
    const measured = mean(knees);
    return [{ nodes, predicted, measured, error: predicted / measured - 1 }];
  });
}

function perThousandOf(searches: readonly Search[], scenario: Scenario): DatabaseLoad | undefined {
  const { editors, readers } = scenario.clients;
  const levels = searches.flatMap(busyLevels).filter(({ walBytes }) => walBytes !== undefined);
  if (levels.length === 0) return undefined;
  const thousands = levels.reduce(
    (sum, { clients }) => sum + (clients * editors) / (editors + readers) / 1000,
    0,
  );
  const per = (of: (level: MeasuredLevel) => number | undefined) =>
    levels.reduce((sum, level) => sum + (of(level) ?? 0), 0) / thousands;
  const inCluster = levels.filter(({ redisCommands }) => redisCommands !== undefined);
  const redis = (of: (level: MeasuredLevel) => number | undefined) =>
    inCluster.length === 0 ? undefined : mean(inCluster.map((level) => of(level) ?? 0));
  return {
    commits: per(({ window }) => window?.commits),
    rows: per(({ rows }) => rows),
    walBytes: per(({ walBytes }) => walBytes),
    storedBytesADay: per(({ storedBytes }) => storedBytes) * SECONDS_A_DAY,
    redisCommands: redis(({ redisCommands }) => redisCommands),
    redisBytes: redis(({ redisBytes }) => redisBytes),
  };
}

const SECONDS_A_DAY = 86_400;
const MANY_EDITS = 500;
