// The costs of one edit, one delivery, one socket and one byte, from the use of runs with different mixes. Pure.
import { dot, fitNonNegative } from '../capacity/least-squares.ts';

/** A stretch of a run: what happened in it, a second, and the processors that it took. */
export interface Window {
  readonly nodes: number;
  readonly sockets: number;
  /** Committed. */
  readonly edits: number;
  /** To all subscribers, the author too. */
  readonly deliveries: number;
  /** Clients that opened their document. */
  readonly opens: number;
  /** Sent to clients. */
  readonly megabytes: number;
  /** Clients of a document. */
  readonly together: number;
  readonly mainCpu: number;
  readonly workersCpu: number;
  readonly loadCpu: number;
  readonly postgresCpu: number;
  /** Processors of this machine that programs other than the nodes, PostgreSQL and the load used. */
  readonly foreignCpu: number;
  readonly commits: number;
}

/**
 * Processor seconds for one of each. Processors of a node that has nothing to do: `base`, and in a cluster `member` more, and
 * `peer` for each other node.
 */
export interface ThreadCosts {
  readonly base: number;
  readonly member: number;
  readonly peer: number;
  readonly socket: number;
  readonly edit: number;
  readonly delivery: number;
  readonly open: number;
  readonly megabyte: number;
  /** One message between two nodes. */
  readonly hop: number;
}

export interface PostgresCosts {
  readonly base: number;
  readonly edit: number;
  readonly commit: number;
  readonly open: number;
}

export interface Costs {
  readonly main: ThreadCosts;
  readonly workers: ThreadCosts;
  readonly postgres: PostgresCosts;
  readonly load: ThreadCosts;
  /** Mean relative error of each fit over the windows that it was made from. */
  readonly errors: Readonly<Record<'main' | 'workers' | 'postgres' | 'load', number>>;
}

const THREAD = ['base', 'member', 'peer', 'socket', 'edit', 'delivery', 'open', 'megabyte', 'hop'] as const;
const POSTGRES = ['base', 'edit', 'commit', 'open'] as const;

export function fitCosts(windows: readonly Window[]): Costs {
  const thread = (cpu: (window: Window) => number) => fitted(windows, THREAD, threadUnits, cpu);
  const main = thread(({ mainCpu }) => mainCpu);
  const workers = thread(({ workersCpu }) => workersCpu);
  const load = thread(({ loadCpu }) => loadCpu);
  const postgres = fitted(windows, POSTGRES, postgresUnits, ({ postgresCpu }) => postgresCpu);
  return {
    main: main.costs,
    workers: workers.costs,
    load: load.costs,
    postgres: postgres.costs,
    errors: { main: main.error, workers: workers.error, load: load.error, postgres: postgres.error },
  };
}

/**
 * Units of all nodes together. Windows of one and two nodes cannot tell a member from a peer: those of three can. A member comes
 * first, so that it has the cost then.
 */
export const threadUnits = (window: Window): number[] => [
  window.nodes,
  window.nodes > 1 ? window.nodes : 0,
  window.nodes * (window.nodes - 1),
  window.sockets,
  window.edits,
  window.deliveries,
  window.opens,
  window.megabytes,
  window.edits * hopsOf(window.nodes, window.together),
];

export const postgresUnits = (window: Window): number[] => [1, window.edits, window.commits, window.opens];

/**
 * Messages between nodes that one edit causes, where clients are on any node: the submit goes to the owner, and the commit to
 * each other node that has a client of the document.
 */
export function hopsOf(nodes: number, together: number): number {
  if (nodes < 2) return 0;
  return (nodes - 1) / nodes + (nodes - 1) * (1 - (1 - 1 / nodes) ** together);
}

/** Processors below which a value is noise: a tick of the system's clock in ten seconds. */
const LEAST_CPU = 0.001;

function fitted<Name extends string>(
  windows: readonly Window[],
  names: readonly Name[],
  units: (window: Window) => number[],
  cpu: (window: Window) => number,
): { costs: Record<Name, number>; error: number } {
  const rows = windows.map(units);
  const values = windows.map((window) => Math.max(LEAST_CPU, cpu(window)));
  const found = fitNonNegative(rows, values);
  const errors = rows.map((row, index) => Math.abs(dot(row, found) / (values[index] ?? 1) - 1));
  const costs = Object.fromEntries(names.map((name, index) => [name, found[index] ?? 0]));
  return {
    costs: costs as Record<Name, number>,
    error: errors.reduce((sum, error) => sum + error, 0) / Math.max(1, errors.length),
  };
}
