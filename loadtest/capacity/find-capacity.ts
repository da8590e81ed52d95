// The capacity test: from what was measured it fits the scalability law, holds the model against the knees, and makes the plan.
import { type Beyond, beyond } from '../model/beyond.ts';
import { type Costs, fitCosts, type Window } from '../model/costs.ts';
import { type Basis, type Demand, type Deployment, kneeOf } from '../model/model.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import type { MeasuredLevel, Search } from './level-search.ts';
import { atUsualSpeed } from './machine-speed.ts';
import {
  type Machine,
  type Measurements,
  type MeasureOptions,
  measureCapacity,
  type Quiet,
} from './measure-capacity.ts';
import { type DatabaseLoad, type Plan, type Prices, planOf } from './plan.ts';
import { fitScalability, type Interval, type Measured } from './scalability.ts';

export interface CapacityOptions extends MeasureOptions {
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

/** The measurements, of which a later run can make a plan again. */
export interface CapacityMeasured {
  readonly format: typeof CAPACITY_FORMAT;
  readonly scenario: string;
  readonly settings: Scenario;
  readonly startedAt: string;
  /** Searches are missing. */
  readonly isInterrupted: boolean;
  readonly measurements: Measurements;
}

export interface CapacityResult extends CapacityMeasured {
  readonly boundMs: number;
  /** Undefined where the nodes were not read. */
  readonly costs: Costs | undefined;
  readonly scalability:
    | { readonly lambda: Interval; readonly sigma: Interval; readonly kappa: Interval }
    | undefined;
  /** Edits a second of 1, 2, … nodes with machines of their own. */
  readonly throughput: readonly { readonly nodes: number; readonly edits: Interval }[];
  readonly checks: readonly ModelCheck[];
  readonly plan: Plan | undefined;
  /** The plan from the searches of each pass alone, in order. They tell how far a repetition is from it. */
  readonly passPlans: readonly Plan[];
  readonly beyond: Beyond | undefined;
}

const DEFAULT_BOUND_MS = 200;
/** Share of a machine's thread up to which it is used: 200 ms at a queue that takes 10 ms when it is idle. */
const USED_SHARE = 0.95;

/** `onMeasured` gets everything so far after each search. */
export async function findCapacity(
  options: CapacityOptions,
  onMeasured: (soFar: CapacityMeasured) => void,
): Promise<CapacityResult> {
  const head = {
    format: CAPACITY_FORMAT,
    scenario: options.name,
    settings: options.scenario,
    startedAt: new Date().toISOString(),
  } as const;
  const measurements = await measureCapacity(options, boundOf(options.scenario), (soFar) =>
    onMeasured({ ...head, isInterrupted: true, measurements: soFar }),
  );
  return capacityOf({ ...head, isInterrupted: options.signal.aborted, measurements }, options);
}

const boundOf = ({ criteria }: Scenario): number => criteria.commitP95Ms ?? DEFAULT_BOUND_MS;

type Bought = Pick<CapacityOptions, 'prices' | 'nodeProcessors'>;

/** The plan and all else that follows from what was measured. */
export function capacityOf(measured: CapacityMeasured, bought: Bought): CapacityResult {
  const { settings, measurements } = measured;
  const { takeover, isElsewhere } = measurements;
  const searches = isElsewhere ? measurements.searches : atUsualSpeed(measurements.searches);
  const boundMs = boundOf(settings);
  const client = demandOfClient(settings, searches);
  const { basis, deployment, scalability, plan } = planned(measured, bought, searches);
  const counts = [...new Set(searches.map(({ nodes }) => nodes))];
  const passes = [...new Set(searches.map(({ pass }) => pass))];
  return {
    ...measured,
    boundMs,
    costs: basis?.costs,
    scalability,
    throughput:
      scalability === undefined
        ? []
        : [...counts, 10, 100].map((at) => ({ nodes: at, edits: scalability.throughputOf(at) })),
    // Other machines have processors that this one does not know.
    checks: isElsewhere ? [] : checksOf({ ...measurements, searches }, client, boundMs),
    plan,
    passPlans: passes.flatMap((pass) => {
      const alone = planned(
        measured,
        bought,
        searches.filter((each) => each.pass === pass),
      ).plan;
      return alone === undefined ? [] : [alone];
    }),
    beyond:
      basis === undefined || isElsewhere
        ? undefined
        : beyond({ basis, deployment, client, boundMs, takeoverMs: takeover?.longestMs }),
  };
}

/** The plan of these searches; the costs that the shorter runs tell belong to all searches. */
function planned(
  { settings: scenario, measurements }: CapacityMeasured,
  { prices, nodeProcessors }: Bought,
  searches: readonly Search[],
) {
  const { costWindows, quiet, machine } = measurements;
  const basis = basisOf(searches, costWindows, quiet);
  const processors = nodeProcessors ?? machine.processors;
  const ofNodes = ownMachines(searches, processors);
  const scalability = ofNodes.length === 0 ? undefined : fitScalability(ofNodes);
  const deployment = deploymentOf(machine, processors);
  const { editors, readers } = scenario.clients;
  const plan =
    basis === undefined || scalability === undefined
      ? undefined
      : planOf({
          basis,
          deployment,
          client: demandOfClient(scenario, searches),
          editorsAClient: editors / (editors + readers),
          boundMs: boundOf(scenario),
          scalability,
          perThousand: perThousandOf(searches, scenario),
          prices,
        });
  return { basis, deployment, scalability, plan };
}

/** Levels from half of their knee on, up to it. */
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

const deploymentOf = ({ sockets, memoryBytes }: Machine, processors: number): Deployment => ({
  nodes: 1,
  workers: Math.max(1, processors - 1),
  processors,
  postgresProcessors: processors,
  shared: undefined,
  sockets,
  memoryBytes,
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
  { searches, costWindows, quiet, machine }: Measurements,
  client: Demand,
  boundMs: number,
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
    const { processors } = machine;
    // Processors that other programs used were not there for the run.
    const foreign = here.flatMap((each) => each.levels.map(({ window }) => window?.foreignCpu ?? 0));
    const shared = Math.max(0.1, processors - mean(foreign));
    const deployment = { ...deploymentOf(machine, processors), nodes, workers: 1, shared };
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
