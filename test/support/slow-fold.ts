// A thread that folds snapshots, in which a fold that collects garbage never ends, as Yjs's takes hours for some documents.
// It rests meanwhile, so that other threads have the processor.
import run, { type FoldTask } from '../../actors/compute/fold-worker.ts';

const REST_MS = 50;

export default async function foldOrHang(task: FoldTask): Promise<unknown> {
  const rest = new Int32Array(new SharedArrayBuffer(4));
  while (!task.request.keepGarbage) Atomics.wait(rest, 0, 0, REST_MS);
  return await run(task);
}
