// The task of the threads that read documents' pasts. Their priority is lower than that of the threads that serve
// edits.
import { move } from 'piscina';
import type { PastStore } from '../storage/past-store.ts';
import { createPastStore } from '../storage/past-store-postgres.ts';
import type { ReplicaOptions } from '../storage/store-postgres.ts';
import { doPastJob, type PastJob } from './past-job.ts';
import { yieldToOthers } from './thread-priority.ts';

export interface PastTask {
  readonly storage: {
    readonly url: string;
    readonly lowestTimeline: number;
    readonly connectTimeoutMs: number;
    readonly answerTimeoutMs: number;
    readonly replicas?: ReplicaOptions;
  };
  readonly job: PastJob;
}

/** Connections of one thread: a page is read while a snapshot is. */
const CONNECTIONS = 1;

/** One store per thread. Its connection serves task after task. */
let store: PastStore | undefined;

yieldToOthers();

/** Runs `doPastJob`. The bytes of a success come alone, because only a whole answer can be transferred. */
export default async function run({ storage, job }: PastTask): Promise<unknown> {
  store ??= createPastStore(storage, CONNECTIONS);
  store.refuseBelow(storage.lowestTimeline);
  const outcome = await doPastJob(store, job);
  return outcome.ok ? move(outcome.bytes) : outcome;
}
