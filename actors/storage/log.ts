// Checks and helpers for a log that was read, shared by both stores: versions follow each other without a
// gap.
import { type DeltaRow, type DocumentId, type LoadedDocument, LogGap, type StoredDelta } from './store.ts';

/** Throws LogGap unless `deltas` are snapshotVersion + 1, + 2 … (up to `upTo`, if given). */
export function checkComplete(loaded: LoadedDocument, upTo?: number): LoadedDocument {
  let version = loaded.snapshotVersion;
  for (const delta of loaded.deltas) {
    if (delta.version !== version + 1) throw new LogGap(loaded.id, version + 1);
    version = delta.version;
  }
  if (upTo !== undefined && version !== upTo) throw new LogGap(loaded.id, version + 1);
  return loaded;
}

/** Takes as many deltas from the start as fit in maxBytes of patches, at least one. */
export function withinBytes(deltas: readonly StoredDelta[], maxBytes: number): readonly StoredDelta[] {
  let bytes = 0;
  for (const [index, delta] of deltas.entries()) {
    bytes += delta.op.byteLength;
    if (bytes > maxBytes && index > 0) return deltas.slice(0, index);
  }
  return deltas;
}

/** A random document id: 53 bits, never 0. */
export function randomDocumentId(fill: (bytes: Uint8Array<ArrayBuffer>) => unknown): DocumentId {
  const bytes = new Uint8Array(7);
  fill(bytes);
  let id = (bytes[6] ?? 0) & 0x1f;
  for (let i = 5; i >= 0; i--) id = id * 256 + (bytes[i] ?? 0);
  return id === 0 ? randomDocumentId(fill) : id;
}

/** The version before the first row of each document. An append proves that it exists. */
export function headsOf(rows: readonly DeltaRow[]): ReadonlyMap<DocumentId, number> {
  const heads = new Map<DocumentId, number>();
  for (const row of rows) if (!heads.has(row.doc)) heads.set(row.doc, row.version - 1);
  return heads;
}
