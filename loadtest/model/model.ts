// A cluster on paper: from the costs of an edit, a delivery, a socket and a byte, how busy each resource is under a demand, how long
// an edit takes then, and at which demand it takes too long. Pure.
import { dot } from '../capacity/least-squares.ts';
import { type Costs, postgresUnits, type ThreadCosts, threadUnits, type Window } from './costs.ts';

/** The machines and their limits. */
export interface Deployment {
  readonly nodes: number;
  /** Worker threads of a node. */
  readonly workers: number;
  /** Processors of a node's machine, of PostgreSQL's, and of those of the load. */
  readonly processors: number;
  readonly postgresProcessors: number;
  /** Processors of one machine that holds everything, the load included; undefined if each has its own. */
  readonly shared: number | undefined;
  /** Sockets that a node may have open; undefined: no limit known. */
  readonly sockets: number | undefined;
  readonly memoryBytes: number;
}

/** The actions of the clients, a second. */
export interface Demand {
  readonly sockets: number;
  readonly edits: number;
  /** Clients that receive an edit, the author too; the clients of a document. */
  readonly together: number;
  readonly opens: number;
  /** Bytes that an edit is for each client that receives it. */
  readonly bytes: number;
}

/** Measured values that the model begins with. */
export interface Basis {
  readonly costs: Costs;
  /** edit → commit at a low load, 95th percentile. */
  readonly quietMs: number;
  /** Transactions of PostgreSQL for an edit: far below 1 under load, where one transaction takes the edits of many. */
  readonly commitsPerEdit: number;
  readonly bytesPerNode: number;
  readonly bytesPerSocket: number;
}

export interface Busy {
  readonly resource: string;
  /** 1: it can do no more. */
  readonly utilisation: number;
}

export function windowOf(deployment: Deployment, demand: Demand, commitsPerEdit: number): Window {
  const deliveries = demand.edits * demand.together;
  return {
    nodes: deployment.nodes,
    sockets: demand.sockets,
    edits: demand.edits,
    deliveries,
    opens: demand.opens,
    megabytes: (deliveries * demand.bytes) / 1e6,
    together: demand.together,
    commits: demand.edits * commitsPerEdit,
    mainCpu: 0,
    workersCpu: 0,
    loadCpu: 0,
    postgresCpu: 0,
    foreignCpu: 0,
  };
}

/** The busiest resource first. Sockets and clients are spread evenly over the nodes. */
export function busyOf({ costs, ...basis }: Basis, deployment: Deployment, demand: Demand): Busy[] {
  const { nodes, workers, processors, postgresProcessors, shared } = deployment;
  const window = windowOf(deployment, demand, basis.commitsPerEdit);
  const units = threadUnits(window);
  const main = dot(units, list(costs.main));
  const others = dot(units, list(costs.workers));
  const { base, edit, commit, open } = costs.postgres;
  const postgres = dot(postgresUnits(window), [base, edit, commit, open]);
  const busy: Busy[] = [
    { resource: 'main thread of a node', utilisation: main / nodes },
    { resource: 'worker threads of a node', utilisation: others / nodes / workers },
  ];
  const memory = basis.bytesPerNode + (basis.bytesPerSocket * demand.sockets) / nodes;
  if (shared === undefined) {
    busy.push(
      { resource: 'processors of a node', utilisation: (main + others) / nodes / processors },
      { resource: 'processors of PostgreSQL', utilisation: postgres / postgresProcessors },
      { resource: 'memory of a node', utilisation: memory / deployment.memoryBytes },
    );
  } else {
    // The load has no nodes: its base is that of its processes.
    const load = dot(units, list(costs.load));
    busy.push(
      {
        resource: 'processors of the machine, the load included',
        utilisation: (main + others + postgres + load) / shared,
      },
      { resource: 'memory of the machine', utilisation: (memory * nodes) / deployment.memoryBytes },
    );
  }
  if (deployment.sockets !== undefined)
    busy.push({ resource: 'open files of a node', utilisation: demand.sockets / nodes / deployment.sockets });
  return busy.sort((left, right) => right.utilisation - left.utilisation);
}

const list = (costs: ThreadCosts): number[] => [
  costs.base,
  costs.member,
  costs.peer,
  costs.socket,
  costs.edit,
  costs.delivery,
  costs.open,
  costs.megabyte,
  costs.hop,
];

/** Resources that are used up without making anything slower before. */
const isRoom = ({ resource }: Busy): boolean => /^(memory|open files)/.test(resource);

/**
 * edit → commit at the 95th percentile. The busiest resource is a queue with random arrivals and service times (M/M/1): each of
 * its percentiles is that of an idle one divided by the idle share. Infinity: there is more work than it can do.
 */
export function p95Of(basis: Basis, deployment: Deployment, demand: Demand): number {
  const busy = busyOf(basis, deployment, demand);
  if (busy.some((each) => isRoom(each) && each.utilisation > 1)) return Infinity;
  const utilisation = Math.max(0, ...busy.filter((each) => !isRoom(each)).map((each) => each.utilisation));
  return utilisation >= 1 ? Infinity : basis.quietMs / (1 - utilisation);
}

/** The largest share of the demand at which the 95th percentile is below the bound, and what gives out there. */
export function kneeOf(
  basis: Basis,
  deployment: Deployment,
  demand: Demand,
  boundMs: number,
): { readonly share: number; readonly resource: string } {
  const holds = (share: number) => p95Of(basis, deployment, scaled(demand, share)) < boundMs;
  let low = 0;
  let high = 1;
  while (holds(high) && high < 2 ** 30) high *= 2;
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  const [busiest] = busyOf(basis, deployment, scaled(demand, high));
  return { share: low, resource: busiest?.resource ?? '' };
}

const MOST_NODES = 10_000;

/** Fewest nodes for which the 95th percentile is below the bound; undefined if no number of nodes is enough. */
export function nodesOf(
  basis: Basis,
  deployment: Deployment,
  demand: Demand,
  boundMs: number,
): number | undefined {
  for (let nodes = 1; nodes <= MOST_NODES; nodes++)
    if (p95Of(basis, { ...deployment, nodes }, demand) < boundMs) return nodes;
  return undefined;
}

/** The same mix with another number of clients. */
export const scaled = (demand: Demand, share: number): Demand => ({
  ...demand,
  sockets: demand.sockets * share,
  edits: demand.edits * share,
  opens: demand.opens * share,
});
