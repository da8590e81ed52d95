// The compute pool's task: makes snapshots beside the threads that serve edits. Its thread has a lower
// priority than theirs.

import { move } from 'piscina';
import type { FoldStore } from '../storage/store.ts';
import { createFoldStore } from '../storage/store-postgres.ts';
import { type FoldRequest, fold } from './fold.ts';
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

/** One store per thread. Its connection serves task after task. */
let store: FoldStore | undefined;

yieldToOthers();

/** Runs `fold`. Returns the state of a yjs document (moved), the bytes of a snapshot of another kind, or how far a patch fits. */
export default async function run({ storage, request }: FoldTask): Promise<unknown> {
  store ??= createFoldStore(storage);
  store.refuseBelow(storage.lowestTimeline);
  const folded = await fold(store, request);
  if (folded?.fit !== undefined) return folded.fit;
  return folded?.state === undefined ? folded?.bytes : move(folded.state);
}
