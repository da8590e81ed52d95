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

/** Documents that are asked for in one statement at most: 200 take a third of the time of as many statements (measured). */
export const READ_TOGETHER = 200;

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
export type SessionState = 'live' | 'draining' | 'fenced';

/** A session as just opened. */
export interface OpenedSession extends SessionRef {
  /**
   * What tells the histories of this database from those it had before a point-in-time restore: part of
   * each document's `history` on the wire. Letters and digits; empty until `renewHistory` was first called.
   * It stays the same for the session's life: renewing fences all sessions.
   */
  readonly historyTag: string;
}

export interface SessionRow extends SessionIdentity {
  readonly id: SessionId;
  readonly state: 'live' | 'draining';
  /** host:port that peers dial; null: it is alone. */
  readonly address: string | null;
}

export interface ShardRow {
  readonly shard: number;
  readonly owner: SessionId | null;
  readonly epoch: Epoch;
  /** null: no owner. */
  readonly ownerState: SessionState | null;
}

/** An operator's word on where documents belong. The store does not look inside `match`. */
export interface PinRow {
  readonly match: string;
  readonly node: string;
  /** Of its workers; null: any. */
  readonly slot: number | null;
}

export type FenceVictim = { readonly run: string } | { readonly session: SessionId };

/** Without hard evidence at most one fence in the cluster within this time, by the database's clock. */
export const SOFT_FENCE_GAP_MS = 5_000;

/** Events that are longer, in bytes of UTF-8, become a gap for whoever listens: PostgreSQL's limit is 8,000. */
export const MAX_EVENT_BYTES = 7_900;

export interface EventListener {
  /** In the order in which one sender's `notify` resolved; an event may come twice. */
  onEvent(event: string): void;
  /** Events may have been missed: the connection was lost and is subscribed again, or an event was too long. */
  onGap(): void;
}

export interface ConnectionBudget {
  /** Connections that the server allows, those kept for superusers included. */
  readonly max: number;
  readonly reserved: number;
  /** Client connections now, of whatever database, ours included. */
  readonly used: number;
  /** Of all nodes, to this database; those of commands are not among them. */
  readonly ours: number;
}

export interface SweepOptions {
  /** null: everything is kept. */
  readonly retention: { readonly olderThanMs: number; readonly keepOps: number } | null;
  /** Deltas and clients that a slice removes at most. */
  readonly limit: number;
  /** After this long a slice looks at no more documents. */
  readonly sliceMs: number;
  /** From the end of a pass over all documents to the start of the next, by whatever node. */
  readonly everyMs: number;
}

/** A pass takes no more than one part in so many of all time: what comes after a long one waits longer. */
export const PASS_SHARE = 20;

/**
 * - more: the pass is not over. done: it is. `removed`: deltas and clients.
 * - idle: the next pass is not due.
 * - busy: another node is at a slice.
 * - fenced: nothing was done, and never will be by this session.
 */
export type SweepSlice =
  | { readonly type: 'more' | 'done'; readonly removed: number }
  | { readonly type: 'idle' | 'busy' | 'fenced' };

