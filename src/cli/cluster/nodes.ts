// The nodes of a cluster as the database records them, for commands: their names, states and shards.
import { SHARDS } from '../../../actors/shard.ts';
import type { ControlStore, SessionId } from '../../../actors/storage/store.ts';
import { CONTROL_SLOT } from '../../../cluster/liveness/members.ts';
import { StartError } from '../../../config/fatal.ts';

export interface NodeOnRecord {
  readonly node: string;
  readonly run: string;
  /** The host:port that peers dial. Null for a node without a cluster. */
  readonly address: string | null;
  readonly state: 'live' | 'draining';
  /** slot -> session of the worker. */
  readonly workers: ReadonlyMap<number, SessionId>;
}

/**
 * Sorted by name. A dead node stays on record until another node has fenced it, and a restarted node may be
 * listed twice. The session of a node without a cluster is left out once its workers have ended.
 */
export async function readNodes(store: ControlStore): Promise<readonly NodeOnRecord[]> {
  const rows = await store.sessions();
  return rows
    .filter((row) => row.slot === CONTROL_SLOT)
    .map(({ node, run, address, state }) => {
      const workers = rows.filter((row) => row.run === run && row.slot !== CONTROL_SLOT);
      return { node, run, address, state, workers: new Map(workers.map(({ slot, id }) => [slot, id])) };
    })
    .filter(({ address, workers }) => address !== null || workers.size > 0)
    .sort((a, b) => (a.node < b.node ? -1 : 1));
}

export interface ShardOwners {
  /** Sessions by shard. Undefined if no session owns the shard that could still write. */
  readonly owners: readonly (SessionId | undefined)[];
  readonly unowned: number;
}

export async function readShards(store: ControlStore): Promise<ShardOwners> {
  const owners = new Array<SessionId | undefined>(SHARDS).fill(undefined);
  for (const { shard, owner, ownerState } of await store.shardMap())
    if (owner !== null && ownerState !== 'fenced') owners[shard] = owner;
  return { owners, unowned: owners.filter((owner) => owner === undefined).length };
}

export function shardsOf({ workers }: NodeOnRecord, { owners }: ShardOwners): number {
  const sessions = new Set<SessionId | undefined>(workers.values());
  return owners.filter((owner) => owner !== undefined && sessions.has(owner)).length;
}

/** Throws StartError if no node has that name. */
export function nodesCalled(name: string, nodes: readonly NodeOnRecord[]): readonly NodeOnRecord[] {
  const found = nodes.filter(({ node }) => node === name);
  if (found.length > 0) return found;
  const names = [...new Set(nodes.map(({ node }) => node))];
  throw new StartError(
    `there is no node ${name}: ${names.length === 0 ? 'no node runs' : `there are ${names.join(', ')}`}`,
  );
}

/** Same as `nodesCalled`, but also requires a node that takes shards. */
export function demandLive(name: string, nodes: readonly NodeOnRecord[]): void {
  if (nodesCalled(name, nodes).every(({ state }) => state !== 'live')) {
    throw new StartError(`${name} drains: it takes no shards any more`);
  }
}
