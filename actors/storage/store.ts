// The storage port: all that the actors, a node's control plane and the compute pool ask of a store.
// store-postgres.ts implements it; the simulation has an implementation in memory, under the same contract suite. It
// has over 400 lines because the comments state the guarantees of every call.
import type { KindName } from '../../protocol/messages.ts';

/** One life of a document. On the wire it is the document's `history`, in base 36. 53 random bits. */
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
  /** The patch in the form of the log. The store does not look inside. */
  readonly op: Uint8Array;
}
export interface StoredDelta {
  readonly version: number;
  readonly client: string;
  readonly seq: number;
  readonly user: string;
  readonly op: Uint8Array;
  readonly epoch: Epoch;
}

export interface DocumentRow {
  readonly id: DocumentId;
  readonly kind: KindName;
  /** Deltas at or below this version have been folded away. */
  readonly folded: number;
  /** The mark with which it was created. '' if there was none. */
  readonly creation: string;
}

export interface Creation {
  readonly kind: KindName;
  /** The user who creates the document. */
  readonly user: string;
  /** Identifies this creation, so that it is known if its answer was lost. '' if that need not be. */
  readonly mark: string;
  /** Becomes durable together with the document, as version 1. */
  readonly first?: Pick<DeltaRow, 'client' | 'seq' | 'op'>;
}

/**
 * `none`: there is no such document to delete, or none to bring back. `exists`: the name is in use. `fenced`: nothing
 * was done.
 */
export type Existence =
  | { readonly type: 'changed'; readonly id: DocumentId }
  | { readonly type: 'none' }
  | { readonly type: 'exists' }
  | { readonly type: 'fenced' };

/** Most documents in one statement. Reading many together takes less time than a statement for each. */
export const READ_TOGETHER = 200;

/** Latest (seq, version) pairs kept per document and client. */
export const PAIRS = 64;

/**
 * A document as loaded after its shard was claimed: the newest snapshot, and every delta above it in order,
 * without a gap.
 */
export interface LoadedDocument {
  readonly id: DocumentId;
  readonly snapshotVersion: number;
  /** Undefined at version 0. */
  readonly snapshot: Uint8Array | undefined;
  readonly deltas: readonly StoredDelta[];
}

/**
 * The outcome of an append. There is nothing in between: the store resolves an unknown outcome (it
 * terminates the backend and sends the identical rows again) before the promise settles.
 * - committed: every row is durable.
 * - refused: the rows of these documents are not durable and never will be as they are, because the
 *   database refuses a value; all other rows are durable.
 * - gap: nothing is durable; a document's predecessor version is missing (the database lost commits).
 * - fenced: nothing is durable, and no row of this session will ever be again.
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
export type SessionState = 'live' | 'draining' | 'fenced';

/** A session that has just been opened. */
export interface OpenedSession extends SessionRef {
  /**
   * Tells the histories of this database from the ones it had before a point-in-time restore. It is part of
   * each document's `history` on the wire. Letters and digits; empty until `renewHistory` was first called.
   * It stays the same for the session's life, because renewing fences all sessions.
   */
  readonly historyTag: string;
}

export interface SessionRow extends SessionIdentity {
  readonly id: SessionId;
  readonly state: 'live' | 'draining';
  /** host:port that peers dial. Null if the node is alone. */
  readonly address: string | null;
}

export interface ShardRow {
  readonly shard: number;
  readonly owner: SessionId | null;
  readonly epoch: Epoch;
  /** Null if there is no owner. */
  readonly ownerState: SessionState | null;
}

/** An operator's decision where documents belong. The store does not look inside `match`. */
export interface PinRow {
  readonly match: string;
  readonly node: string;
  /** Slot of the node's worker. Null for any worker. */
  readonly slot: number | null;
}

export type FenceVictim = { readonly run: string } | { readonly session: SessionId };

/** Without hard evidence, the cluster fences at most once within this time, by the database's clock. */
export const SOFT_FENCE_GAP_MS = 5_000;

