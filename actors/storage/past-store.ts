// The port for a document's past: what can be asked of it without the document's actor. It reads committed rows
// only, so an answer never depends on a patch that is not durable.
//
// A version is immutable within one `history` of a document. After a failover that lost commits, or a restore of
// the database, the document has another `history`.
import type { KindName } from '../../protocol/messages.ts';
import type { Position } from './replicas.ts';
import type { DocumentId } from './store.ts';

/** A document, and what answers about it must show at least. */
export interface SeenDocument {
  readonly id: DocumentId;
  /** Undefined: only the primary shows it. */
  readonly seen?: Position | undefined;
}

/** Answers about it show all that the database showed when it was read. */
export interface PastDocument extends SeenDocument {
  readonly kind: KindName;
  /** As on the wire. */
  readonly history: string;
  /** The kept history begins above this version. The version itself can be read too. */
  readonly folded: number;
  /** The last durable version. */
  readonly head: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface PastPatch {
  readonly version: number;
  readonly client: string;
  readonly user: string;
  /** Milliseconds since 1970 at which the patch was written. */
  readonly at: number;
  /** The patch in the form of the log. */
  readonly op: Uint8Array;
}

/** A content in the form of a snapshot. `state` is undefined for a new document, at version 0. */
export interface PastSnapshot {
  readonly version: number;
  readonly state: Uint8Array | undefined;
}

export interface NamedVersion {
  readonly name: string;
  readonly version: number;
  /** The user who gave the name. */
  readonly user: string;
  /** Milliseconds since 1970 at which the name was given. */
  readonly at: number;
}

/** All calls reject with StoreUnavailable if the database is out of reach, and may be made again. */
export interface PastStore {
  /** As in the control store. */
  refuseBelow(timeline: number): void;
  /** Undefined if there is no such document, or if it is deleted. */
  document(org: string, name: string): Promise<PastDocument | undefined>;
  /** The same by its id. */
  documentOf(id: DocumentId): Promise<PastDocument | undefined>;
  /**
   * Patches in (after, upTo] in order, from the start: as many as fit in `maxBytes` of patches, at least one, and
   * at most `limit`. Fewer or none if `after` is below the kept history: the caller looks at the versions.
   */
  patches(
    document: SeenDocument,
    after: number,
    upTo: number,
    bounds: { readonly limit: number; readonly maxBytes: number },
  ): Promise<readonly PastPatch[]>;
  /** The last version that was written at or before this time. 0 if none of the kept history was. */
  versionAt(document: PastDocument, at: number): Promise<number>;
  /** The newest snapshot at or below `upTo`. Undefined if that version is below the kept history and has no name. */
  snapshot(document: SeenDocument, upTo: number): Promise<PastSnapshot | undefined>;
  /** Named versions in the order of their names, above `after`. */
  names(document: SeenDocument, after: string, limit: number): Promise<readonly NamedVersion[]>;
  name(document: SeenDocument, name: string): Promise<NamedVersion | undefined>;
  /**
   * Names a version, or moves the name to it. 'full': the document has `most` names already. 'gone': the document
   * is no longer there.
   */
  putName(
    doc: DocumentId,
    named: Pick<NamedVersion, 'name' | 'version' | 'user'>,
    state: Uint8Array,
    most: number,
  ): Promise<{ readonly named: NamedVersion; readonly created: boolean } | 'full' | 'gone'>;
  /** False if there was none. */
  removeName(doc: DocumentId, name: string): Promise<boolean>;
  /** The authors that were kept for this history, at or below `upTo`. */
  authors(
    document: SeenDocument,
    history: string,
    upTo: number,
  ): Promise<{ readonly version: number; readonly state: Uint8Array } | undefined>;
  /** The version of the authors that are kept for this history. 0 if there are none. */
  authorsVersion(doc: DocumentId, history: string): Promise<number>;
  /** Keeps the authors for later answers, unless later ones of the same history are kept. */
  keepAuthors(doc: DocumentId, history: string, version: number, state: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
