// `troupe cluster status` and `troupe cluster pins`: the state of the cluster from the database, and from
// Redis if it can be reached. They change nothing.
import { SHARDS } from '../../../actors/shard.ts';
import type { Lease } from '../../../cluster/liveness/lease-store.ts';
import { isClustered } from '../../../config/clustered.ts';
import { EXIT, type ExitCode } from '../../../config/fatal.ts';
import { redact } from '../../../config/redact.ts';
import type { Config } from '../../../config/schema.ts';
import { withCluster } from '../database.ts';
import { json, type Output, plural, table } from '../output.ts';
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
  }[];
  readonly shards: { readonly all: number; readonly unowned: number };
  /** Null if the configuration has no Redis. */
  readonly redis: { readonly reachable: boolean; readonly reason: string | null } | null;
  readonly pins: readonly PinView[];
}

const REDIS_TIMEOUT_MS = 2_000;

export function status(config: Config, options: { readonly json: boolean }, io: Output): Promise<ExitCode> {
  return withCluster(config, async (store) => {
    const leases = await readLeases(config);
    const nodes = await readNodes(store);
    const shards = await readShards(store);
    const pins = await viewPins(store, config, nodes);
    const found: ClusterStatus = {
      cluster: config.cluster.name,
      nodes: nodes.map((node) => nodeStatus(node, shards, leases)),
      shards: { all: SHARDS, unowned: shards.unowned },
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
  };
}

const LEASE = new Map([
  [true, 'seen'],
  [false, 'missing'],
]);

function forPeople({ cluster, nodes, shards, redis, pins: pinned }: ClusterStatus): string {
  const unowned =
    shards.unowned === 0 ? 'each with an owner' : `${shards.unowned.toLocaleString('en')} without an owner`;
  const lines = [
    `Cluster ${cluster}: ${plural(nodes.length, 'node')}; ${plural(shards.all, 'shard')}, ${unowned}\n`,
  ];
  if (redis?.reachable === false) lines.push(`Redis is not reached: ${redis.reason}\n`);
  if (nodes.length > 0) {
    const rows = nodes.map((node) => [
      node.node,
      node.state,
      node.lease === null ? 'unknown' : (LEASE.get(node.lease) ?? ''),
      node.workers,
      node.shards,
      node.address ?? 'alone',
      node.run,
    ]);
    lines.push(`\n${table([['NODE', 'STATE', 'LEASE', 'WORKERS', 'SHARDS', 'ADDRESS', 'RUN'], ...rows])}`);
  }
  if (pinned.length > 0) lines.push(`\n${pinTable(pinned)}`);
  return lines.join('');
}