/**
 * Longest event in bytes of UTF-8. Listeners get a gap instead of a longer event: PostgreSQL's limit is
 * 8,000.
 */
export const MAX_EVENT_BYTES = 7_900;

export interface EventListener {
  /** Events come in the order in which one sender's `notify` resolved. An event may come twice. */
  onEvent(event: string): void;
  /**
   * Events may have been missed, because the connection was lost and is subscribed again, or because an
   * event was too long.
   */
  onGap(): void;
}

export interface ConnectionBudget {
  /** Connections that the server allows, including those kept for superusers. */
  readonly max: number;
  readonly reserved: number;
  /** Present client connections to all databases of the server, ours included. */
  readonly used: number;
  /** Connections of all nodes to this database, without those of commands. */
  readonly ours: number;
}

export interface SweepOptions {
  /** Null keeps everything. */
  readonly retention: { readonly olderThanMs: number; readonly keepOps: number } | null;
  /** Most deltas and clients that a slice removes. */
  readonly limit: number;
  /** After this time a slice looks at no more documents. */
  readonly sliceMs: number;
  /** Time from the end of a pass over all documents to the start of the next, on any node. */
  readonly everyMs: number;
}

/** A pass takes at most one part in this many of all time: a long pass is followed by a longer pause. */
export const PASS_SHARE = 20;

/**
 * - more: the pass is not over. done: the pass is over. `removed` counts deltas and clients.
 * - idle: the next pass is not due.
 * - busy: another node is at a slice.
 * - fenced: nothing was done, and nothing ever will be by this session.
 */
export type SweepSlice =
  | { readonly type: 'more' | 'done'; readonly removed: number }
  | { readonly type: 'idle' | 'busy' | 'fenced' };

/**
 * The control plane's store, one per process. All calls reject with StoreUnavailable if the database is out
 * of reach.
 */
