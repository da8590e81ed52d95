// The merge pool: a thread that merges the updates of large yjs documents for those who open them. It is beside the
// compute pool, so that somebody who opens a document does not wait until the snapshot of another one is folded. It
// starts when there is something to merge, and ends when there has been nothing for a while.
import { Piscina } from 'piscina';
import type { Merge } from '../actors/host.ts';

export interface MergePool {
  /** `updates`: oldest first; given away. Rejects where it fails or takes too long. */
  readonly merge: Merge;
  /** What is under way is given up. */
  stop(): Promise<void>;
}

const IDLE_MS = 60_000;

/** `timeoutMs`: longest time of one merge, waiting included. `onEnded`: a thread could not start, or ended between two tasks. */
export function startMergePool(timeoutMs: number, onEnded: (error: unknown) => void): MergePool {
  const pool = new Piscina<readonly Uint8Array[], Uint8Array<ArrayBuffer>>({
    filename: new URL('../actors/merge-worker.js', import.meta.url).href,
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
