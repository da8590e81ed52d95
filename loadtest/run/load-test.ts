// One load test: makes the documents, starts the processes of the load, strikes the faults, reads the servers,
// and puts the result together. Ends early when its signal is aborted, and has a result then, too.
// It has over 400 lines, because the processes of the load, the faults and the readings of one run share its course.
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { deferred } from '../clients/deferred.ts';
import { RunFailure, UsageError } from '../command-line/cli-options.ts';
import type { NamedScenario } from '../scenarios/read-scenario.ts';
import type { ScenarioFault } from '../scenarios/scenario.ts';
import { clock } from './generator/clock.ts';
import { Course } from './generator/course.ts';
import { type Arrival, checkedDocuments, crowdOf, type Member } from './generator/crowd.ts';
import { fillDocuments } from './generator/fill.ts';
import type {
  CheckReport,
  LoadAnswer,
  LoadCommand,
  LoadOrder,
  OpenReport,
  Patience,
} from './generator/load-messages.ts';
import { FORMAT, type LoadResult, type Mark, Merger, type Second, type SocketMemory } from './result.ts';
import { MetricsReader } from './servers/metrics-reader.ts';
import { MOST_FROM_ADDRESS, mostSockets } from './servers/open-files.ts';
import { OwnNodesReader } from './servers/own-nodes-reader.ts';
import type { ServerReading } from './servers/server-readings.ts';
import { bringBack, strike, type Target } from './servers/target.ts';
import { type Counters, type Usage, UsageReader, usageBetween } from './servers/usage.ts';
import type { MeasuredStretch, Steering } from './steering.ts';
import { judge, verdictOf } from './verdict.ts';

export interface LoadTestOptions extends NamedScenario {
  readonly target: Target;
  readonly token: string | undefined;
  /** Organisation of the documents. */
  readonly org: string;
  /** Undefined: as many as the clients need and the machine has processors. */
  readonly processes: number | undefined;
  readonly patience?: Patience;
  /** Aborted to end the load early. */
  readonly signal: AbortSignal;
  readonly onPhase?: (line: string) => void;
  /** Called each second while the clients of the beginning connect: those that have, and all of them. */
  readonly onOpening?: (connected: number, all: number) => void;
  readonly onSecond?: (second: Second, progress: Progress) => void;
  /** Decides instead of the course how many clients there are and when the load ends. */
  readonly steering?: Steering;
}

/** The state of the run so far. */
export interface Progress {
  readonly lastsMs: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly losses: Readonly<Record<string, number>>;
  readonly marks: readonly Mark[];
}

const PATIENCE: Patience = { settleMs: 15_000, readMs: 60_000 };
const CLIENTS_A_PROCESS = 1000;
/** Time between the order to begin and the beginning, so that all processes have the order by then. */
const BEFORE_MS = 300;
/** Longest time until all clients of the beginning are there, at least and for each of them. */
const OPEN_MS = 300_000;
const OPEN_MS_EACH = 10;
/** Longest time until the check has ended. */
const CHECK_MS = 600_000;
const ARRIVE_MS = 30_000;
const REST_MS = 30_000;
/**
 * Records of edits live long, frames do not. With the default of 16 MiB frames survive into the old generation, and its
 * collections stop a process of the load for hundreds of milliseconds.
 */
const LOAD_FLAGS = ['--max-semi-space-size=64'];

