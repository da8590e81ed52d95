// The pool for documents' pasts: threads that fold old versions, apart from the threads that serve edits and from
// those that write snapshots. Threads start on demand, and end after an idle time.
//
// A job has a time limit, which starts when a thread is free, and a limit of memory. A job that exceeds one of them
// is stopped together with its thread, and so is a job that its caller gives up.
import { Piscina } from 'piscina';
import type { PastOutcome } from '../../actors/compute/past-job.ts';
import type { PastTask } from '../../actors/compute/past-worker.ts';

export interface PastPoolOptions {
  readonly threads: number;
  /** Longest time of one job, ms. */
  readonly timeoutMs: number;
  /** Most jobs that wait for a thread. */
  readonly waiting: number;
  /** Called when a thread could not start, or ended between two jobs. */
  readonly onEnded: (error: unknown) => void;
}

export type PastPoolOutcome =
  | PastOutcome
  | { readonly ok: false; readonly code: 'overloaded' | 'too-large'; readonly message: string };

export interface PastPool {
  /** Rejects if the job fails, or if `signal` is aborted. */
  run(task: PastTask, signal: AbortSignal): Promise<PastPoolOutcome>;
  /** Gives up the jobs under way. They, and later ones, are `overloaded`. */
  stop(): Promise<void>;
}

const IDLE_MS = 60_000;
/** A document takes up to eight times its bytes in memory, and a job holds two of them at most. */
const HEAP_MB = 1_024;

export function startPastPool({ threads, timeoutMs, waiting, onEnded }: PastPoolOptions): PastPool {
  const pool = new Piscina<PastTask, Uint8Array<ArrayBuffer> | Exclude<PastOutcome, { ok: true }>>({
    filename: new URL('../../actors/compute/past-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  pool.on('error', onEnded);
  const queue: (() => void)[] = [];
  let running = 0;
  let isStopped = false;

  const turn = async (): Promise<void> => {
    if (running < threads) {
      running++;
      return;
    }
    await new Promise<void>((resolve) => queue.push(resolve));
  };
  const release = (): void => {
    const next = queue.shift();
    if (next === undefined) running--;
    else next();
  };

  return {
    async run(task, signal) {
      if (isStopped) return STOPPING;
      if (running >= threads && queue.length >= waiting)
        return { ok: false, code: 'overloaded', message: 'too many requests for old versions wait' };
      await turn();
      const late = AbortSignal.timeout(timeoutMs);
      try {
        signal.throwIfAborted();
        if (isStopped) return STOPPING;
        const made = await pool.run(task, { signal: AbortSignal.any([signal, late]) });
        return made instanceof Uint8Array ? { ok: true, bytes: made } : made;
      } catch (error) {
        signal.throwIfAborted();
        if (isStopped) return STOPPING;
        if (late.aborted) return tooLarge(`it takes more than ${timeoutMs} ms`);
        if (isOutOfMemory(error)) return tooLarge('it takes too much memory');
        throw error;
      } finally {
        release();
      }
    },
    stop: async () => {
      isStopped = true;
      await pool.destroy();
    },
  };
}

const STOPPING: PastPoolOutcome = { ok: false, code: 'overloaded', message: 'the node is stopping' };

const tooLarge = (message: string): PastPoolOutcome => ({ ok: false, code: 'too-large', message });

const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
