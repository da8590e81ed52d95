// `troupe cluster status` and `troupe cluster pins`: the state of the cluster from the database, from Redis if it
// can be reached, and from the nodes that answer. They change nothing.
import { SHARDS } from '../../../actors/shard.ts';
import type { Lease } from '../../../cluster/liveness/lease-store.ts';
import type { MovingShards, NodeFigures } from '../../../cluster/operator-events.ts';
import { isClustered } from '../../../config/clustered.ts';
import { EXIT, type ExitCode } from '../../../config/fatal.ts';
import type { Config } from '../../../config/schema.ts';
import { redact } from '../../../config/showing/redact.ts';
import { withCluster } from '../database.ts';
import { json, type Output, plural, table } from '../output.ts';
import { askNodes, type Question } from './ask-nodes.ts';
import { type NodeOnRecord, readNodes, readShards, type ShardOwners, shardsOf } from './nodes.ts';
import { type PinView, pinTable, viewPins } from './pins-view.ts';

/** The value that `--json` prints. */
export interface ClusterStatus {
  readonly cluster: string;
  readonly nodes: readonly {
    readonly node: string;
    readonly run: string;
    readonly address: string | null;
    readonly state: Lease['state'];
    /** Whether the node's lease is in Redis. Null if Redis was not asked, or did not answer. */
    readonly lease: boolean | null;
    readonly weight: number | null;
    readonly workers: number;
    readonly shards: number;
    /**
     * Shards of the node that are placed elsewhere, by the node on which they are placed. Null if the node has
     * not answered; so are the next four.
     */
    readonly moving: Readonly<Record<string, number>> | null;
    /** Sockets that are open on the node. */
    readonly clients: number | null;
    /** Documents in the memory of its workers. */
    readonly documents: number | null;
    /** Edits that its workers commit, averaged over the last seconds. */
    readonly editsPerSecond: number | null;
    readonly uptimeMs: number | null;
  }[];
  readonly shards: {
    readonly all: number;
    readonly unowned: number;
    /** Shards that are on the move, as far as their nodes have answered. */
    readonly moving: number;
  };
  /** Null if the configuration has no Redis. */
  readonly redis: { readonly reachable: boolean; readonly reason: string | null } | null;
  readonly pins: readonly PinView[];
}

const REDIS_TIMEOUT_MS = 2_000;

type Figures = NodeFigures & MovingShards;

/** The figures of the nodes. A node that hangs, or that is dead and not fenced yet, gives no answer. */
const FIGURES: Question<Figures> = {
  question: { type: 'status' },
  answerIn: (event) => (event.type === 'figures' ? { run: event.run, answer: event } : undefined),
  patienceMs: 2_000,
};

export function status(config: Config, options: { readonly json: boolean }, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const leases = await readLeases(config);
    const { nodes, byRun } = await askNodes(store, FIGURES);
    const shards = await readShards(store);
    const pins = await viewPins(store, config, nodes);
    const ofNodes = nodes.map((node) => nodeStatus(node, shards, leases, byRun.get(node.run)));
    const found: ClusterStatus = {
      cluster: config.cluster.name,
      nodes: ofNodes,
      shards: { all: SHARDS, unowned: shards.unowned, moving: sumOf(ofNodes.map(({ moving }) => moving)) },
      redis: leases.redis,
      pins,
    };
    io.stdout.write(options.json ? json(found) : forPeople(found));
    return EXIT.ok;
  });
}

export function showPins(config: Config, options: { readonly json: boolean }, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const found = await viewPins(store, config, await readNodes(store));
    if (options.json) io.stdout.write(json(found));
    else io.stdout.write(found.length === 0 ? 'Nothing is pinned.\n' : pinTable(found));
    return EXIT.ok;
  });
}

interface Leases {
  readonly redis: ClusterStatus['redis'];
  /** Leases by run. Undefined if they are not known. */
  readonly byRun: ReadonlyMap<string, Lease> | undefined;
}

