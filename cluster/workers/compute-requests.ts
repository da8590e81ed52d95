// Requests of a worker for work on other threads, passed on by the main thread: folds of snapshots and merges of
// yjs updates. Every request is answered, also when the work fails.
import type { MessagePort } from 'node:worker_threads';
import type { FoldRequest } from '../../actors/compute/fold.ts';
import type { Merge } from '../../actors/host/side-jobs.ts';
import type { FromWorker, ToWorker } from '../../actors/worker.ts';

export interface ComputeRequestsOptions {
  readonly fold: (request: FoldRequest) => Promise<number | undefined>;
  readonly merge: Merge;
  readonly log: (level: 'warn', message: string, fields: object) => void;
}

type Request<Type extends FromWorker['type']> = Extract<FromWorker, { type: Type }>;

export async function answerFold(
  { fold, log }: ComputeRequestsOptions,
  port: MessagePort,
  { token, request }: Request<'fold'>,
): Promise<void> {
  let bytes: number | undefined;
  try {
    bytes = await fold(request);
  } catch (error) {
    const { doc, version } = request;
    log('warn', 'a snapshot was not made', { doc, version, error: String(error) });
  }
  port.postMessage({ type: 'folded', token, bytes } satisfies ToWorker);
}

export async function answerMerge(
  { merge, log }: ComputeRequestsOptions,
  port: MessagePort,
  { token, updates }: Request<'merge'>,
): Promise<void> {
  try {
    const merged = await merge(updates);
    port.postMessage({ type: 'merged', token, merged } satisfies ToWorker, [merged.buffer]);
  } catch (error) {
    log('warn', 'updates were not merged', { error: String(error) });
    port.postMessage({ type: 'merged', token, merged: undefined } satisfies ToWorker);
  }
}
