// The compute pool's task: makes snapshots, beside the threads that serve edits, and behind them where processors are
// short.
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';
import { type FoldRequest, fold } from './fold.ts';
import type { FoldStore } from './storage/store.ts';
import { createFoldStore } from './storage/store-postgres.ts';

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

/** Linux gives each thread a priority of its own; elsewhere, and where it is not allowed, this thread keeps its own. */
function yieldToOthers(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(
      Number(basename(readlinkSync('/proc/thread-self'))),
      constants.priority.PRIORITY_BELOW_NORMAL,
    );
  } catch {
    // Folding at the same priority is right, only less kind.
  }
}
