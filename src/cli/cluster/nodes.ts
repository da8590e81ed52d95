// The nodes of a cluster as the database has them, for commands: who there is, and which shards they have.
import { SHARDS } from '../../../actors/shard.ts';
import type { ControlStore, SessionId } from '../../../actors/storage/store.ts';
import { CONTROL_SLOT } from '../../../cluster/members.ts';
import { StartError } from '../../../config/fatal.ts';

export interface NodeOnRecord {
  readonly node: string;
  readonly run: string;
  /** host:port that peers dial; null: it is alone. */
  readonly address: string | null;
  readonly state: 'live' | 'draining';
  /** slot -> session, of its workers. */
  readonly workers: ReadonlyMap<number, SessionId>;
}

/**
 * By name. One that died is on record until another has fenced it; one that has started again may be there twice. Of a
 * node that was alone, and whose workers have ended, the record says nothing of any node.
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
  /** Sessions by shard; undefined: nobody who could write. */
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

/** Throws StartError where there is none of that name. */
export function nodesCalled(name: string, nodes: readonly NodeOnRecord[]): readonly NodeOnRecord[] {
  const found = nodes.filter(({ node }) => node === name);
  if (found.length > 0) return found;
  const names = [...new Set(nodes.map(({ node }) => node))];
  throw new StartError(
    `there is no node ${name}: ${names.length === 0 ? 'no node runs' : `there are ${names.join(', ')}`}`,
  );
}

/** As `nodesCalled`, and one that takes shards. */
export function demandLive(name: string, nodes: readonly NodeOnRecord[]): void {
  if (nodesCalled(name, nodes).every(({ state }) => state !== 'live')) {
    throw new StartError(`${name} drains: it takes no shards any more`);
  }
}
