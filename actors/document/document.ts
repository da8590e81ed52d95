// The order and the memory of one document: its versions, the window of recent patches, and the committed
// seqs of its clients. Pure and synchronous: it knows no sockets, no store and no clock. A committed patch
// is not durable until `durableTo` says so.
// Over 400 lines because order, clients' seqs and snapshots of one document change together.
import assert from 'node:assert/strict';
import type { Fit, KindFailure, KindLimits, Lack, TooOld } from '../../kinds/kind.ts';
import type { FinalSubmitCode } from '../../protocol/errors.ts';
import { CHECK_OP, type LinkOp, READ_ONLY, refusalOf, SYNC_OP } from '../link/link-messages.ts';
import type { ClientPairs, KnownClients, LoadedDocument, StoredDelta } from '../storage/store.ts';
import {
  type AnyKind,
  atOnce,
  type Entry,
  entryOf,
  fromLink,
  isLarge,
  kept,
  memoryOf,
  opOf,
  type Pieces,
  snapshotOf,
  stateOf,
  storedFromLink,
  storedOf,
} from './entry.ts';
import { RecentUndos } from './recent-undos.ts';
import { EncodedSnapshot } from './snapshots/encoded-snapshot.ts';
import { ClientMemory } from './submits/client-memory.ts';
import { historyOf } from './subscribers/frames.ts';

/**
 * Most absent clients whose seqs stay in memory. Beyond that number the clients that committed longest ago
 * are dropped.
 */
export const KEPT_CLIENTS = 1024;

/** Length from which a snapshot is kept during edits. The time to make a snapshot grows with the document. */
const RECENT_FROM = 64 * 1024;
/** Most bytes of patches since a kept snapshot, as a share of its length. They go out behind it. */
const RECENT_SHARE = 1 / 8;

/** Bytes of the latest patches that are searched for what a peer lacks. */
const SEARCHED_BYTES = 64 * 1024;

/** The outcome of a submit, before the gate. */
export type Submitted =
  /** `stored` is the patch in the form of the log. */
  | { readonly type: 'committed'; readonly entry: Entry; readonly stored: Uint8Array }
  /** This seq was committed before, as `version`. */
  | { readonly type: 'duplicate'; readonly version: number }
  /** The document has everything in the patch already, so the patch takes no version. */
  | { readonly type: 'held' }
  | { readonly type: 'rejected'; readonly code: FinalSubmitCode; readonly message: string }
  /** The patch is valid, but so much has been committed since its base that its author must rebase it. */
  | { readonly type: 'too-old'; readonly message: string }
  /** The patches in (after, upTo] are needed first and are not in memory. */
  | { readonly type: 'needs-history'; readonly after: number; readonly upTo: number }
  /** Only the document as it was at this version tells whether the patch was right there. `op` is its JSON text. */
  | { readonly type: 'needs-base'; readonly base: number; readonly op: Uint8Array }
  /** Only the log knows whether this seq was committed. */
  | { readonly type: 'needs-log' };

export interface Submission {
  readonly client: string;
  readonly user: string;
  readonly seq: number;
  /** -1 stands for the head. */
  readonly base: number;
  readonly op: LinkOp;
}

export interface RecentSnapshot {
  readonly version: number;
  /** JSON text, or bytes for yjs. */
  readonly snapshot: EncodedSnapshot;
}

export interface Unmerged {
  readonly updates: readonly Uint8Array[];
  /** Takes the merged bytes, which become the recent snapshot of the version that was the head at the call. */
  merged(bytes: Uint8Array): RecentSnapshot;
}