/** Control plane of a node: one per process. All calls reject with StoreUnavailable when the database is out of reach. */
export interface ControlStore {
  /** Applies missing migrations under a lock; returns their names. */
  migrate(): Promise<readonly string[]>;
  /** Names of migrations the database lacks. */
  pendingMigrations(): Promise<readonly string[]>;
  /** Opens the control session of this run (slot -1). `address`: host:port that peers dial. */
  openSession(identity: SessionIdentity & { readonly address?: string }): Promise<OpenedSession>;
  /** Sessions that are not fenced, of other runs than `run`. */
  foreignSessions(
    run: string,
  ): Promise<readonly { id: SessionId; run: string; node: string; slot: number }[]>;
  /** All sessions that are not fenced, by id. */
  sessions(): Promise<readonly SessionRow[]>;
  /** Runs whose workers are connected to this database: some that have been cut off are, some that are idle are not. */
  connectedRuns(): Promise<ReadonlySet<string>>;
  /** All shards, by id, as of one moment. */
  shardMap(): Promise<readonly ShardRow[]>;
  /** Shards without an owner, or with a fenced one: free to be claimed. By id. */
  orphans(): Promise<readonly number[]>;
  /** Tells all who listen on this database, this node too. Control plane only: notifying serialises commits. */
  notify(event: string): Promise<void>;
  /**
   * Resolves once subscribed: whatever is notified after it is told, or a gap is. Subscribes again by itself
   * for as long as it takes.
   */
  listen(listener: EventListener): Promise<{ close(): Promise<void> }>;
  /** The live sessions of `me`'s run become draining, and never live again. false: `me` is fenced. */
  setState(me: SessionRef, state: 'draining'): Promise<boolean>;
  /**
   * Fences all sessions of a run, or one session: after it resolves true no row of theirs can land.
   * Terminates backends that hold their rows locked. false: `me` is not live any more (a draining session
   * may fence those of its own run).
   */
  fence(me: SessionRef, victim: FenceVictim): Promise<boolean>;
  /**
   * Without hard evidence. 'too-soon': nothing was fenced, because a fence of another run's session, soft or
   * hard, by anyone, is younger than SOFT_FENCE_GAP_MS.
   */
  fence(me: SessionRef, victim: FenceVictim, how: { readonly soft: true }): Promise<boolean | 'too-soon'>;
  /** State of a session as the database has it; undefined: no such session. */
  sessionState(id: SessionId): Promise<SessionState | undefined>;
  /**
   * The server's timeline (0: it does not tell), and the highest that the database has recorded, this one
   * included. A server below it, or below what a peer has seen, has missed a failover. Asked now and then it
   * records whether a standby has what is acknowledged: after a failover without that, the histories of all
   * documents are renewed (`renewHistory`) before anybody writes.
   */
  timeline(): Promise<{ readonly timeline: number; readonly highest: number }>;
  /** From now on servers of a lower timeline are not used. They count as out of reach. */
  refuseBelow(timeline: number): void;
  /**
   * After a point-in-time restore, while no node runs: every session is fenced, no shard has an owner, epochs
   * and session ids go on above any that the lost future may have used, clients' histories match no more.
   * Returns the new tag.
   */
  renewHistory(): Promise<string>;
  connectionBudget(): Promise<ConnectionBudget>;
  /** Those that operators have set, in the order in which they were set last. */
  pins(): Promise<readonly PinRow[]>;
  /** Over an earlier one of the same `match`. Who should know at once is to be notified. */
  setPin(pin: PinRow): Promise<void>;
  /** false: there was none. */
  removePin(match: string): Promise<boolean>;
  /** The shards in which each of these organisations has documents, ascending; left out where it has none. */
  orgShards(orgs: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>>;
  /**
   * One slice of the sweep over all documents; asked for again until it is not `more`. First it counts the places of
   * snapshots that were written without, and removes those that are superfluous (thinning.ts). Then, with
   * retention: a document's kept history begins at its newest snapshot that is older than `olderThanMs` and
   * `keepOps` behind the head; the deltas up to it go, never the head, and then the clients of whom nothing
   * else is in the log.
   */
  sweep(options: SweepOptions): Promise<SweepSlice>;
  close(): Promise<void>;
}

/** What one worker thread may do; holds exactly one write connection and a small read pool. */
export interface WorkerStore {
  /** Opens this incarnation's session. The write connection's application_name is `troupe:<oid of the database>:<session id>`. */
  open(identity: SessionIdentity): Promise<OpenedSession>;
  /** Claims shards that are unowned or whose owner is fenced; returns id -> epoch of those won. */
  claim(shards: readonly number[]): Promise<ReadonlyMap<number, Epoch>>;
  /**
   * Gives shards of this session to a live one, under the next epoch: id -> epoch of those moved; empty where
   * `to` is not live, or this session is fenced. It runs on the write connection, behind the append under
   * way when it is called; appends called after it wait for it. The caller appends nothing more to these
   * shards' documents. As with append, an unknown outcome is resolved first; `abort` gives it up as empty.
   */
  handOff(shards: readonly number[], to: SessionId): Promise<ReadonlyMap<number, Epoch>>;
  /**
   * Whether this session is not fenced, at a moment after the call: until then nobody else has owned what it has
   * owned since before, but for what it handed over itself. By a server of a timeline that is believed, as all reads.
   */
  isLive(): Promise<boolean>;
  /** Which of these shards this session owns, with their epochs: after somebody has handed them to it. */
  adopt(shards: readonly number[]): Promise<ReadonlyMap<number, Epoch>>;
  /** As the control store's. */
  refuseBelow(timeline: number): void;
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
  /** At most READ_TOGETHER, in the order asked. Rejects where one of them cannot be read. */
  findAll(
    names: readonly (readonly [org: string, name: string])[],
  ): Promise<readonly (DocumentRow | undefined)[]>;
  /** Creates it, or returns the one there is. `created` tells which. undefined: this session is fenced. */
  create(
    org: string,
    name: string,
    shard: number,
    kind: KindName,
  ): Promise<{ row: DocumentRow; created: boolean } | undefined>;
  /**
   * Documents at their heads, in the order asked. As many from the start as fit in `maxBytes` of snapshots and
   * log, at least one, at most READ_TOGETHER. Rejects with LogGap where one of them has a gap.
   */
  load(ids: readonly DocumentId[], maxBytes?: number): Promise<readonly LoadedDocument[]>;
  /** Deltas in (after, upTo], in order, as many from the start as fit in maxBytes (at least one). Empty where folded away. */
  history(doc: DocumentId, after: number, upTo: number, maxBytes: number): Promise<readonly StoredDelta[]>;
  /** undefined: it has not committed up to `upTo`. */
  clientSeqs(doc: DocumentId, client: string, upTo: number): Promise<ClientSeqs | undefined>;
  /** Who is remembered up to the newest snapshot. */
  clients(doc: DocumentId, limit: number): Promise<KnownClients>;
  /** The same of each, in the order asked, of at most READ_TOGETHER. */
  clientsOfAll(docs: readonly DocumentId[], limit: number): Promise<readonly KnownClients[]>;
  /** As the fold store's, for this session. */
  writeSnapshot(snapshot: NewSnapshot): Promise<boolean>;
  /** What the client has in the newest stretch of the kept log at or below `upTo`: some SEQ_PAGE_BYTES of it. */
  seqPage(doc: DocumentId, client: string, upTo: number): Promise<SeqPage>;
  /** Ends the session: its state becomes fenced by itself once nothing is in flight. */
  close(): Promise<void>;
  /** Gives up at once. */
  abort(): void;
}

/** Log that is looked through for a client's seqs in one statement. */
export const SEQ_PAGE_BYTES = 1024 * 1024;

/** What a client has in the stretch of the kept log from `from` to the version that was asked for. */
export interface SeqPage {
  /** 1: the kept log has nothing below. */
  readonly from: number;
  /** Newest first. */
  readonly pairs: readonly (readonly [seq: number, version: number])[];
}

/** What is remembered of a client. */
export interface ClientSeqs {
  /** The highest committed; null: of this document clients have been forgotten, and this may be one of them. */
  readonly lastSeq: number | null;
  /** The latest, at most PAIRS, newest first. */
  readonly pairs: readonly (readonly [seq: number, version: number])[];
}

export interface KnownClients {
  /** In no order; undefined where they are more than `limit`. */
  readonly clients: readonly string[] | undefined;
  /** Clients of this document have been forgotten: who is not known may have committed. */
  readonly someForgotten: boolean;
}

/** What a client committed in a stretch of the log. */
export interface ClientPairs {
  readonly client: string;
  /** The highest. */
  readonly lastSeq: number;
  /** Its latest, at most PAIRS, newest first. */
  readonly pairs: readonly (readonly [seq: number, version: number])[];
}

export interface NewSnapshot {
  readonly doc: DocumentId;
  readonly version: number;
  /** Under which `version` was committed. */
  readonly epoch: Epoch;
  /** The newest snapshot that there is; 0: none. */
  readonly previous: number;
  /** Bytes of the patches in (previous, version]. */
  readonly logged: number;
  readonly state: Uint8Array;
  /** All who committed in (previous, version]. */
  readonly clients: readonly ClientPairs[];
}

/** Compute pool: folding. */
export interface FoldStore {
  /** As the control store's. */
  refuseBelow(timeline: number): void;
  /** Newest snapshot at or below `upTo`, and the deltas above it up to `upTo`. */
  read(doc: DocumentId, upTo: number): Promise<LoadedDocument>;
  /**
   * Writes the snapshot, and with it the clients' seqs, and removes older ones that it makes superfluous
   * (thinning.ts), but never the one at the version up to which the log is folded away. true: the store has this one, or a newer. false: the
   * session is fenced, the log has no such version of that epoch, or `previous` is not the newest snapshot.
   */
  writeSnapshot(session: SessionRef, snapshot: NewSnapshot): Promise<boolean>;
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
