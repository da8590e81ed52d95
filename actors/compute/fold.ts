// Folds a document's log into its next snapshot. It reads and writes committed rows only, through its
// store. So it needs nothing of the actor's memory and runs beside the threads that serve edits.
import assert from 'node:assert/strict';
import { kindOf } from '../../kinds/registry.ts';
import { withoutGarbage } from '../../kinds/yjs/yjs.ts';
import type { KindName } from '../../protocol/messages.ts';
import { type AnyKind, atOnce, fromStored, stateOf, storedSnapshot } from '../document/entry.ts';
import { clientPairs } from '../storage/client-pairs.ts';
import type { DocumentId, FoldStore, SessionRef } from '../storage/store.ts';

export interface FoldRequest {
  readonly session: SessionRef;
  readonly doc: DocumentId;
  readonly kind: KindName;
  /** The version of the snapshot. It is durable. */
  readonly version: number;
  /** True to keep the garbage of a yjs document. */
  readonly keepGarbage?: boolean;
}

/** A snapshot that the store has now. */
export interface Folded {
  readonly bytes: number;
  /** The snapshot itself, of a yjs document: the owner may take it in place of its own form, which has the garbage. */
  readonly state?: Uint8Array<ArrayBuffer>;
}

/** Returns the snapshot that the store has now. Undefined if the session is fenced, or if there was nothing to fold. */
export async function fold(store: FoldStore, request: FoldRequest): Promise<Folded | undefined> {
  const { session, doc, version } = request;
  const { snapshot, snapshotVersion, deltas } = await store.read(doc, version);
  const last = deltas.at(-1);
  if (last === undefined)
    return snapshotVersion === version && snapshot !== undefined ? { bytes: snapshot.length } : undefined;
  if (last.version !== version) return undefined;
  const kind: AnyKind = kindOf(request.kind);
  const state = atOnce(stateOf(kind, snapshot));
  let at = snapshotVersion;
  for (const delta of deltas) {
    assert(delta.version === at + 1, `version ${delta.version} follows ${at} in the log that is folded`);
    at = delta.version;
    const applied = kind.apply(state, fromStored(kind, delta.op));
    if (!applied.ok) throw new Error(`version ${delta.version} does not apply: ${applied.message}`);
  }
  const folded = storedSnapshot(kind, state);
  const bytes = request.kind === 'yjs' && !request.keepGarbage ? withoutGarbage(folded) : folded;
  const written = await store.writeSnapshot(session, {
    doc,
    version,
    epoch: last.epoch,
    previous: snapshotVersion,
    logged: deltas.reduce((bytes, { op }) => bytes + op.byteLength, 0),
    state: bytes,
    clients: clientPairs(deltas),
  });
  if (!written) return undefined;
  return request.kind === 'yjs'
    ? { bytes: bytes.length, state: new Uint8Array(bytes) }
    : { bytes: bytes.length };
}
