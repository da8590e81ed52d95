// The compute pool's task: folds a document's log into a snapshot, beside the threads that serve
// edits. It reads committed rows only, so it needs nothing of the actor's memory.
import { kindOf } from '../kinds/registry.ts';
import { collectGarbage } from '../kinds/yjs/yjs.ts';
import { type AnyKind, fromStored, loadState, storedSnapshot } from './document/entry.ts';
import type { FoldRequest } from './host.ts';
import type { FoldStore } from './storage/store.ts';
import { createFoldStore } from './storage/store-postgres.ts';

export interface FoldTask {
  readonly storage: {
    readonly url: string;
    readonly connectTimeoutMs: number;
    readonly answerTimeoutMs: number;
    readonly run: string;
  };
  readonly request: FoldRequest;
}

/** One per thread: its connection serves task after task. */
let store: FoldStore | undefined;

/** Bytes of the snapshot that the store now has; undefined: the session is fenced, or there was nothing to fold. */
export default async function fold({ storage, request }: FoldTask): Promise<number | undefined> {
  store ??= createFoldStore(storage);
  const loaded = await store.read(request.doc, request.version);
  const last = loaded.deltas.at(-1);
  if (last === undefined || last.version !== request.version) return undefined;
  const kind: AnyKind = kindOf(request.kind);
  const state = loadState(kind, loaded.snapshot);
  for (const delta of loaded.deltas) {
    const applied = kind.apply(state, fromStored(kind, delta.op).op);
    if (!applied.ok) throw new Error(`version ${delta.version} does not apply: ${applied.message}`);
  }
  const folded = storedSnapshot(kind, state);
  const bytes = request.kind === 'yjs' ? collectGarbage(folded) : folded;
  const { session, doc, version } = request;
  const written = await store.writeSnapshot(session, doc, version, last.epoch, loaded.snapshotVersion, bytes);
  return written ? bytes.length : undefined;
}