export async function runLoadTest(options: LoadTestOptions): Promise<LoadResult> {
  const { scenario, target, signal, org, onPhase = () => undefined } = options;
  demandOwnNodes(options);
  const total = scenario.clients.editors + scenario.clients.readers;
  const processes = options.processes ?? processesFor(total);
  const arrival: Arrival = options.steering === undefined ? 'shuffled' : 'by-document';
  const crowd = crowdOf(scenario, processes, arrival);
  const run = Math.floor(Date.now() % 36 ** 6).toString(36);
  const docs = Array.from({ length: scenario.documents.count }, (_, index) => `${org}/${run}-${index}`);
  if (scenario.documents.initialBytes > 0) {
    onPhase(`filling ${docs.length} document(s) to ${scenario.documents.initialBytes} bytes`);
    await fillDocuments(options, docs);
  }
  const checked = checkedDocuments(scenario, crowd);
  onPhase(`${total} clients in ${processes} process(es) on ${docs.length} document(s)`);
  const load = new Load(options, processes);
  try {
    const order = { run, docs, checked, total, processes };
    const orders = crowd.map((members, index) => orderOf(options, order, members, index));
    const memory = await load.open(orders, total);
    const startedAt = new Date();
    await load.run();
    onPhase(signal.aborted ? 'interrupted: checking what was done' : 'checking');
    const reports = await load.end();
    const { merger, marks, usage } = load;
    const late = merger.seconds.filter(({ generator }) => generator.isLate).length;
    const used = new Set(crowd.flat().map(({ document }) => document)).size;
    const measured = {
      generator: {
        processes,
        processors: availableParallelism(),
        node: process.version,
        lateSeconds: merger.seconds.length === 0 ? 0 : late / merger.seconds.length,
      },
      isInterrupted: signal.aborted,
      seconds: merger.seconds,
      totals: merger.totals,
      times: merger.times,
      errors: merger.errors,
      losses: merger.losses,
      checked: {
        ...sumOf(reports),
        // A large document has clients in several processes, and is read by each.
        documents: checked.length - new Set(reports.flatMap(({ unchecked }) => unchecked)).size,
        ofDocuments: used,
      },
    };
    const criteria = judge(scenario, measured);
    return {
      format: FORMAT,
      scenario: options.name,
      settings: scenario,
      startedAt: startedAt.toISOString(),
      target: { urls: target.urls, isOwn: target.nodes.length > 0 },
      ...measured,
      marks,
      ...(memory === undefined ? {} : { memory }),
      ...(usage === undefined ? {} : { usage }),
      criteria,
      verdict: verdictOf(criteria, signal.aborted),
    };
  } finally {
    await load.close();
  }
}

function demandOwnNodes({ scenario, target }: LoadTestOptions): void {
  for (const { do: what, node, backMs } of scenario.faults) {
    if (what === 'drop-clients') continue;
    if (target.nodes.length === 0)
      throw new UsageError(`the scenario has a fault ${what}: only nodes that the run starts are struck`);
    if (node > target.nodes.length)
      throw new UsageError(`the scenario strikes node ${node}: start as many with --nodes`);
    if (target.nodes.length === 1 && backMs === 0)
      throw new UsageError(`the scenario ends its only node: let it come back with backMs, or use --nodes`);
  }
}

/** More than the processors only where one process may not have so many sockets. */
function processesFor(clients: number): number {
  const most = Math.min(MOST_FROM_ADDRESS, mostSockets() ?? MOST_FROM_ADDRESS);
  const useful = Math.min(availableParallelism(), Math.ceil(clients / CLIENTS_A_PROCESS));
  return Math.max(1, useful, Math.ceil(clients / most));
}

function orderOf(
  { target, token, scenario, steering, patience = PATIENCE }: LoadTestOptions,
  {
    run,
    docs,
    checked,
    total,
    processes,
  }: { run: string; docs: string[]; checked: number[]; total: number; processes: number },
  members: readonly Member[],
  index: number,
): LoadOrder {
  const name = `load-${run}-${index}`;
  const ordered = steering?.first;
  const shares = { urls: target.urls, token, docs, scenario, total, checked, patience, ordered };
  return { type: 'order', index, processes, name, members, ...shares };
}

