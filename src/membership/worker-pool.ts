// The pool of workers of a node, alone or in a cluster: the options that both take from the node. It starts nothing.
import { Workers, type WorkersOptions } from '../../cluster/workers/workers.ts';
import type { OwnershipOptions } from './ownership.ts';

/** The parts in which a node alone differs from a node in a cluster. */
export type PoolOfRun = Pick<WorkersOptions, 'run' | 'node' | 'controlSession' | 'liveness' | 'slotListener'>;

export type PoolOfNode = Pick<
  OwnershipOptions,
  | 'config'
  | 'storage'
  | 'limits'
  | 'counts'
  | 'control'
  | 'gateway'
  | 'fold'
  | 'snapshotJob'
  | 'log'
  | 'onWrites'
  | 'workerModule'
>;

export function workerPool(node: PoolOfNode, run: PoolOfRun): Workers {
  const { config, storage, limits, counts, control, gateway, snapshotJob, log, onWrites, workerModule } =
    node;
  return new Workers({
    ...run,
    slots: config.workers,
    heapMb: config.worker.heapMb,
    stallMs: config.worker.stallMs,
    storage,
    limits,
    counts,
    control,
    messages: (link, messages) => gateway.messages(link, messages),
    fold: (request) => node.fold(run.run, request),
    snapshotJob,
    log,
    onWrites,
    ...(workerModule === undefined ? {} : { workerModule }),
  });
}
