// Requests of a worker for work on other threads, passed on by the main thread: folds of snapshots, and jobs on
// large ones. Every request is answered, also when the work fails.
import type { MessagePort } from 'node:worker_threads';
import type { Folded, FoldRequest } from '../../actors/compute/fold.ts';
import type { RunSnapshotJob } from '../../actors/compute/snapshot-job.ts';
import type { FromWorker, ToWorker } from '../../actors/worker.ts';

export interface ComputeRequestsOptions {
  readonly fold: (request: FoldRequest) => Promise<Folded | undefined>;
  readonly snapshotJob: RunSnapshotJob;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

type Request<Type extends FromWorker['type']> = Extract<FromWorker, { type: Type }>;

export async function answerFold(
  { fold, log }: ComputeRequestsOptions,
  port: MessagePort,
  { token, request }: Request<'fold'>,
): Promise<void> {
  let folded: Folded | undefined;
  try {
    folded = await fold(request);
  } catch (error) {
    const { doc, version } = request;
    log('warn', 'a snapshot was not made', { doc, version, error: String(error) });
  }
  const { state } = folded ?? {};
  const message = { type: 'folded', token, folded } satisfies ToWorker;
  port.postMessage(message, state === undefined ? [] : [state.buffer]);
}

export async function answerSnapshotJob(
  { snapshotJob, log }: ComputeRequestsOptions,
  port: MessagePort,
  { token, job }: Request<'snapshotJob'>,
): Promise<void> {
  try {
    const bytes = await snapshotJob(job);
    port.postMessage({ type: 'snapshotJobDone', token, bytes } satisfies ToWorker, [bytes.buffer]);
  } catch (error) {
    log('warn', 'a snapshot was not prepared', { job: job.type, error: String(error) });
    port.postMessage({ type: 'snapshotJobDone', token, bytes: undefined } satisfies ToWorker);
  }
}
