// One document's order and memory: versions, the window of recent patches, who committed which seq.
// Pure and synchronous: it knows no sockets, no store and no clock; what it commits is not durable
// until it is told so.
import type { KindFailure, KindLimits, TooOld } from '../../kinds/kind.ts';
import type { FinalSubmitCode } from '../../protocol/errors.ts';
import { type LinkOp, refusalOf } from '../link-messages.ts';
import type { ClientPairs, KnownClients, LoadedDocument, StoredDelta } from '../storage/store.ts';
import { ClientMemory } from './client-memory.ts';
import {
  type AnyKind,
  atOnce,
  type Entry,
  entryOf,
  formsOf,
  fromLink,
  kept,
  memoryOf,
  newEntry,
  type Pieces,
  snapshotOf,
  stateOf,
  storedForm,
} from './entry.ts';
import { historyOf } from './frames.ts';

/** Clients that nobody is here for and whose seqs stay in memory; of more, those that committed longest ago go. */
export const KEPT_CLIENTS = 1024;

/** Length from which a snapshot is kept while the document is edited: making one takes as long as the document is large. */
const RECENT_FROM = 64 * 1024;
/** Of its length: what may be committed since, which goes out behind it. */
const RECENT_SHARE = 1 / 8;

/** How a submit ended, before the gate. */
export type Submitted =
  /** `stored`: the patch as the log keeps it. */
  | { readonly type: 'committed'; readonly entry: Entry; readonly stored: Uint8Array }
  /** This seq was committed before, as this version. */
  | { readonly type: 'duplicate'; readonly version: number }
  | { readonly type: 'rejected'; readonly code: FinalSubmitCode; readonly message: string }
  /** Nothing is wrong with it, but so much has been committed since its base that its author must rebase it. */
  | { readonly type: 'too-old'; readonly message: string }
  /** The patches in (base, after] are needed first, and are not in memory. */
  | { readonly type: 'needs-history'; readonly after: number; readonly upTo: number }
  /** Whether this seq was committed only the log knows. */
  | { readonly type: 'needs-log' };

export interface Submission {
  readonly client: string;
  readonly user: string;
  readonly seq: number;
  /** -1: the head. */
  readonly base: number;
  readonly op: LinkOp;
}

export class Document {
  readonly kind: AnyKind;
  readonly id: number;
  /** Its life, on the wire: changes when the database was set back in time (`OpenedSession.historyTag`). */
  readonly history: string;
  private readonly limits: KindLimits;
  private readonly state: unknown;
  /** Patches of versions first … head, without gap; all that are not durable are here. */
  private entries: Entry[] = [];
  /** In the log, and in memory. */
  private entryBytes = 0;
  private entryMemory = 0;
  private first: number;
  head: number;
  durable: number;
  private readonly clients = new Map<string, ClientMemory>();
  /** More clients than this are looked through for some to forget. */
  private clientsToLook = 2 * KEPT_CLIENTS;
  /** Of versions up to this one some clients are forgotten. */
  private forgotBelow = 0;
  /** Clients that the store knows and memory may not; undefined: too many to list, any may be. */
  private storedClients: ReadonlySet<string> | undefined;
  /** Who is neither there nor in memory may have committed all the same. */
  private readonly someForgotten: boolean;
  /** The last snapshot made: while nothing has changed, and of a large document until much has been committed since. */
  private cached: { version: number; snapshot: string | Uint8Array; loggedSince: number } | undefined;

  /**
   * `loaded.deltas` may be left out and replayed one by one; `state`: what the snapshot was read to already. Throws where
   * snapshot or log do not fit the kind or each other.
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
    this.storedClients = stored.clients && new Set(stored.clients);
    this.someForgotten = stored.someForgotten;
    this.id = loaded.id;
    this.limits = limits;
    this.state = state;
    this.first = loaded.snapshotVersion + 1;
    this.head = loaded.snapshotVersion;
    this.durable = this.head;
    for (const delta of loaded.deltas) this.replay(delta);
  }

  /** Applies the next patch of the log, while the document is loaded. Throws as the constructor does. */
  replay(delta: StoredDelta): void {
    const { kind } = this;
    if (delta.version !== this.head + 1) throw new Error(`version ${delta.version} follows ${this.head}`);
    const entry = entryOf(kind, delta);
    const applied = kind.apply(this.state, formsOf(kind, entry).op);
    if (!applied.ok) throw new Error(`version ${delta.version} does not apply: ${applied.message}`);
    this.push(kept(entry));
    this.memory(delta.client).committed(delta.seq, delta.version);
    this.durable = this.head;
  }

