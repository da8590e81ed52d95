// A pool of threads for jobs that requests wait for, apart from the threads that serve edits. Threads start on demand, and
// end after an idle time.
//
// A job has a time limit, which starts when a thread is free, and a limit of memory. A job that exceeds one of them
// is stopped together with its thread, and so is a job that its caller gives up.
import { Piscina } from 'piscina';
import { withoutLateAnswers } from './ended-threads.ts';

export interface JobPoolOptions {
  /** The module of the threads. Its default export does a job, and returns its bytes (moved) or a failure. */
  readonly module: URL;
  readonly threads: number;
  /** Longest time of one job, ms. */
  readonly timeoutMs: number;
  /** Most jobs that wait for a thread. */
  readonly waiting: number;
  /** The message of a job that finds too many waiting. */
  readonly tooMany: string;
  /** Called when a thread could not start, or ended between two jobs. */
  readonly onEnded: (error: unknown) => void;
}

/** A job for a thread, and the buffers that go to it. */
export interface Job<Task> {
  readonly task: Task;
  readonly transfer?: readonly ArrayBuffer[];
}

export type JobOutcome<Failure = never> =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | Failure
  | { readonly ok: false; readonly code: 'overloaded' | 'too-large'; readonly message: string };

export interface JobPool<Task, Failure = never> {
  /** `jobOf` is called when a thread is free. Rejects if the job fails, or if `signal` is aborted. */
  run(jobOf: () => Job<Task>, signal: AbortSignal): Promise<JobOutcome<Failure>>;
  /** Gives up the jobs under way. They, and later ones, are `overloaded`. */
  stop(): Promise<void>;
}

const IDLE_MS = 60_000;
/** A document takes up to eight times its bytes in memory, and a job holds two of them at most. */
const HEAP_MB = 1_024;

export function startJobPool<Task, Failure = never>(options: JobPoolOptions): JobPool<Task, Failure> {
  const { module, threads, timeoutMs, waiting, tooMany, onEnded } = options;
  const pool = new Piscina<Task, Uint8Array<ArrayBuffer> | Failure>({
    filename: module.href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  pool.on('error', withoutLateAnswers(onEnded));
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
    async run(jobOf, signal) {
      if (isStopped) return STOPPING;
      if (running >= threads && queue.length >= waiting)
        return { ok: false, code: 'overloaded', message: tooMany };
      await turn();
      const late = AbortSignal.timeout(timeoutMs);
      try {
        signal.throwIfAborted();
        if (isStopped) return STOPPING;
        const { task, transfer = [] } = jobOf();
        const made = await pool.run(task, {
          signal: AbortSignal.any([signal, late]),
          transferList: [...transfer],
        });
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

type Refused = Exclude<JobOutcome, { ok: true }>;

const STOPPING: Refused = { ok: false, code: 'overloaded', message: 'the node is stopping' };

const tooLarge = (message: string): Refused => ({ ok: false, code: 'too-large', message });

const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
