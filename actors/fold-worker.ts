// The compute pool's task: makes snapshots, beside the threads that serve edits, and behind them where processors are
// short.
import { type FoldRequest, fold } from './fold.ts';
import type { FoldStore } from './storage/store.ts';
import { createFoldStore } from './storage/store-postgres.ts';
import { yieldToOthers } from './thread-priority.ts';

export interface FoldTask {
  readonly storage: {
    readonly url: string;
    readonly lowestTimeline: number;
    readonly connectTimeoutMs: number;
    readonly answerTimeoutMs: number;
    readonly run: string;
  };
  readonly request: FoldRequest;
}

/** One per thread: its connection serves task after task. */
let store: FoldStore | undefined;

yieldToOthers();

/** As `fold`. */
export default async function run({ storage, request }: FoldTask): Promise<number | undefined> {
  store ??= createFoldStore(storage);
  store.refuseBelow(storage.lowestTimeline);
  return await fold(store, request);
}