  /** Approximate bytes that this document holds in memory. */
  get bytes(): number {
    const cached = this.cached?.snapshot.length ?? 0;
    return 2048 + this.kind.memory(this.state) + cached + this.entryMemory + 256 * this.clients.size;
  }

  /** The oldest version whose patch is in memory; head + 1 where none is. */
  get windowStart(): number {
    return this.first;
  }

  /** Bytes of the patches in memory, as the log has them. */
  get windowBytes(): number {
    return this.entryBytes;
  }

  get snapshotBytes(): number {
    return this.kind.size(this.state);
  }

  memory(client: string): ClientMemory {
    let memory = this.clients.get(client);
    if (memory === undefined) {
      memory = new ClientMemory(this.mayBeStored(client), this.someForgotten);
      this.clients.set(client, memory);
    }
    return memory;
  }

  /** Whether the store must be asked for this client's seqs before it may submit. */
  needsRecall(client: string): boolean {
    return this.clients.get(client)?.needsRecall ?? this.mayBeStored(client);
  }

  /** Highest seq of this client committed at or below `version`: 0 none, undefined where only the log knows, or nobody. */
  lastSeqAt(client: string, version: number): number | undefined {
    const memory = this.clients.get(client);
    if (memory === undefined) return this.mayBeStored(client) || this.someForgotten ? undefined : 0;
    return memory.lastSeqAt(version);
  }

  /**
   * Bounds what is remembered of clients that are not here: of those beyond KEPT_CLIENTS the seqs leave
   * memory; from then on the store is asked for whoever is not in it. `isHere` are never forgotten, nor
   * is what is not durable.
   */
  forgetClients(isHere: (client: string) => boolean): void {
    if (this.clients.size <= this.clientsToLook) return;
    const away = [...this.clients].filter(
      ([client, memory]) => !isHere(client) && memory.lastVersion <= this.durable,
    );
    away.sort(([, a], [, b]) => b.lastVersion - a.lastVersion);
    for (const [client] of away.slice(KEPT_CLIENTS)) this.clients.delete(client);
    if (away.length > KEPT_CLIENTS) {
      this.storedClients = undefined;
      this.forgotBelow = this.head;
    }
    // So that a look, which costs as much as there are clients, comes once for so many new ones.
    this.clientsToLook = this.clients.size + KEPT_CLIENTS;
  }

  /** Clients whose seqs are in memory. */
  get rememberedClients(): number {
    return this.clients.size;
  }

  private mayBeStored(client: string): boolean {
    return this.storedClients === undefined || this.storedClients.has(client);
  }

  /** The last snapshot made of a large document and its version, while little has been committed since; else undefined. */
  recentSnapshot(): { readonly version: number; readonly snapshot: string | Uint8Array } | undefined {
    return this.cached;
  }

  /** The whole document at its head: JSON text, or bytes for yjs. Cached while nothing changes. */
  snapshot(): string | Uint8Array {
    return atOnce(this.snapshotPieces());
  }

  /**
   * What has to be merged before there is a snapshot, where that takes milliseconds. `merged` takes what came of it: from
   * then on it is the recent snapshot, of the version that was the head when this was called.
   */
  unmerged(): { readonly updates: readonly Uint8Array[]; merged(bytes: Uint8Array): void } | undefined {
    const version = this.head;
    if (this.cached?.version === version) return undefined;
    const found = this.kind.unmerged?.(this.state);
    if (found === undefined) return undefined;
    return {
      updates: found.updates,
      merged: (bytes) => {
        found.adopt(bytes);
        const since = this.entries.slice(version + 1 - this.first);
        const loggedSince = since.reduce((sum, { size }) => sum + size, 0);
        this.cached = { version, snapshot: bytes, loggedSince };
      },
    };
  }

  /** `snapshot`, in pieces. It is made at once where something is committed between two of them. */
  *snapshotPieces(): Pieces<string | Uint8Array> {
    const version = this.head;
    if (this.cached?.version !== version) {
      const pieces = snapshotOf(this.kind, this.state);
      let next = pieces.next();
      while (next.done !== true) {
        yield;
        if (this.head !== version) return this.snapshot();
        next = pieces.next();
      }
      this.cached = { version, snapshot: next.value, loggedSince: 0 };
    }
    return this.cached.snapshot;
  }