async function readLeases(config: Config): Promise<Leases> {
  if (!isClustered(config)) return { redis: null, byRun: undefined };
  const { createRedisLeaseStore } = await import('../../../cluster/liveness/lease-store-redis.ts');
  const { redis, name: cluster } = config.cluster;
  const store = createRedisLeaseStore({ redis, cluster, timeoutMs: REDIS_TIMEOUT_MS });
  try {
    const leases = await store.list();
    return {
      redis: { reachable: true, reason: null },
      byRun: new Map(leases.map((lease) => [lease.run, lease])),
    };
  } catch (error) {
    const reason = redact(error instanceof Error ? error.message : String(error));
    return { redis: { reachable: false, reason }, byRun: undefined };
  } finally {
    await store.close();
  }
}

function nodeStatus(
  node: NodeOnRecord,
  shards: ShardOwners,
  { byRun }: Leases,
  figures: Figures | undefined,
): ClusterStatus['nodes'][number] {
  const lease = byRun?.get(node.run);
  return {
    node: node.node,
    run: node.run,
    address: node.address,
    // The database has no state `joining`; but it may know before Redis that a node drains.
    state: node.state === 'draining' ? 'draining' : (lease?.state ?? node.state),
    lease: byRun === undefined ? null : lease !== undefined,
    weight: lease?.weight ?? null,
    workers: node.workers.size,
    shards: shardsOf(node, shards),
    moving: figures?.moving ?? null,
    clients: figures?.clients ?? null,
    documents: figures?.documents ?? null,
    editsPerSecond: figures?.editsPerSecond ?? null,
    uptimeMs: figures?.uptimeMs ?? null,
  };
}

const LEASE = new Map([
  [true, 'seen'],
  [false, 'missing'],
]);

const HEAD = [
  ...['NODE', 'STATE', 'LEASE', 'CLIENTS', 'DOCUMENTS', 'EDITS/S', 'UPTIME', 'WORKERS', 'SHARDS', 'MOVING'],
  ...['ADDRESS', 'RUN'],
];
/** Shown for a node that has not answered. */
const UNKNOWN = '?';

/** A node that commits few edits a second commits some all the same. */
const shownRate = (perSecond: number): number =>
  perSecond < 10 ? Math.round(perSecond * 10) / 10 : Math.round(perSecond);

/** The two largest units: `3d 4h`, `5m 12s`. */
function shownTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first < 0 ? -1 : first).slice(0, 2);
  return shown.map(([count, unit]) => `${count}${unit}`).join(' ');
}

/** `12 to node-2`; several targets are separated by commas. */
const shownMoves = (moving: Readonly<Record<string, number>>): string =>
  Object.entries(moving)
    .map(([node, count]) => `${count} to ${node}`)
    .join(', ') || 'none';

const sumOf = (moves: readonly (Readonly<Record<string, number>> | null)[]): number =>
  moves.flatMap((each) => Object.values(each ?? {})).reduce((sum, count) => sum + count, 0);

function forPeople({ cluster, nodes, shards, redis, pins: pinned }: ClusterStatus): string {
  const unowned =
    shards.unowned === 0 ? 'each with an owner' : `${shards.unowned.toLocaleString('en')} without an owner`;
  const moving = shards.moving === 0 ? '' : `, ${shards.moving.toLocaleString('en')} on the move`;
  const lines = [
    `Cluster ${cluster}: ${plural(nodes.length, 'node')}; ${plural(shards.all, 'shard')}, ${unowned}${moving}\n`,
  ];
  if (redis?.reachable === false) lines.push(`Redis is not reached: ${redis.reason}\n`);
  if (nodes.length > 0) {
    const rows = nodes.map((node) => [
      node.node,
      node.state,
      node.lease === null ? 'unknown' : (LEASE.get(node.lease) ?? ''),
      node.clients ?? UNKNOWN,
      node.documents ?? UNKNOWN,
      node.editsPerSecond === null ? UNKNOWN : shownRate(node.editsPerSecond),
      node.uptimeMs === null ? UNKNOWN : shownTime(node.uptimeMs),
      node.workers,
      node.shards,
      node.moving === null ? UNKNOWN : shownMoves(node.moving),
      node.address ?? 'alone',
      node.run,
    ]);
    lines.push(`\n${table([HEAD, ...rows])}`);
  }
  if (pinned.length > 0) lines.push(`\n${pinTable(pinned)}`);
  return lines.join('');
}
