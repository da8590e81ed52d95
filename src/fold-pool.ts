// The compute pool: threads that fold snapshots, beside those that serve edits. They start when there is something to
// fold, and end when there has been nothing for a while.
import { Piscina } from 'piscina';
import type { FoldTask } from '../actors/fold-worker.ts';

export interface FoldPool {
  /** Bytes of the snapshot; undefined where none was needed. Rejects where it fails or too many wait. */
  fold(task: FoldTask): Promise<number | undefined>;
  /** What is under way is given up. */
  stop(): Promise<void>;
}

const WAITING = 1000;
const IDLE_MS = 60_000;

/** `onEnded`: a thread could not start, or ended between two tasks. The pool starts another for the next. */
export function startFoldPool(threads: number, onEnded: (error: unknown) => void): FoldPool {
  const pool = new Piscina({
    filename: new URL('../actors/fold-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    maxQueue: WAITING,
    idleTimeout: IDLE_MS,
  });
  pool.on('error', onEnded);
  return {
    fold: (task) => pool.run(task),
    stop: () => pool.destroy(),
  };
}