  /** Who committed above `version`, up to the head; undefined where some of them are forgotten. */
  clientsAbove(version: number): readonly ClientPairs[] | undefined {
    if (version < this.forgotBelow) return undefined;
    const found: ClientPairs[] = [];
    for (const [client, memory] of this.clients) {
      const pairs = memory.pairsAbove(version);
      if (pairs[0] !== undefined) found.push({ client, lastSeq: pairs[0][0], pairs });
    }
    return found;
  }

  /** Patches of versions after … upTo; all of them must be in memory. */
  slice(after: number, upTo: number): readonly Entry[] {
    return this.entries.slice(after + 1 - this.first, upTo + 1 - this.first);
  }

  /** `older`: the patches from the submission's base to before the window, where they were asked for. */
  submit(submission: Submission, older: readonly unknown[] = []): Submitted {
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
    const result = this.commit(submission, older);
    if (result.type === 'committed') memory.committed(submission.seq, result.entry.version);
    else if (result.type === 'rejected') memory.refused(submission.seq);
    return result;
  }

  private commit(submission: Submission, older: readonly unknown[]): Submitted {
    const { kind } = this;
    const refusal = refusalOf(submission.op);
    if (refusal !== undefined) return rejected(refusal.code, refusal.message);
    const ordered = kind.name === 'yjs' || submission.base < 0;
    const base = ordered ? this.head : submission.base;
    if (base > this.head) return rejected('version-unknown', `the head is version ${this.head}`);
    if (base + 1 + older.length < this.first) {
      return { type: 'needs-history', after: base, upTo: this.first - 1 };
    }
    const wire = fromLink(kind, submission.op);
    const parsed = kind.parse(wire, this.limits);
    if (!parsed.ok) return failed(parsed);
    const past: unknown[] = base === this.head ? [] : [...older];
    for (let v = base + older.length + 1; v <= this.head; v++) {
      const entry = this.entries[v - this.first];
      if (entry === undefined) throw new Error(`version ${v} is not in memory`);
      past.push(formsOf(kind, entry).op);
    }
    const applied = kind.commit(this.state, parsed.value, past, this.limits);
    if (!applied.ok) return failed(applied);
    const { op } = applied.value;
    const text = this.textOf(op, wire, submission.op);
    const stored = storedForm(kind, op, text);
    const { client, seq } = submission;
    const entry = newEntry({ version: this.head + 1, client, seq }, { op, text }, stored);
    this.push(entry);
    return { type: 'committed', entry, stored };
  }

  /** A patch that commits just as it came keeps the text it came with. */
  private textOf(op: unknown, sent: unknown, sentText: LinkOp): string | undefined {
    if (this.kind.name === 'yjs') return undefined;
    return op === sent && typeof sentText === 'string' ? sentText : JSON.stringify(this.kind.wire(op));
  }

  private push(entry: Entry): void {
    this.entries.push(entry);
    this.entryBytes += entry.size;
    this.entryMemory += memoryOf(entry);
    this.head = entry.version;
    const { cached } = this;
    if (cached === undefined) return;
    cached.loggedSince += entry.size;
    const { length } = cached.snapshot;
    if (length < RECENT_FROM || cached.loggedSince > length * RECENT_SHARE) this.cached = undefined;
  }

  /** Everything up to `version` is durable: of large patches what the log has is kept, and no more. */
  durableTo(version: number): void {
    for (let v = this.durable + 1; v <= version; v++) {
      const entry = this.entries[v - this.first];
      if (entry?.stored !== undefined) this.entries[v - this.first] = kept(entry);
    }
    this.durable = version;
  }

  /** Drops the oldest durable patches beyond so many and so many bytes; called now and then. */
  trim(keep: number, keepBytes: number): void {
    const most = this.durable + 1 - this.first;
    let drop = 0;
    for (; drop < most; drop++) {
      if (this.entries.length - drop <= keep && this.entryBytes <= keepBytes) break;
      const entry = this.entries[drop];
      if (entry === undefined) break;
      this.entryBytes -= entry.size;
      this.entryMemory -= memoryOf(entry);
    }
    if (drop <= 0) return;
    this.entries = this.entries.slice(drop);
    this.first += drop;
  }
}

const failed = ({ code, message }: KindFailure | TooOld): Submitted =>
  code === 'version-too-old' ? { type: 'too-old', message } : rejected(code, message);

const rejected = (code: FinalSubmitCode, message: string): Submitted => ({ type: 'rejected', code, message });
