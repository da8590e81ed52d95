// The storage port: what the actors, a node's control plane and the compute pool ask of a store.
// Implementations stand beside it (store-postgres.ts, store-memory.ts) and share one contract suite.
import type { KindName } from '../../protocol/messages.ts';

/** One life of a document; on the wire its `history` in base 36. Random, 53 bits. */
export type DocumentId = number;
export type SessionId = number;
export type Epoch = number;

export interface DeltaRow {
  readonly doc: DocumentId;
  readonly version: number;
  readonly epoch: Epoch;
  readonly client: string;
  readonly seq: number;
  readonly user: string;
  /** The patch as the log keeps it. The store does not look inside. */
  readonly op: Uint8Array;
}
export interface StoredDelta {
  readonly version: number;
  readonly client: string;
  readonly seq: number;
  readonly op: Uint8Array;
  readonly epoch: Epoch;
}

export interface DocumentRow {
  readonly id: DocumentId;
  readonly kind: KindName;
  /** Deltas at or below this version have been folded away. */
  readonly folded: number;
}

/** Latest (seq, version) pairs kept per document and client. */
export const PAIRS = 64;

/** A document as loaded after its shard was claimed: newest snapshot, and every delta above it in order, without gap. */
export interface LoadedDocument {
  readonly id: DocumentId;
  readonly snapshotVersion: number;
  /** undefined at version 0. */
  readonly snapshot: Uint8Array | undefined;
  readonly deltas: readonly StoredDelta[];
}

/**
 * How an append ended. Nothing is in between: an unknown outcome is resolved inside the store
 * (its backend terminated, the identical rows sent again) before the promise settles.
 * - committed: every row is durable.
 * - refused: the rows of these documents are not durable and never will be as they are (a value the
 *   database refuses); all others are durable.
 * - gap: nothing is durable; a document's predecessor version is missing (the database lost commits).
 * - fenced: nothing is durable and nothing of this session will ever be again.
 */
export type AppendOutcome =
  | { readonly type: 'committed' }
  | { readonly type: 'refused'; readonly docs: readonly DocumentId[] }
  | { readonly type: 'gap' }
  | { readonly type: 'fenced' };

/** Identity of one incarnation of a worker thread (slot >= 0) or of a node's control plane (slot -1). */
export interface SessionIdentity {
  readonly run: string;
  readonly node: string;
  readonly slot: number;
}
export interface SessionRef {
  readonly id: SessionId;
  readonly nonce: string;
}

/** Control plane of a node: one per process. All calls reject with StoreUnavailable when the database is out of reach. */
export interface ControlStore {
  /** Applies missing migrations under a lock; returns their names. */
  migrate(): Promise<readonly string[]>;
  /** Names of migrations the database lacks. */
  pendingMigrations(): Promise<readonly string[]>;
  /** Opens the control session of this run (slot -1). */
  openSession(identity: SessionIdentity): Promise<SessionRef>;
  /** Sessions that are not fenced, of other runs than `run`. */
  foreignSessions(
    run: string,
  ): Promise<readonly { id: SessionId; run: string; node: string; slot: number }[]>;
  /**
   * Fences all sessions of a run, or one session: after it resolves true no row of theirs can land.
   * Terminates backends that hold their rows locked. false: `me` is not live any more.
   */
  fence(me: SessionRef, victim: { run: string } | { session: SessionId }): Promise<boolean>;
  /** State of a session as the database has it; undefined: no such session. */
  sessionState(id: SessionId): Promise<'live' | 'draining' | 'fenced' | undefined>;
  /** Removes a document's deltas at or below `version`, never within a snapshot's reach or the head; for retention. Rows removed. */
  compact(options: { olderThanMs: number; keepOps: number; limit: number }): Promise<number>;
  close(): Promise<void>;
}

/** What one worker thread may do; holds exactly one write connection and a small read pool. */
export interface WorkerStore {
  /** Opens this incarnation's session. The write connection's application_name is `troupe:<session id>`. */
  open(identity: SessionIdentity): Promise<SessionRef>;
  /** Claims shards that are unowned or whose owner is fenced; returns id -> epoch of those won. */
  claim(shards: readonly number[]): Promise<ReadonlyMap<number, Epoch>>;
  /**
   * Appends rows in order, all or nothing (but see `refused`). One call at a time. Versions of a document
   * follow its last appended ones. `heads`: for documents appended for the first time since the last
   * (re)connection, the version before their first row here: the store proves that it exists.
   * While the database is out of reach the promise stays open; `abort` gives it up as `fenced`.
   */
  append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome>;
  /** Rises with every (re)connection of the write connection: when it has changed, heads must be proved again. */
  readonly connectionEpoch: number;
  find(org: string, name: string): Promise<DocumentRow | undefined>;
  /** Creates it, or returns the one there is. `created` tells which. undefined: this session is fenced. */
  create(
    org: string,
    name: string,
    shard: number,
    kind: KindName,
  ): Promise<{ row: DocumentRow; created: boolean } | undefined>;
  load(ids: readonly DocumentId[]): Promise<readonly LoadedDocument[]>;
  /** Deltas in (after, upTo], in order, as many from the start as fit in maxBytes (at least one). Empty where folded away. */
  history(doc: DocumentId, after: number, upTo: number, maxBytes: number): Promise<readonly StoredDelta[]>;
  /** The client's highest committed seq and its latest (seq, version) pairs up to `upTo`, newest first; undefined: it never committed, or is no longer known (`forgotten`). */
  clientSeqs(
    doc: DocumentId,
    client: string,
    upTo: number,
  ): Promise<{ lastSeq: number; pairs: readonly (readonly [seq: number, version: number])[] } | undefined>;
  /** Clients with remembered seqs in the newest snapshot's table, at most `limit`; undefined where there are more. */
  clients(doc: DocumentId, limit: number): Promise<readonly string[] | undefined>;
  /** The version as which (client, seq) committed, looked up in the kept log; undefined: it did not. O(kept log). */
  seqVersion(doc: DocumentId, client: string, seq: number): Promise<number | undefined>;
  /** Ends the session: its state becomes fenced by itself once nothing is in flight. */
  close(): Promise<void>;
  /** Gives up at once. */
  abort(): void;
}

/** Compute pool: folding. */
export interface FoldStore {
  /** Newest snapshot at or below `upTo`, and the deltas above it up to `upTo`. */
  read(doc: DocumentId, upTo: number): Promise<LoadedDocument>;
  /** Writes the snapshot and the clients' seqs since `previous`, if the session is not fenced and the log has (doc, version, epoch). */
  writeSnapshot(
    session: SessionRef,
    doc: DocumentId,
    version: number,
    epoch: Epoch,
    previous: number,
    state: Uint8Array,
  ): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * The database is out of reach, refuses, or does not answer. Whether the call took effect is unknown;
 * every call that rejects so may be made again.
 */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

/** The log lacks a version that must be there: it was folded away, or the database lost it. */
export class LogGap extends Error {
  override name = 'LogGap';
  readonly doc: DocumentId;
  readonly version: number;
  constructor(doc: DocumentId, version: number) {
    super(`document ${doc} lacks version ${version}`);
    this.doc = doc;
    this.version = version;
  }
}
