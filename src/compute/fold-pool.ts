// The compute pool: threads that fold snapshots, apart from the threads that serve edits. Threads start on
// demand, and end after an idle time.
//
// A fold has a time limit. The time that Yjs takes to build a document can grow with the square of its size,
// so without the limit one document could hold a thread for hours, and no other document would get a snapshot
// meanwhile. A fold that takes longer is stopped together with its thread, and repeated once without garbage
// collection: such a fold builds no document.
import { Piscina } from 'piscina';
import type { Folded } from '../../actors/compute/fold.ts';
import type { FoldTask } from '../../actors/compute/fold-worker.ts';
import type { Fit } from '../../kinds/kind.ts';
import { withoutLateAnswers } from './ended-threads.ts';

export interface FoldPoolOptions {
  readonly threads: number;
  /** Longest time of one fold, ms. */
  readonly timeoutMs: number;
  /**
   * Called when a thread could not start, or ended between two tasks. The pool starts another for the next
   * task.
   */
  readonly onEnded: (error: unknown) => void;
  /** The module of the threads. Tests run a module whose folds take too long. */
  readonly foldModule?: URL | undefined;
}

export interface FoldPool {
  /**
   * Resolves with the snapshot, or with the judgement of a patch; undefined if no snapshot was needed. Rejects if the fold fails, takes
   * too long, or too many folds wait.
   */
  fold(task: FoldTask): Promise<Folded | undefined>;
  /** Gives up the folds under way. */
  stop(): Promise<void>;
}

const WAITING = 1000;
const IDLE_MS = 60_000;
/**
 * Documents whose garbage is not collected, because that took too long. The oldest entry is dropped first.
 */
const TOO_COSTLY = 10_000;

export function startFoldPool({ threads, timeoutMs, onEnded, foldModule }: FoldPoolOptions): FoldPool {
  const pool = new Piscina<FoldTask, Uint8Array<ArrayBuffer> | Fit | number | undefined>({
    filename: (foldModule ?? new URL('../../actors/compute/fold-worker.js', import.meta.url)).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
  });
  pool.on('error', withoutLateAnswers(onEnded));
  const tooCostly = new Set<number>();
  const waiting: (() => void)[] = [];
  let running = 0;

  /** The time limit starts when a thread is free. */
  const run = async (task: FoldTask): Promise<Folded | undefined> => {
    if (running >= threads) {
      if (waiting.length >= WAITING) throw new Error('too many folds wait');
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running++;
    try {
      const made = await pool.run(task, { signal: AbortSignal.timeout(timeoutMs) });
      if (made instanceof Uint8Array) return { bytes: made.length, state: made };
      if (typeof made === 'object') return { bytes: 0, fit: made };
      return made === undefined ? undefined : { bytes: made };
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };

  return {
    async fold(task) {
      const { doc, kind } = task.request;
      if (!tooCostly.has(doc)) {
        try {
          return await run(task);
        } catch (error) {
          if (!isAbort(error) || kind !== 'yjs') throw error;
          const [first] = tooCostly;
          if (tooCostly.size >= TOO_COSTLY && first !== undefined) tooCostly.delete(first);
          tooCostly.add(doc);
        }
      }
      return await run({ ...task, request: { ...task.request, keepGarbage: true } });
    },
    stop: () => pool.destroy(),
  };
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
