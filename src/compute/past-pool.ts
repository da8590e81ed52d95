// The pool for documents' pasts: threads that fold old versions, apart from those that write snapshots.
import type { PastOutcome } from '../../actors/compute/past-job.ts';
import type { PastTask } from '../../actors/compute/past-worker.ts';
import { type JobOutcome, type JobPoolOptions, startJobPool } from './job-pool.ts';

export type PastPoolOptions = Omit<JobPoolOptions, 'module' | 'tooMany'>;

type PastFailure = Exclude<PastOutcome, { ok: true }>;
export type PastPoolOutcome = JobOutcome<PastFailure>;

export interface PastPool {
  /** Rejects if the job fails, or if `signal` is aborted. */
  run(task: PastTask, signal: AbortSignal): Promise<PastPoolOutcome>;
  /** Gives up the jobs under way. They, and later ones, are `overloaded`. */
  stop(): Promise<void>;
}

export function startPastPool(options: PastPoolOptions): PastPool {
  const pool = startJobPool<PastTask, PastFailure>({
    ...options,
    module: new URL('../../actors/compute/past-worker.js', import.meta.url),
    tooMany: 'too many requests for old versions wait',
  });
  return { run: (task, signal) => pool.run(() => ({ task }), signal), stop: () => pool.stop() };
}
