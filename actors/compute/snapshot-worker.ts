// The snapshot pool's task: work on large snapshots, beside the threads that serve edits. Its thread has a
// lower priority than theirs.
import { move } from 'piscina';
import { doSnapshotJob, type SnapshotJob } from './snapshot-job.ts';
import { yieldToOthers } from './thread-priority.ts';

yieldToOthers();

/** Runs `doSnapshotJob`. */
export default function run(job: SnapshotJob): unknown {
  return move(new Uint8Array(doSnapshotJob(job)));
}
