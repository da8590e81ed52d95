// The snapshot pool: a thread that prepares large snapshots for clients that open documents: it merges the
// updates of yjs documents, cuts what clients lack out of them, and writes json documents as MessagePack. It is
// separate from the compute pool, so that an open does not wait for the snapshot of another document in the
// store. The thread starts on demand, and ends after an idle time.
import { Piscina } from 'piscina';
import { buffersOf, type RunSnapshotJob, type SnapshotJob } from '../../actors/compute/snapshot-job.ts';
import { withoutLateAnswers } from './ended-threads.ts';

export interface SnapshotPool {
  /** The buffers of the job are transferred. */
  readonly run: RunSnapshotJob;
  /** Gives up the jobs under way. */
  stop(): Promise<void>;
}

const IDLE_MS = 60_000;

/**
 * `timeoutMs`: the longest time of one job, including the wait for the thread. `onEnded`: called when a
 * thread could not start, or ended between two jobs.
 */
export function startSnapshotPool(timeoutMs: number, onEnded: (error: unknown) => void): SnapshotPool {
  const pool = new Piscina<SnapshotJob, Uint8Array<ArrayBuffer>>({
    filename: new URL('../../actors/compute/snapshot-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
  });
  pool.on('error', withoutLateAnswers(onEnded));
  return {
    run: (job) => pool.run(job, { transferList: buffersOf(job), signal: AbortSignal.timeout(timeoutMs) }),
    stop: () => pool.destroy(),
  };
}
