// Snapshots in a simulation: what actors/fold-worker.ts does, over the memory store.
import { type AnyKind, fromStored, loadState, storedSnapshot } from '../../actors/document/entry.ts';
import type { FoldRequest } from '../../actors/host.ts';
import type { FoldStore } from '../../actors/storage/store.ts';
import { kindOf } from '../../kinds/registry.ts';
import { collectGarbage } from '../../kinds/yjs/yjs.ts';

export async function fold(store: FoldStore, request: FoldRequest): Promise<number | undefined> {
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
