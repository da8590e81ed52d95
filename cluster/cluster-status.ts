// The state of the cluster as an operator sees it at one node. It is a copy: nothing changes in it.
import type { SessionId } from '../actors/storage/store.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Lease } from './liveness/lease-store.ts';

export interface MemberStatus {
  readonly node: string;
  readonly run: string;
  readonly address: string;
  readonly state: Lease['state'];
  readonly connected: boolean;
  readonly shards: number;
}

export interface ClusterStatus {
  /** The state of this node. */
  readonly state: Lease['state'];
  /** This node comes first. */
  readonly members: readonly MemberStatus[];
  /** Shards without an owner that could still write. */
  readonly orphans: number;
  /** Shards of this node that are placed elsewhere, by the node on which they are placed. */
  readonly moving: ReadonlyMap<string, number>;
}

export function clusterStatus(
  { map, members, ownedShards }: ClusterView,
  { node, run, address, state }: Pick<Lease, 'node' | 'run' | 'address' | 'state'>,
  moving: ReadonlyMap<string, number>,
): ClusterStatus {
  const loads = map.loads();
  const shardsOf = (sessions: Iterable<SessionId>): number =>
    [...sessions].reduce((sum, session) => sum + (loads.get(session) ?? 0), 0);
  return {
    state,
    members: [
      { node, run, address, state, connected: true, shards: ownedShards },
      ...[...members.all()].map((member) => ({
        node: member.node,
        run: member.run,
        address: member.address,
        state: member.state,
        connected: member.peer !== undefined,
        shards: shardsOf(member.workers.values()),
      })),
    ],
    orphans: map.orphans,
    moving,
  };
}
