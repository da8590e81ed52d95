// The plan: what to buy for 10,000 and for 100,000 editors, from the measured costs, the friction between nodes and prices. Pure.
//
// The scalability law is fitted to few nodes. From one node to two each edit gets dearer by the messages between nodes; from there
// on it hardly does, because a document has few clients. The law knows no such step, and takes it for a share of work that
// nodes do one after the other. So where it has no number, the number is the model's, which knows the messages.
import { z } from 'zod';
import { type Basis, busyOf, type Demand, type Deployment, kneeOf, nodesOf, scaled } from '../model/model.ts';
import type { Interval, Scalability } from './scalability.ts';

export const pricesSchema = z.strictObject({
  currency: z.string().default(''),
  /** A month of each. */
  node: z.number().min(0).default(0),
  postgres: z.number().min(0).default(0),
  redis: z.number().min(0).default(0),
  /** A GiB that PostgreSQL keeps, a month. */
  storedGiB: z.number().min(0).default(0),
});
export type Prices = z.infer<typeof pricesSchema>;

/** Load that 1,000 editors of the scenario put on the databases; undefined: not read. */
export interface DatabaseLoad {
  readonly commits: number;
  readonly rows: number;
  readonly walBytes: number;
  readonly storedBytesADay: number;
  readonly redisCommands: number | undefined;
  readonly redisBytes: number | undefined;
}

export interface PlanFor {
  readonly editors: number;
  /** Without the one to spare: the larger of the two below. The law may have no number; the model's counts alone then. */
  readonly nodes: number | undefined;
  /** By the scalability law. Undefined: it says that no number of nodes is enough. */
  readonly nodesByLaw: number | undefined;
  /** By the model of measured costs. Undefined: no number of nodes is enough. */
  readonly nodesByModel: number | undefined;
  readonly nodesWithSpare: number | undefined;
  /** With the spare one gone, the resource that is busiest, and how busy it is. */
  readonly busiest: string;
  readonly utilisation: number;
  /** Databases that the editors need, each with the processors of the plan; undefined: PostgreSQL was not read. */
  readonly postgres: number | undefined;
  readonly postgresUtilisation: number;
  readonly storedBytesADay: number | undefined;
  /** A month, with what a month stores. */
  readonly price: number | undefined;
}

export interface Plan {
  /** Editors of a node with a machine of its own. */
  readonly editorsANode: Interval;
  /** Editors of two, three, … nodes by the scalability law. */
  readonly givesOutFirst: string;
  readonly perThousand: DatabaseLoad | undefined;
  readonly rows: readonly PlanFor[];
  readonly currency: string;
}

export interface PlanInput {
  readonly basis: Basis;
  /** One node, as it is to be bought. */
  readonly deployment: Deployment;
  /** Of one client of the mix. */
  readonly client: Demand;
  readonly editorsAClient: number;
  readonly boundMs: number;
  /** The relative throughput of N nodes: 1 for one. */
  readonly scalability: Scalability;
  readonly perThousand: DatabaseLoad | undefined;
  readonly prices: Prices | undefined;
  readonly editors?: readonly number[];
}

/** PostgreSQL is bought so that it is busy to this share at most: checkpoints and vacuum need the rest. */
const POSTGRES_SHARE = 0.7;
const DAYS_A_MONTH = 30;
const GIB = 2 ** 30;

export function planOf(input: PlanInput): Plan {
  const { basis, deployment, client, editorsAClient, boundMs, scalability, perThousand, prices } = input;
  const alone = { ...deployment, nodes: 1, postgresProcessors: Number.MAX_SAFE_INTEGER };
  const { share, resource } = kneeOf(basis, alone, client, boundMs);
  const { lambda } = scalability;
  const editorsANode = {
    value: share * editorsAClient,
    low: (share * editorsAClient * lambda.low) / lambda.value,
    high: (share * editorsAClient * lambda.high) / lambda.value,
  };
  const rows = (input.editors ?? [10_000, 100_000]).map((editors): PlanFor => {
    const clients = editors / editorsAClient;
    const demand = scaled(client, clients);
    const nodesByLaw = scalability.nodesFor((clients / share) * lambda.value);
    const nodesByModel = nodesOf(
      basis,
      { ...deployment, postgresProcessors: Number.MAX_SAFE_INTEGER },
      demand,
      boundMs,
    );
    const nodes = nodesByModel === undefined ? undefined : Math.max(nodesByModel, nodesByLaw ?? 1);
    const busy = busyOf(basis, { ...deployment, nodes: nodes ?? 1 }, demand);
    const isOfPostgres = ({ resource: name }: { resource: string }) => name === 'processors of PostgreSQL';
    const [busiest] = busy.filter((each) => !isOfPostgres(each));
    const postgresUtilisation = busy.find(isOfPostgres)?.utilisation ?? 0;
    const databases = Math.max(1, Math.ceil(postgresUtilisation / POSTGRES_SHARE));
    const storedBytesADay =
      perThousand === undefined ? undefined : (perThousand.storedBytesADay * editors) / 1000;
    const nodesWithSpare = nodes === undefined ? undefined : nodes + 1;
    const price =
      prices === undefined || nodesWithSpare === undefined
        ? undefined
        : prices.node * nodesWithSpare +
          prices.postgres * databases +
          prices.redis +
          (prices.storedGiB * DAYS_A_MONTH * (storedBytesADay ?? 0)) / GIB;
    return {
      editors,
      nodes,
      nodesByLaw,
      nodesByModel,
      nodesWithSpare,
      busiest: nodes === undefined ? '' : (busiest?.resource ?? ''),
      utilisation: nodes === undefined ? 0 : (busiest?.utilisation ?? 0),
      postgres: perThousand === undefined ? undefined : databases,
      postgresUtilisation: postgresUtilisation / databases,
      storedBytesADay,
      price,
    };
  });
  return { editorsANode, givesOutFirst: resource, perThousand, rows, currency: prices?.currency ?? '' };
}

/** A sentence for each row of the plans of several passes; none for one pass. */
export function passLines(plans: readonly Plan[]): string[] {
  const [first, ...others] = plans;
  if (first === undefined || others.length === 0) return [];
  return first.rows.map(({ editors }, at) => {
    const nodes = plans.map(({ rows }) => rows[at]?.nodes ?? 'no number is enough');
    return `Nodes for ${editors} editors from each pass alone: ${nodes.join(', ')}.`;
  });
}
