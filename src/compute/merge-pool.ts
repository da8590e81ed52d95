// The merge pool: a thread that merges the updates of large yjs documents for clients that open them. It is
// separate from the compute pool, so that an open does not wait for the snapshot of another document. The
// thread starts on demand, and ends after an idle time.
import { Piscina } from 'piscina';
import type { Merge } from '../../actors/host/side-jobs.ts';

export interface MergePool {
  /** `updates`: oldest first; their buffers are transferred. Rejects if the merge fails or takes too long. */
  readonly merge: Merge;
  /** Gives up the merges under way. */
  stop(): Promise<void>;
}

const IDLE_MS = 60_000;

/**
 * `timeoutMs`: the longest time of one merge, including the wait for the thread. `onEnded`: called when a
 * thread could not start, or ended between two tasks.
 */
export function startMergePool(timeoutMs: number, onEnded: (error: unknown) => void): MergePool {
  const pool = new Piscina<readonly Uint8Array[], Uint8Array<ArrayBuffer>>({
    filename: new URL('../../actors/compute/merge-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
  });
  pool.on('error', onEnded);
  return {
    merge: (updates) =>
      pool.run(updates, {
        transferList: updates.map(({ buffer }) => buffer),
        signal: AbortSignal.timeout(timeoutMs),
      }),
    stop: () => pool.destroy(),
  };
}