export interface ControlStore {
  /** Applies missing migrations under a lock and returns their names. */
  migrate(): Promise<readonly string[]>;
  /** Names of the migrations that the database lacks. */
  pendingMigrations(): Promise<readonly string[]>;
  /**
   * Opens the control session of this run (slot -1). `address` is the host:port that peers dial. Rejects with RunFenced if an
   * earlier control session of the run, whose answer was lost, has been fenced.
   */
  openSession(identity: SessionIdentity & { readonly address?: string }): Promise<OpenedSession>;
  /** Sessions of other runs that are not fenced. */
  foreignSessions(
    run: string,
  ): Promise<readonly { id: SessionId; run: string; node: string; slot: number }[]>;
  /** All sessions that are not fenced, by id. */
  sessions(): Promise<readonly SessionRow[]>;
  /**
   * Runs whose workers are connected to this database. A run that has been cut off may be among them, and
   * an idle run may be missing.
   */
  connectedRuns(): Promise<ReadonlySet<string>>;
  /** All shards, by id, at one moment. */
  shardMap(): Promise<readonly ShardRow[]>;
  /** Shards that are free to be claimed, by id: they have no owner, or a fenced one. */
  orphans(): Promise<readonly number[]>;
  /**
   * Sends an event to all listeners on this database, this node too. For the control plane only, because
   * notifying serialises commits.
   */
  notify(event: string): Promise<void>;
  /**
   * Resolves once subscribed. Every later event reaches the listener, or a gap does. It subscribes again by
   * itself for as long as it takes.
   */
  listen(listener: EventListener): Promise<{ close(): Promise<void> }>;
  /**
   * Makes the live sessions of `me`'s run draining; they never become live again. False if `me` is fenced.
   */
  setState(me: SessionRef, state: 'draining'): Promise<boolean>;
  /**
   * Fences one session, or all sessions of a run: once it resolves to true, no row of theirs can land. It
   * terminates backends that hold their rows locked. False if `me` is no longer live (a draining session
   * may fence sessions of its own run).
   */
  fence(me: SessionRef, victim: FenceVictim): Promise<boolean>;
  /**
   * Fences without hard evidence. 'too-soon': nothing was fenced, because another fence of another run's
   * session, soft or hard, by any node, is younger than SOFT_FENCE_GAP_MS.
   */
  fence(me: SessionRef, victim: FenceVictim, how: { readonly soft: true }): Promise<boolean | 'too-soon'>;
  /** The state of a session in the database. Undefined if there is no such session. */
  sessionState(id: SessionId): Promise<SessionState | undefined>;
  /**
   * The server's timeline (0 if the server does not tell) and the highest that the database has recorded,
   * this one included. A server below that, or below the timeline that a peer has seen, has missed a
   * failover. Asked regularly, it records whether a standby has all acknowledged commits. After a failover
   * without that, the histories of all documents are renewed (`renewHistory`) before any session writes.
   */
  timeline(): Promise<{ readonly timeline: number; readonly highest: number }>;
  /** From now on servers of a lower timeline are not used. They count as out of reach. */
  refuseBelow(timeline: number): void;
  /**
   * For use after a point-in-time restore, while no node runs: fences every session and frees all shards.
   * Epochs and session ids go on above all that the lost future may have used, and clients' histories no
   * longer match. Returns the new tag.
   */
  renewHistory(): Promise<string>;
  connectionBudget(): Promise<ConnectionBudget>;
  /** Pins that operators have set, in the order in which they were last set. */
  pins(): Promise<readonly PinRow[]>;
  /** Sets a pin and replaces an earlier one of the same `match`. It notifies no node; the caller does. */
  setPin(pin: PinRow): Promise<void>;
  /** False if there was none. */
  removePin(match: string): Promise<boolean>;
  /**
   * The shards in which each of these organisations has documents, ascending. Organisations without
   * documents are left out.
   */
  orgShards(orgs: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>>;
  /**
   * Does one slice of the sweep over all documents. Call it again until the answer is not `more`. First it
   * counts the places of snapshots that were written without one, and removes the superfluous ones
   * (thinning.ts). Then, with retention, a document's kept history begins at its newest snapshot that is
   * older than `olderThanMs` and `keepOps` behind the head. The deltas up to it are removed, but never the
   * head, and then the clients that have nothing else in the log.
   */
  sweep(options: SweepOptions): Promise<SweepSlice>;
  close(): Promise<void>;
}

/** The store of one worker thread. It holds exactly one write connection and a small read pool. */
export interface WorkerStore {
  /**
   * Opens this incarnation's session. The write connection's application_name is `troupe:<oid of the
   * database>:<session id>`. Rejects with RunFenced if the run's control session has been fenced.
   */
  open(identity: SessionIdentity): Promise<OpenedSession>;
  /** Claims shards without an owner or with a fenced one. Returns the epochs of the claimed shards, by id. */
  claim(shards: readonly number[]): Promise<ReadonlyMap<number, Epoch>>;
  /**
   * Gives shards of this session to a live one, under the next epoch. Returns the epochs of the moved
   * shards, by id; empty if `to` is not live or this session is fenced. It runs on the write connection,
   * after an append that is under way; later appends wait for it. The caller appends nothing more to
   * documents of these shards. As with append, an unknown outcome is resolved first; `abort` gives the call
   * up as empty.
   */
  handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, Epoch>>;
  /**
   * True if this session was not fenced at a moment after the call. Until that moment no other session has
   * owned the shards of this one, except those that it handed over itself. As for all reads, a server of a
   * believed timeline answers.
   */
  isLive(): Promise<boolean>;
  /**
   * The shards among these that this session owns, with their epochs. For use after another session has
   * handed them over.
   */
  adopt(shards: readonly number[]): Promise<ReadonlyMap<number, Epoch>>;
  /** As in the control store. */
  refuseBelow(timeline: number): void;
  /**
   * Appends rows in order, all or nothing (except for `refused`). One call at a time. The versions of a
   * document follow its last appended ones. `heads` has the version before the first row here of each
   * document that is appended for the first time since the last (re)connection; the store proves that this
   * version exists. While the database is out of reach the promise stays open; `abort` gives it up as
   * `fenced`.
   */
  append(rows: readonly DeltaRow[], heads: ReadonlyMap<DocumentId, number>): Promise<AppendOutcome>;
  /**
   * Rises with every (re)connection of the write connection. When it has changed, heads must be proved
   * again.
   */
  readonly connectionEpoch: number;
  find(org: string, name: string): Promise<DocumentRow | undefined>;
  /**
   * At most READ_TOGETHER names. The rows come in the order of the names. Rejects if one of them cannot be
   * read.
   */
  findAll(
    names: readonly (readonly [org: string, name: string])[],
  ): Promise<readonly (DocumentRow | undefined)[]>;
  /**
   * Creates the document, or returns the existing one; `created` tells which. Undefined if this session is
   * fenced.
   */
  create(
    org: string,
    name: string,
    shard: number,
    creation: Creation,
  ): Promise<{ row: DocumentRow; created: boolean } | undefined>;
  /**
   * Deletes the document of this name, which keeps all its rows. The caller has nothing under way for it. If the
   * last document of this name was deleted with this mark, nothing is done, and the answer is the same. The event of
   * the deletion names the user.
   */
  remove(org: string, name: string, shard: number, mark: string, user?: string | null): Promise<Existence>;
  /**
   * Brings back the document of this name that was deleted last, if that is not longer ago than `trashMs`, and if its
   * rows are not being removed. A repetition with the same mark does nothing, as in `remove`.
   */
  bringBack(
    org: string,
    name: string,
    shard: number,
    mark: string,
    trashMs: number,
    user?: string | null,
  ): Promise<Existence>;
  /**
   * Loads documents at their heads, in the order of `ids`: as many from the start as fit in `maxBytes` of
   * snapshots and log, at least one, at most READ_TOGETHER. Rejects with LogGap if one of them has a gap.
   */
  load(ids: readonly DocumentId[], maxBytes?: number): Promise<readonly LoadedDocument[]>;
  /**
   * Deltas in (after, upTo], in order, as many from the start as fit in maxBytes (at least one). Empty if
   * they have been folded away.
   */
  history(doc: DocumentId, after: number, upTo: number, maxBytes: number): Promise<readonly StoredDelta[]>;
  /** Undefined if the client has not committed up to `upTo`. */
  clientSeqs(doc: DocumentId, client: string, upTo: number): Promise<ClientSeqs | undefined>;
  /** The clients that are remembered up to the newest snapshot. */
  clients(doc: DocumentId, limit: number): Promise<KnownClients>;
  /** The same for each document, in the order of `docs`, at most READ_TOGETHER. */
  clientsOfAll(docs: readonly DocumentId[], limit: number): Promise<readonly KnownClients[]>;
  /** As in the fold store, for this session. */
  writeSnapshot(snapshot: NewSnapshot): Promise<boolean>;
  /**
   * The client's pairs in the newest stretch of the kept log at or below `upTo`, about SEQ_PAGE_BYTES of
   * it.
   */
  seqPage(doc: DocumentId, client: string, upTo: number): Promise<SeqPage>;
  /** Ends the session: it fences itself once none of its calls is under way. */
  close(): Promise<void>;
  /** Gives all calls up at once. */
  abort(): void;
}

/** Bytes of log that one statement searches for a client's seqs. */
export const SEQ_PAGE_BYTES = 1024 * 1024;

/** A client's pairs in the stretch of the kept log from `from` to the version that was asked for. */
export interface SeqPage {
  /** 1 if the kept log has nothing below. */
  readonly from: number;
  /** Newest first. */
  readonly pairs: readonly (readonly [seq: number, version: number])[];
}

/** The remembered seqs of one client. */
export interface ClientSeqs {
  /**
   * The highest committed seq. Null if clients of this document have been forgotten, and this client may be
   * one of them.
   */
  readonly lastSeq: number | null;
  /** The latest pairs, at most PAIRS, newest first. */
  readonly pairs: readonly (readonly [seq: number, version: number])[];
  /** The user of the latest of them. '' if it is not known. */
  readonly user: string;
}

export interface KnownClients {
  /** In no order. Undefined if there are more than `limit`. */
  readonly clients: readonly string[] | undefined;
  /** Clients of this document have been forgotten, so an unknown client may have committed. */
  readonly someForgotten: boolean;
}

/** The pairs that a client committed in a stretch of the log. */
export interface ClientPairs {
  readonly client: string;
  /** The user of its latest patch in the stretch. */
  readonly user: string;
  /** The client's highest seq in the stretch. */
  readonly lastSeq: number;
  /** The latest pairs, at most PAIRS, newest first. */
  readonly pairs: readonly (readonly [seq: number, version: number])[];
}

export interface NewSnapshot {
  readonly doc: DocumentId;
  readonly version: number;
  /** The epoch under which `version` was committed. */
  readonly epoch: Epoch;
  /** Version of the newest snapshot in the store. 0 if there is none. */
  readonly previous: number;
  /** Bytes of the patches in (previous, version]. */
  readonly logged: number;
  readonly state: Uint8Array;
  /** All clients that committed in (previous, version]. */
  readonly clients: readonly ClientPairs[];
}

/** Names that begin with `from`, or this one name. */
export interface NameRange {
  readonly from: string;
  readonly isPrefix: boolean;
}

export interface ListOptions {
  /** Ranges that do not overlap, in their order. */
  readonly ranges: readonly NameRange[];
  /** The last document of the page before. */
  readonly after: { readonly name: string; readonly id: DocumentId } | undefined;
  readonly limit: number;
  /** Deleted documents that can be brought back, in place of the others. */
  readonly isDeleted: boolean;
}

export interface ListedDocument {
  readonly id: DocumentId;
  readonly name: string;
  readonly kind: KindName;
  readonly version: number;
  /** Bytes of the newest snapshot and of the patches since, as stored. */
  readonly bytes: number;
  readonly createdAt: Date;
  /** When the last patch was committed. */
  readonly updatedAt: Date;
  /** '' if it is not known. */
  readonly createdBy: string;
  readonly deletedAt: Date | null;
}

/** The store of a node's requests: for questions about documents that need no owner. */
export interface RequestStore {
  /** Documents of the organisation by name, and deleted ones by name and id. They may be a moment old. */
  list(org: string, options: ListOptions): Promise<readonly ListedDocument[]>;
  /**
   * Removes every row of all deleted documents of this name. Resolves to their number once nothing of them is left. A
   * call that fails half way has begun; it, or `eraseExpired`, goes on.
   */
  erase(org: string, name: string): Promise<number>;
  /** Does the same for documents that were deleted longer than `trashMs` ago, and goes on with those that were begun. */
  eraseExpired(trashMs: number, limit: number): Promise<number>;
  /** As in the control store. */
  refuseBelow(timeline: number): void;
  close(): Promise<void>;
}

/** The compute pool's store, for folding. */
export interface FoldStore {
  /** As in the control store. */
  refuseBelow(timeline: number): void;
  /** The newest snapshot at or below `upTo`, and the deltas above it up to `upTo`. */
  read(doc: DocumentId, upTo: number): Promise<LoadedDocument>;
  /**
   * Writes the snapshot with its clients' seqs, and removes older snapshots that it makes superfluous
   * (thinning.ts), but never the one at the version up to which the log is folded away. True if the store
   * has this snapshot or a newer one. False if the session is fenced, if the log has no such version of
   * that epoch, or if `previous` is not the newest snapshot.
   */
  writeSnapshot(session: SessionRef, snapshot: NewSnapshot): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * The database is out of reach, refuses, or does not answer. The call may or may not have taken effect.
 * Every call that rejects with this error may be made again.
 */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

/**
 * The run has been fenced, so it gets no more sessions. The other nodes have forgotten it, and would take its new sessions for
 * fenced ones. The node goes on under a new run.
 */
export class RunFenced extends Error {
  override name = 'RunFenced';
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
