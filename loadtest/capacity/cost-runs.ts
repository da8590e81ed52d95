// Short runs of different mixes, from which the costs of an edit, a delivery, a socket, an open and a byte can be told apart. Each
// has much of one of them and little of the others.

import type { Window } from '../model/costs.ts';
import type { LoadResult } from '../run/result.ts';
import type { Usage } from '../run/servers/usage.ts';
import { type Scenario, scenarioSchema } from '../scenarios/scenario.ts';

const LASTS = { stages: [{ lastsMs: 10_000 }], typing: { model: 'random' } };
const NO_BOUNDS = {
  commitP95Ms: null,
  achieved: 0.01,
  edits: 0,
  errors: null,
  lostConnections: null,
};

function costRun(name: string, description: string, more: object): { name: string; scenario: Scenario } {
  return { name, scenario: scenarioSchema.parse({ ...LASTS, description, criteria: NO_BOUNDS, ...more }) };
}

const random = (everyMs: number, characters = 0) => ({ model: 'random', everyMs, characters });

export const COST_RUNS = [
  costRun('sockets', 'Clients that do nothing.', {
    documents: { count: 200 },
    clients: { editors: 0, readers: 2000 },
  }),
  costRun('opens', 'Clients that come and go.', {
    documents: { count: 50 },
    clients: { editors: 0, readers: 500 },
    churn: { stayMs: 4_000, awayMs: 1_000 },
  }),
  costRun('edits', 'Editors that are alone in their documents.', {
    documents: { count: 200 },
    clients: { editors: 200 },
    typing: random(500),
  }),
  costRun('many edits', 'The same, faster: more edits share a transaction.', {
    documents: { count: 400 },
    clients: { editors: 400 },
    typing: random(400),
  }),
  costRun('deliveries', 'Edits that many receive.', {
    documents: { count: 20 },
    clients: { editors: 100, readers: 400 },
    typing: random(1_000),
  }),
  costRun('bytes', 'Long edits.', {
    documents: { count: 100, kinds: ['rich-text'] },
    clients: { editors: 100 },
    typing: random(1_000, 8_000),
  }),
] as const;

/**
 * The runs of three nodes and more. Clients that do nothing tell what another node costs each of them. The others have many messages
 * between nodes, and a machine that is not full: at a knee of several nodes the costs of a message hang on what else is full.
 */
export const PEER_RUNS = COST_RUNS.filter(({ name }) =>
  ['sockets', 'many edits', 'deliveries'].includes(name),
);

/**
 * One of several nodes is killed and stays away. The longest time of an edit is then that of one whose document lost its
 * owner, or whose author lost its connection: an upper bound of the time of a takeover.
 */
export const TAKEOVER_RUN = costRun('takeover', 'A node is killed, and the others take over.', {
  documents: { count: 200 },
  clients: { editors: 200 },
  typing: random(500),
  faults: [{ atMs: 4_000, do: 'kill-node', node: 1 }],
});

/** The events of a stretch of a run. */
export interface Happened {
  readonly nodes: number;
  readonly seconds: number;
  readonly sockets: number;
  readonly committed: number;
  /** To others than the author. */
  readonly delivered: number;
  readonly opens: number;
  readonly bytesReceived: number;
  readonly together: number;
  readonly loadCpu: number;
}

/** Undefined if the nodes were not read. */
export function windowFrom(happened: Happened, usage: Usage | undefined): Window | undefined {
  if (usage === undefined || happened.seconds <= 0) return undefined;
  const rate = (count: number) => count / happened.seconds;
  const own = usage.mainCpu + usage.othersCpu + (usage.postgres?.cpu ?? 0) + happened.loadCpu;
  return {
    nodes: happened.nodes,
    sockets: happened.sockets,
    edits: rate(happened.committed),
    deliveries: rate(happened.delivered + happened.committed),
    opens: rate(happened.opens),
    megabytes: rate(happened.bytesReceived) / 1e6,
    together: happened.together,
    mainCpu: usage.mainCpu,
    workersCpu: usage.othersCpu,
    loadCpu: happened.loadCpu,
    postgresCpu: usage.postgres?.cpu ?? 0,
    foreignCpu: Math.max(0, (usage.machineCpu ?? own) - own),
    commits: usage.postgres?.commits ?? 0,
  };
}

export function windowOfRun(result: LoadResult, nodes: number): Window | undefined {
  const { seconds, totals, times, settings, usage } = result;
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const { editors, readers } = settings.clients;
  const happened = {
    nodes,
    seconds: usage?.seconds ?? 0,
    sockets: mean(seconds.map(({ clients }) => clients)),
    committed: totals.committed,
    delivered: totals.delivered,
    opens: times.open.count,
    bytesReceived: totals.bytesReceived,
    together: (editors + readers) / settings.documents.count,
    loadCpu: mean(seconds.map(({ generator }) => generator.cpu)),
  };
  return windowFrom(happened, usage);
}
