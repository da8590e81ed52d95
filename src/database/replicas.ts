// The read replicas that the configuration names, and where reads were answered.
import { REPLICA_OUTCOMES, ReplicaCounts } from '../../actors/storage/replicas.ts';
import type { ReplicaOptions } from '../../actors/storage/store-postgres.ts';
import type { Config } from '../../config/schema.ts';
import type { Reading } from '../observability/node-metrics.ts';

export interface NodeReplicas {
  /** For the stores of all threads. */
  readonly options: ReplicaOptions;
  /** Reads by outcome. */
  reads(): Reading;
}

/** Undefined if there are none. */
export function replicasOf({ storage }: Pick<Config, 'storage'>): NodeReplicas | undefined {
  if (storage.replicas === null) return undefined;
  const counts = new ReplicaCounts();
  return {
    options: { url: storage.replicas, waitMs: storage.replicaWaitMs, counts: counts.memory },
    reads: () => REPLICA_OUTCOMES.map((outcome) => ({ labels: { outcome }, value: counts.of(outcome) })),
  };
}