export class Document {
  readonly kind: AnyKind;
  readonly id: number;
  /**
   * Identifies this life of the document on the wire. It changes when the database was set back in time
   * (`OpenedSession.historyTag`).
   */
  readonly history: string;
  readonly #limits: KindLimits;
  /** A Yjs client cannot send its edits in smaller parts. The bytes that its gateway takes bound the work. */
  readonly #syncLimits: KindLimits;
  readonly #state: unknown;
  /**
   * Patches of the versions `first` to `head`, without a gap. All patches that are not durable are among
   * them.
   */
  #entries: Entry[] = [];
  /** Bytes of `entries` in the log, and in memory. */
  #entryBytes = 0;
  #entryMemory = 0;
  #first: number;
  readonly #undos: RecentUndos;
  head: number;
  durable: number;
  /** The epoch of the last patch that was replayed. Along versions epochs never fall. */
  #epoch = 0;
  readonly #clients = new Map<string, ClientMemory>();
  /** More clients than this are searched for clients to drop. */
  #clientsToLook = 2 * KEPT_CLIENTS;
  /** Some clients with patches up to this version have been dropped from memory. */
  #forgotBelow = 0;
  /**
   * Clients that the store knows and memory may lack. Undefined if they are too many to list; then any
   * client may be one.
   */
  #storedClients: ReadonlySet<string> | undefined;
  /**
   * The store has forgotten clients, so a client in neither `clients` nor `storedClients` may have
   * committed nevertheless.
   */
  readonly #someForgotten: boolean;
  /**
   * The last snapshot that was made. It is kept while nothing changes, and for a large document until much
   * has been committed since.
   */
  #cached: { version: number; snapshot: EncodedSnapshot; loggedSince: number } | undefined;

  /**
   * `loaded.deltas` may be left out and replayed one by one. `state` is the state that was already read
   * from the snapshot. Throws if the snapshot or the log does not fit the kind, or if they do not fit each
   * other.
   */
  constructor(
    kind: AnyKind,
    loaded: LoadedDocument,
    stored: KnownClients,
    limits: KindLimits,
    historyTag = '',
    state = atOnce(stateOf(kind, loaded.snapshot)),
  ) {
    this.kind = kind;
    this.history = historyOf(loaded.id, historyTag);
    this.#storedClients = stored.clients && new Set(stored.clients);
    this.#someForgotten = stored.someForgotten;
    this.id = loaded.id;
    this.#limits = limits;
    this.#syncLimits = { ...limits, workMs: Number.POSITIVE_INFINITY };
    this.#state = state;
    this.#first = loaded.snapshotVersion + 1;
    this.#undos = new RecentUndos(kind, this.#first);
    this.head = loaded.snapshotVersion;
    this.durable = this.head;
    for (const delta of loaded.deltas) this.replay(delta);
  }

