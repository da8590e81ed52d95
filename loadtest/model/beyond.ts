// Beyond what can be measured here: a hundred nodes and a million editors on paper. The load of each resource, the loss of a node, all
// clients coming back at once, and the point from which one PostgreSQL is not enough. Pure.
import {
  type Basis,
  type Busy,
  busyOf,
  type Demand,
  type Deployment,
  kneeOf,
  p95Of,
  scaled,
} from './model.ts';
import { type Stampede, stampede } from './stampede.ts';

export interface BeyondInput {
  readonly basis: Basis;
  /** One node and one PostgreSQL, as they are bought. */
  readonly deployment: Deployment;
  /** Of one client. */
  readonly client: Demand;
  readonly boundMs: number;
  /** Time for which the documents of a lost node are not served, as it was measured; undefined: it was not. */
  readonly takeoverMs: number | undefined;
  readonly nodes?: number;
  readonly clients?: number;
}

export interface Beyond {
  readonly nodes: number;
  readonly clients: number;
  /** With PostgreSQL divided so that each part is busy to `postgresShare` at most. */
  readonly busy: readonly Busy[];
  /** edit → commit, p95; undefined: it cannot be done. */
  readonly p95Ms: number | undefined;
  readonly withoutOne: {
    readonly busy: readonly Busy[];
    readonly p95Ms: number | undefined;
    /** Clients of the lost node come back to the others. */
    readonly comeback: Stampede;
    readonly takeoverMs: number;
  };
  /** Every client has lost its connection. */
  readonly allAtOnce: Stampede;
  /** Clients above which one PostgreSQL is busy to more than `postgresShare`. */
  readonly clientsOfOnePostgres: number;
  /** Databases that the clients need; documents are divided among them by organisation. */
  readonly databases: number;
  readonly postgresShare: number;
  /** Most clients of the nodes, and what gives out. */
  readonly knee: { readonly clients: number; readonly resource: string };
}

const NODES = 100;
const CLIENTS = 1_000_000;
/** Checkpoints and vacuum need the rest. */
const POSTGRES_SHARE = 0.7;
/** The SDK's (client/connection.ts, client/retry-delay.ts). */
const SDK = { backoffMs: 500, ceilingMs: 30_000, timeoutMs: 10_000 };
/** Taken where it was not measured: documents of a lost node have no owner for about as long. */
const TAKEOVER_MS = 5_000;

export function beyond(input: BeyondInput): Beyond {
  const { basis, deployment, client, boundMs, takeoverMs, nodes = NODES, clients = CLIENTS } = input;
  const demand = scaled(client, clients);
  const postgresOf = (many: number) =>
    busyOf(basis, deployment, scaled(client, many)).find(({ resource }) => resource.endsWith('PostgreSQL'))
      ?.utilisation ?? 0;
  const databases = Math.max(1, Math.ceil(postgresOf(clients) / POSTGRES_SHARE));
  const whole = { ...deployment, nodes, postgresProcessors: deployment.postgresProcessors * databases };
  const fewer = { ...whole, nodes: nodes - 1 };
  const p95 = (of: Deployment) => finite(p95Of(basis, of, demand));
  const knee = kneeOf(basis, { ...whole, postgresProcessors: Number.MAX_SAFE_INTEGER }, client, boundMs);
  return {
    nodes,
    clients,
    busy: busyOf(basis, whole, demand),
    p95Ms: p95(whole),
    withoutOne: {
      busy: busyOf(basis, fewer, demand),
      p95Ms: p95(fewer),
      comeback: stampede({
        ...SDK,
        clients: Math.round(clients / nodes),
        opensPerSecond: opensPerSecond(basis, fewer, demand),
        readyAfterMs: takeoverMs ?? TAKEOVER_MS,
      }),
      takeoverMs: takeoverMs ?? TAKEOVER_MS,
    },
    allAtOnce: stampede({
      ...SDK,
      clients,
      // Nobody types before being back.
      opensPerSecond: opensPerSecond(basis, whole, { ...demand, edits: 0 }),
      readyAfterMs: 0,
    }),
    clientsOfOnePostgres: shareAt(postgresOf, POSTGRES_SHARE),
    databases,
    postgresShare: POSTGRES_SHARE,
    knee: { clients: knee.share, resource: knee.resource },
  };
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

/** Opens that the nodes and PostgreSQL can serve beside a demand. */
function opensPerSecond(basis: Basis, deployment: Deployment, demand: Demand): number {
  const busiest = (opens: number) =>
    Math.max(...busyOf(basis, deployment, { ...demand, opens }).map(({ utilisation }) => utilisation));
  return Math.max(1, shareAt(busiest, 1));
}

/** The argument at which a rising function comes to a value; 0 if it is above from the beginning. */
function shareAt(of: (argument: number) => number, value: number): number {
  let low = 0;
  let high = 1;
  while (of(high) < value && high < 2 ** 40) high *= 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (of(middle) < value) low = middle;
    else high = middle;
  }
  return low;
}
