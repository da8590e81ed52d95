// Folds a document's log into its next snapshot, or to a version at which a patch is judged. It reads and writes committed rows only, through its
// store. So it needs nothing of the actor's memory and runs beside the threads that serve edits.
import assert from 'node:assert/strict';
import type { Fit } from '../../kinds/kind.ts';
import { kindOf } from '../../kinds/registry.ts';
import { withoutGarbage } from '../../kinds/yjs/yjs.ts';
import type { KindName } from '../../protocol/messages.ts';
import { type AnyKind, atOnce, fromStored, stateOf, storedSnapshot } from '../document/entry.ts';
import { clientPairs } from '../storage/client-pairs.ts';
import type { DocumentId, FoldStore, SessionRef, StoredDelta } from '../storage/store.ts';

export interface FoldRequest {
  readonly session: SessionRef;
  readonly doc: DocumentId;
  readonly kind: KindName;
  /** The version of the snapshot. It is durable. */
  readonly version: number;
  /** True to keep the garbage of a yjs document. */
  readonly keepGarbage?: boolean;
  /** A patch as JSON text. It is judged on the document at this version, and no snapshot is written. */
  readonly op?: Uint8Array;
}

/** A snapshot that the store has now. */
export interface Folded {
  readonly bytes: number;
  /** The snapshot itself, of a yjs document: the owner may take it in place of its own form, which has the garbage. */
  readonly state?: Uint8Array<ArrayBuffer>;
  /** Of a patch that was judged. */
  readonly fit?: Fit;
}

/**
 * Returns the snapshot that the store has now. Undefined if the session is fenced, if there was nothing to fold, or if
 * the log does not reach the version.
 */
export async function fold(store: FoldStore, request: FoldRequest): Promise<Folded | undefined> {
  const { session, doc, version } = request;
  const { snapshot, snapshotVersion, deltas } = await store.read(doc, version);
  const last = deltas.at(-1);
  if ((last?.version ?? snapshotVersion) !== version) return undefined;
  const kind: AnyKind = kindOf(request.kind);
  if (request.op !== undefined) {
    const op = fromStored(kind, request.op);
    const fit = kind.looksBack?.fit(stateAt(kind, snapshot, snapshotVersion, deltas), op);
    return fit && { bytes: 0, fit };
  }
  if (last === undefined) return snapshot && { bytes: snapshot.length };
  const state = stateAt(kind, snapshot, snapshotVersion, deltas);
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

function stateAt(
  kind: AnyKind,
  snapshot: Uint8Array | undefined,
  snapshotVersion: number,
  deltas: readonly StoredDelta[],
): unknown {
  const state = atOnce(stateOf(kind, snapshot));
  let at = snapshotVersion;
  for (const { version, op } of deltas) {
    assert(version === at + 1, `version ${version} follows ${at} in the log that is folded`);
    at = version;
    const applied = kind.apply(state, fromStored(kind, op));
    if (!applied.ok) throw new Error(`version ${version} does not apply: ${applied.message}`);
  }
  return state;
}