  /**
   * Applies the next patch of the log while the document is being loaded. Throws for the reasons of the
   * constructor.
   */
  replay(delta: StoredDelta): void {
    const { kind } = this;
    if (delta.version !== this.head + 1) throw new Error(`version ${delta.version} follows ${this.head}`);
    if (delta.epoch < this.#epoch) throw new Error(`epoch ${delta.epoch} follows ${this.#epoch} in the log`);
    this.#epoch = delta.epoch;
    const entry = entryOf(delta);
    const op = opOf(kind, entry);
    const applied = kind.apply(this.#state, op);
    if (!applied.ok) throw new Error(`version ${delta.version} does not apply: ${applied.message}`);
    this.#push(kept(kind, { ...entry, op }), applied.value.undo);
    this.memory(delta.client).committed(delta.seq, delta.version, delta.user);
    this.durable = this.head;
  }

  /** Approximate bytes that this document holds in memory. */
  get bytes(): number {
    const cached = this.#cached?.snapshot.memory ?? 0;
    const recent = this.#entryMemory + this.#undos.bytes;
    return 2048 + this.kind.memory(this.#state) + cached + recent + 256 * this.#clients.size;
  }

  /** The oldest version whose patch is in memory. It is head + 1 if no patch is. */
  get windowStart(): number {
    return this.#first;
  }

  /** Bytes that the patches in memory have in the log. */
  get windowBytes(): number {
    return this.#entryBytes;
  }

  get snapshotBytes(): number {
    return this.kind.size(this.#state);
  }

  memory(client: string): ClientMemory {
    let memory = this.#clients.get(client);
    if (memory === undefined) {
      memory = new ClientMemory(this.#mayBeStored(client), this.#someForgotten);
      this.#clients.set(client, memory);
    }
    return memory;
  }

  /** True if the store must be asked for this client's seqs before it may submit. */
  needsRecall(client: string): boolean {
    return this.#clients.get(client)?.needsRecall ?? this.#mayBeStored(client);
  }

  /**
   * Highest seq of this client committed at or below `version`, 0 for none. Undefined if only the log knows
   * it, or if it has been forgotten.
   */
  lastSeqAt(client: string, version: number): number | undefined {
    const memory = this.#clients.get(client);
    if (memory === undefined) return this.#mayBeStored(client) || this.#someForgotten ? undefined : 0;
    return memory.lastSeqAt(version);
  }

  /**
   * True if it is known that this seq of the client has committed or is about to, or never will because it was rejected or
   * a higher one has committed.
   */
  isDecided(client: string, seq: number): boolean {
    return (this.#clients.get(client)?.answer(seq).type ?? 'new') !== 'new';
  }

  /** False if the client's remembered commits are another user's, as far as memory knows them. */
  mayUse(client: string, user: string): boolean {
    const known = this.#clients.get(client)?.user ?? '';
    return known === '' || known === user;
  }

  /**
   * Bounds the memory for absent clients: beyond KEPT_CLIENTS their seqs are dropped, and from then on the
   * store is asked for every client that memory lacks. Clients for which `isHere` is true are never
   * dropped, nor are clients with patches that are not durable.
   */
  forgetClients(isHere: (client: string) => boolean): void {
    if (this.#clients.size <= this.#clientsToLook) return;
    const away = [...this.#clients].filter(
      ([client, memory]) => !isHere(client) && memory.lastVersion <= this.durable,
    );
    away.sort(([, a], [, b]) => b.lastVersion - a.lastVersion);
    for (const [client] of away.slice(KEPT_CLIENTS)) this.#clients.delete(client);
    if (away.length > KEPT_CLIENTS) {
      this.#storedClients = undefined;
      this.#forgotBelow = this.head;
    }
    // A search costs as much as there are clients, so it runs once for this many new ones.
    this.#clientsToLook = this.#clients.size + KEPT_CLIENTS;
  }

  /** Clients whose seqs are in memory. */
  get rememberedClients(): number {
    return this.#clients.size;
  }

  #mayBeStored(client: string): boolean {
    return this.#storedClients === undefined || this.#storedClients.has(client);
  }

  /** The last snapshot of a large document, with its version. Undefined if much has been committed since. */
  recentSnapshot(): RecentSnapshot | undefined {
    return this.#cached;
  }

  /**
   * The whole document at its head: JSON text, or bytes for yjs. The result is cached while nothing
   * changes.
   */
  snapshot(): string | Uint8Array {
    return atOnce(this.snapshotPieces()).snapshot.value;
  }

  /**
   * Returns the updates to merge before a snapshot can be made, if merging takes milliseconds; otherwise
   * undefined.
   */
  unmerged(): Unmerged | undefined {
    const version = this.head;
    if (this.#cached?.version === version) return undefined;
    const found = this.kind.unmerged?.(this.#state);
    if (found === undefined) return undefined;
    return {
      updates: found.updates,
      merged: (bytes) => {
        found.adopt(bytes);
        return this.#cache(version, new EncodedSnapshot(bytes));
      },
    };
  }

  /**
   * Returns a function that takes a snapshot of `version`, made elsewhere from now on, in place of the document's own form, which
   * may have much that was deleted. Undefined if the kind has only one form. `version` is durable.
   */
  renewal(version: number): ((snapshot: Uint8Array) => void) | undefined {
    const { kind } = this;
    const mark = kind.mark?.(this.#state);
    if (mark === undefined) return undefined;
    const ahead = this.#entries.slice(version + 1 - this.#first).map((entry) => storedOf(kind, entry));
    return (snapshot) => {
      if (!mark.adopt([snapshot, ...ahead])) return;
      this.#cached = undefined;
      if (version + 1 < this.#first || snapshot.length < RECENT_FROM) return;
      const { loggedSince } = this.#cache(version, new EncodedSnapshot(snapshot));
      if (loggedSince > snapshot.length * RECENT_SHARE) this.#cached = undefined;
    };
  }

  #cache(version: number, snapshot: EncodedSnapshot): RecentSnapshot & { readonly loggedSince: number } {
    const since = this.#entries.slice(version + 1 - this.#first);
    const loggedSince = since.reduce((sum, { size }) => sum + size, 0);
    this.#cached = { version, snapshot, loggedSince };
    return this.#cached;
  }

  /**
   * Does the same as `snapshot`, in pieces. If a patch is committed between two pieces, it makes a new
   * snapshot at once.
   */
  *snapshotPieces(): Pieces<RecentSnapshot> {
    const version = this.head;
    if (this.#cached?.version !== version) {
      const pieces = snapshotOf(this.kind, this.#state);
      let next = pieces.next();
      while (next.done !== true) {
        yield;
        if (this.head !== version) return atOnce(this.snapshotPieces());
        next = pieces.next();
      }
      this.#cached = { version, snapshot: new EncodedSnapshot(next.value), loggedSince: 0 };
    }
    return this.#cached;
  }

  /**
   * The clients that committed above `version`, up to the head. Undefined if some clients have been dropped
   * from memory.
   */
  clientsAbove(version: number): readonly ClientPairs[] | undefined {
    if (version < this.#forgotBelow) return undefined;
    const found: ClientPairs[] = [];
    for (const [client, memory] of this.#clients) {
      const pairs = memory.pairsAbove(version);
      if (pairs[0] !== undefined) found.push({ client, user: memory.user, lastSeq: pairs[0][0], pairs });
    }
    return found;
  }

  /** The document's state vector at its head. Undefined if its kind has none. The caller must not change it. */
  stateVector(): Uint8Array | undefined {
    return this.kind.vectors?.of(this.#state);
  }

  /**
   * Tells the part of the head that a peer with this state vector lacks. Undefined if the kind has no state vectors, or if the bytes are
   * none.
   */
  lackOf(vector: Uint8Array): Lack | undefined {
    try {
      return this.kind.vectors?.lackOf(this.#state, vector, this.#recent());
    } catch {
      return undefined;
    }
  }

  /** The latest patches in memory, the newest first. A large one would take milliseconds to read. */
  *#recent(): Generator<unknown, void, undefined> {
    let bytes = 0;
    for (let at = this.#entries.length - 1; at >= 0; at--) {
      const entry = this.#entries[at];
      bytes += entry?.size ?? 0;
      if (entry === undefined || bytes > SEARCHED_BYTES) return;
      yield opOf(this.kind, entry);
    }
  }

  /** Patches of the versions from `after` + 1 to `upTo`. All of them must be in memory. */
  slice(after: number, upTo: number): readonly Entry[] {
    return this.#entries.slice(after + 1 - this.#first, upTo + 1 - this.#first);
  }

  /**
   * `older` has the patches between the submission's base and the window, if they were fetched. `fit` tells how far the
   * patch applies at its base, if that was asked.
   */
  submit(submission: Submission, older: readonly unknown[] = [], fit?: Fit): Submitted {
    const memory = this.memory(submission.client);
    const answer = memory.answer(submission.seq);
    switch (answer.type) {
      case 'committed':
        return { type: 'duplicate', version: answer.version };
      case 'burnt':
      case 'used':
        return rejected('seq-used', 'this seq was answered before, or a higher one has committed');
      case 'log':
        return { type: 'needs-log' };
      case 'new':
        break;
      default:
        throw new Error(answer satisfies never);
    }
    const result = this.#commit(submission, older, fit);
    if (result.type === 'committed') memory.committed(submission.seq, result.entry.version, submission.user);
    else if (result.type === 'rejected') memory.refused(submission.seq);
    return result;
  }

  #commit(submission: Submission, older: readonly unknown[], fit: Fit | undefined): Submitted {
    const { kind } = this;
    const refusal = refusalOf(submission.op);
    if (refusal !== undefined) return rejected(refusal.code, refusal.message);
    const ordered = kind.name === 'yjs' || submission.base < 0;
    const base = ordered ? this.head : submission.base;
    if (base > this.head) return rejected('version-unknown', `the head is version ${this.head}`);
    if (base + 1 + older.length < this.#first) {
      return { type: 'needs-history', after: base, upTo: this.#first - 1 };
    }
    const wire = fromLink(kind, submission.op);
    const parsed = kind.parse(wire, this.#limits);
    if (!parsed.ok) return failed(parsed);
    const { vectors } = kind;
    const [encoding] = submission.op;
    const isSync = (encoding === SYNC_OP || encoding === CHECK_OP) && vectors !== undefined;
    const patch = isSync ? vectors.newIn(this.#state, parsed.value) : parsed.value;
    if (patch === undefined) return { type: 'held' };
    if (encoding === CHECK_OP) return rejected('forbidden', READ_ONLY);
    const past: unknown[] = base === this.head ? [] : [...older];
    for (let v = base + older.length + 1; v <= this.head; v++) {
      const entry = this.#entries[v - this.#first];
      if (entry === undefined) throw new Error(`version ${v} is not in memory`);
      past.push(opOf(kind, entry));
    }
    const limits = isSync ? this.#syncLimits : this.#limits;
    const applied = kind.commit(this.#state, patch, past, limits, { undos: this.#undos.above(base), fit });
    if (!applied.ok) {
      if (applied.code !== 'needs-base') return failed(applied);
      return { type: 'needs-base', base, op: Buffer.from(JSON.stringify(kind.wire(parsed.value)), 'utf8') };
    }
    const { op, undo } = applied.value;
    const stored = storedFromLink(kind, submission.op, wire, parsed.value, op);
    const { client, seq } = submission;
    const entry: Entry = { version: this.head + 1, client, seq, size: stored.length, op, stored };
    this.#push(isLarge(entry) ? entry : kept(kind, entry), undo);
    return { type: 'committed', entry, stored };
  }

  #push(entry: Entry, undo: unknown): void {
    assert(entry.version === this.head + 1, 'a version is left out');
    this.#entries.push(entry);
    this.#undos.add(undo);
    this.#entryBytes += entry.size;
    this.#entryMemory += memoryOf(entry);
    this.head = entry.version;
    const cached = this.#cached;
    if (cached === undefined) return;
    cached.loggedSince += entry.size;
    const { length } = cached.snapshot;
    if (length < RECENT_FROM || cached.loggedSince > length * RECENT_SHARE) this.#cached = undefined;
  }

  /**
   * Notes that all patches up to `version` are durable. A large patch then keeps only its form in the log.
   */
  durableTo(version: number): void {
    assert(version >= this.durable && version <= this.head, 'the durable version falls, or passes the head');
    for (let v = this.durable + 1; v <= version; v++) {
      const entry = this.#entries[v - this.#first];
      if (entry?.stored !== undefined) this.#entries[v - this.#first] = kept(this.kind, entry);
    }
    this.durable = version;
  }

  /** Drops the oldest durable patches beyond `keep` patches or `keepBytes` bytes. */
  trim(keep: number, keepBytes: number): void {
    const most = this.durable + 1 - this.#first;
    let drop = 0;
    for (; drop < most; drop++) {
      if (this.#entries.length - drop <= keep && this.#entryBytes <= keepBytes) break;
      const entry = this.#entries[drop];
      if (entry === undefined) break;
      this.#entryBytes -= entry.size;
      this.#entryMemory -= memoryOf(entry);
    }
    if (drop <= 0) return;
    this.#entries = this.#entries.slice(drop);
    this.#first += drop;
    this.#undos.dropBelow(this.#first);
  }
}

const failed = ({ code, message }: KindFailure | TooOld): Submitted =>
  code === 'version-too-old' ? { type: 'too-old', message } : rejected(code, message);

const rejected = (code: FinalSubmitCode, message: string): Submitted => ({ type: 'rejected', code, message });
