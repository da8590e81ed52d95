// A worker thread that serves nothing, and ends at its first message as a worker does that finds its session
// fenced.
import { once } from 'node:events';
import { threadId } from 'node:worker_threads';
import type { FromWorker, WorkerEnd, WorkerTask } from '../../actors/worker.ts';

export default async function run({ control }: WorkerTask): Promise<WorkerEnd> {
  const asked = once(control, 'message');
  control.postMessage({ type: 'ready', session: 1, thread: threadId } satisfies FromWorker);
  await asked;
  return 'fenced';
}