function sumOf(reports: readonly CheckReport[]): Omit<CheckReport, 'type' | 'documents'> {
  const sum = (of: (report: CheckReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  return {
    clients: sum(({ clients }) => clients),
    replicas: sum(({ replicas }) => replicas),
    edits: sum(({ edits }) => edits),
    violations: sum(({ violations }) => violations),
    told: reports.flatMap(({ told }) => told),
    unchecked: [...new Set(reports.flatMap(({ unchecked }) => unchecked))],
  };
}

/** The processes of the load, and the faults. */
class Load {
  readonly merger: Merger;
  readonly marks: Mark[] = [];
  readonly #options: LoadTestOptions;
  readonly #course: Course;
  readonly #children: ChildProcess[];
  readonly #failure = deferred<never>();
  readonly #opened = deferred<void>();
  readonly #reported = deferred<void>();
  readonly #reports: CheckReport[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #servers: readonly ServerReading[] = [];
  readonly #usage: UsageReader;
  readonly #metrics: MetricsReader;
  /** Clients that have connected before the beginning, of each process. */
  readonly #opening: number[] = [];
  readonly #opens: OpenReport[] = [];
  readonly #secondWaiters = new Set<() => void>();
  #used: Usage | undefined;
  #began = 0;
  /** Processes of the load that wait for answers before a rest. */
  #resting = 0;

  constructor(options: LoadTestOptions, processes: number) {
    this.#options = options;
    this.#course = new Course(options.scenario.stages);
    this.merger = new Merger(processes);
    const { nodes, services } = options.target;
    this.#metrics = new MetricsReader(options.target.urls, clock);
    this.#usage = new UsageReader(nodes.length === 0 ? this.#metrics : nodes, services, clock);
    this.#failure.promise.catch(() => undefined);
    const module = fileURLToPath(new URL('./generator/load-process.js', import.meta.url));
    this.#children = Array.from({ length: processes }, (_, index) => {
      const child = fork(module, { serialization: 'advanced', execArgv: LOAD_FLAGS });
      let hasReported = false;
      child.on('message', (answer: LoadAnswer) => {
        hasReported ||= answer.type === 'report';
        this.#take(index, answer);
      });
      child.on('exit', (code) => {
        if (!hasReported)
          this.#failure.reject(new RunFailure(`a process of the load has ended with ${code}`));
      });
      return child;
    });
  }

  /** The use of nodes and databases during the course. */
  get usage(): Usage | undefined {
    return this.#used;
  }

  /** Resolves when the clients of the beginning are there, with the memory that they take, or when the signal is aborted. */
  async open(orders: readonly LoadOrder[], total: number): Promise<SocketMemory | undefined> {
    const { signal, steering, onOpening } = this.#options;
    const before = await this.#usage.read();
    for (const [index, order] of orders.entries()) this.#tell(order, index);
    const patience = Math.max(OPEN_MS, total * OPEN_MS_EACH);
    const all = steering?.first ?? Math.ceil(this.#course.clientsAt(0) * total);
    const connected = () => this.#opening.reduce((sum, count) => sum + count, 0);
    const timer = setInterval(() => onOpening?.(connected(), all), 1000);
    const end = (): void => this.#opened.resolve();
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    try {
      await this.#within(patience, 'the clients were not connected', this.#opened.promise);
    } finally {
      clearInterval(timer);
      signal.removeEventListener('abort', end);
    }
    if (signal.aborted) return undefined;
    const used = residentOf(await this.#usage.read());
    const clients = this.#opens.reduce((sum, report) => sum + report.clients, 0);
    if (clients === 0) return undefined;
    const load = this.#opens.reduce((sum, { addedBytes }) => sum + addedBytes, 0);
    return {
      clients,
      loadBytes: load / clients,
      serverBytes: used === 0 ? undefined : Math.max(0, used - residentOf(before)) / clients,
    };
  }

  /** Resolves at the end of the course or of the steering, or when the signal is aborted. */
  async run(): Promise<void> {
    const { scenario, target, signal, steering } = this.#options;
    const before = await this.#usage.read();
    this.#began = clock() + BEFORE_MS;
    for (const index of this.#children.keys()) this.#tell({ type: 'begin', at: this.#began }, index);
    const watched = target.nodes.map((node, index) => ({
      name: node.name,
      pid: () => node.pid(),
      url: target.urls[index] ?? '',
    }));
    const reader = watched.length === 0 ? this.#metrics : new OwnNodesReader(watched, clock);
    const read = (): void => {
      void reader.read().then((servers) => {
        this.#servers = servers;
      });
    };
    read();
    this.#timers.push(setInterval(read, 1000));
    for (const fault of scenario.faults)
      this.#timers.push(setTimeout(() => this.#strike(fault), this.#began + fault.atMs - clock()));
    const over = deferred<void>();
    const end = (): void => over.resolve();
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    // The last second is told a little after its end.
    if (steering === undefined)
      this.#timers.push(setTimeout(end, this.#began + this.#course.lastsMs - clock() + 100));
    const steered =
      steering === undefined
        ? over.promise
        : steering.steer({
            rest: () => this.#rest(),
            goOn: () => {
              for (const index of this.#children.keys()) this.#tell({ type: 'go-on' }, index);
            },
            setClients: (count) => this.#setClients(count),
            measure: (seconds) => this.#measure(seconds),
          });
    steered.catch(() => undefined);
    try {
      await Promise.race([over.promise, steered, this.#failure.promise]);
      this.#used = usageBetween(before, await this.#usage.read());
    } finally {
      signal.removeEventListener('abort', end);
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  async end(): Promise<readonly CheckReport[]> {
    for (const index of this.#children.keys()) this.#tell({ type: 'end' }, index);
    await this.#within(CHECK_MS, 'the check did not end', this.#reported.promise);
    this.merger.closeRest(this.#servers);
    return this.#reports;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const child of this.#children) child.kill('SIGKILL');
    await this.#usage.close();
  }

  async #rest(): Promise<void> {
    this.#resting = this.#children.length;
    for (const index of this.#children.keys()) this.#tell({ type: 'rest' }, index);
    const until = clock() + REST_MS;
    while (this.#resting > 0 && clock() < until) await this.#nextSecond();
  }

  async #setClients(count: number): Promise<void> {
    for (const index of this.#children.keys()) this.#tell({ type: 'clients', count }, index);
    const until = clock() + ARRIVE_MS;
    for (;;) {
      await this.#nextSecond();
      if (this.merger.seconds.at(-1)?.clients === count || clock() >= until) return;
    }
  }

  async #measure(seconds: number): Promise<MeasuredStretch> {
    // The second that runs belongs to what was before.
    await this.#nextSecond();
    const troubles = this.#troubles();
    const before: Counters = await this.#usage.read();
    this.merger.beginStretch();
    for (let second = 0; second < seconds; second++) await this.#nextSecond();
    const usage = usageBetween(before, await this.#usage.read());
    return { ...this.merger.stretch, errors: this.#troubles() - troubles, usage };
  }

  #nextSecond(): Promise<void> {
    return new Promise((resolve) => this.#secondWaiters.add(resolve));
  }

  #troubles(): number {
    const counts = [...Object.values(this.merger.errors), ...Object.values(this.merger.losses)];
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #take(from: number, answer: LoadAnswer): void {
    switch (answer.type) {
      case 'opening':
        this.#opening[from] = answer.clients;
        return;
      case 'open':
        this.#opens.push(answer);
        if (this.#opens.length === this.#children.length) this.#opened.resolve();
        return;
      case 'failed':
        this.#failure.reject(new RunFailure(answer.message));
        return;
      case 'second': {
        const second = this.merger.take(from, answer, this.#servers);
        const { errors, losses } = this.merger;
        const progress = { lastsMs: this.#course.lastsMs, errors, losses, marks: this.marks };
        if (second === undefined) return;
        this.#options.onSecond?.(second, progress);
        for (const resolve of this.#secondWaiters) resolve();
        this.#secondWaiters.clear();
        return;
      }
      case 'rested':
        this.#resting -= 1;
        return;
      case 'report':
        this.#reports.push(answer);
        if (this.#reports.length === this.#children.length) this.#reported.resolve();
        return;
      default:
        answer satisfies never;
    }
  }

  #strike(fault: ScenarioFault): void {
    const { do: what } = fault;
    if (what === 'drop-clients') {
      this.#mark(`${Math.round(fault.share * 100)} % of the clients lose their connections`);
      for (const index of this.#children.keys()) this.#tell({ type: 'drop', share: fault.share }, index);
      return;
    }
    const node = this.#options.target.nodes[fault.node - 1];
    if (node === undefined) return;
    strike(node, what);
    this.#mark(`${STRUCK[what]} ${node.name}`);
    if (fault.backMs === 0) return;
    const back = async (): Promise<void> => {
      await bringBack(node, what);
      this.#mark(`${node.name} is back`);
    };
    this.#timers.push(setTimeout(() => void back().catch(this.#failure.reject), fault.backMs));
  }

  #mark(label: string): void {
    this.marks.push({ atMs: Math.round(clock() - this.#began), label });
  }

  #tell(command: LoadCommand, index: number): void {
    this.#children[index]?.send(command);
  }

  async #within(ms: number, what: string, done: Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.#failure.reject(new RunFailure(`${what} within ${ms} ms`)), ms);
    try {
      await Promise.race([done, this.#failure.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const residentOf = ({ nodes }: Counters): number =>
  nodes.reduce((sum, { residentBytes }) => sum + residentBytes, 0);

const STRUCK: Readonly<Record<Exclude<ScenarioFault['do'], 'drop-clients'>, string>> = {
  'kill-node': 'kill -9 of',
  'stop-node': 'stop of',
  'freeze-node': 'freeze of',
};
