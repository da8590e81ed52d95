// The record of one client's observations and actions, as the checker reads it, and the recorder that writes
// it frame by frame. Knows the wire's promises about one client's frames (order, no gap, one fate); the
// checker tests the promises that need the log. Sends nothing.
import { wireBytes } from '../../protocol/codec.ts';
import type {
  ClientMessage,
  CommittedOp,
  KindName,
  Opened,
  ServerMessage,
  Submit,
  Wire,
} from '../../protocol/messages.ts';
import { type Replica, replicaOf } from './replica.ts';

/** A broken promise. `rule` is stable; `detail` is for people. */
export interface Violation {
  readonly rule: Rule;
  readonly doc: string;
  readonly client?: string;
  readonly detail: string;
}

export type Rule =
  /** Violations seen by one client alone, frame by frame. */
  | 'frame-malformed'
  | 'commit-unopened'
  | 'stream-gap'
  | 'stream-repeat'
  | 'ack-early'
  | 'answer-unasked'
  | 'two-fates'
  | 'resume-wrong'
  | 'replica-stuck'
  | 'read-behind'
  | 'answer-wrong'
  /** Violations seen by comparison with the log. */
  | 'log-gap'
  | 'acked-lost'
  | 'acked-elsewhere'
  | 'committed-twice'
  | 'seq-order'
  | 'rejected-committed'
  | 'never-submitted'
  | 'epoch-decreased'
  | 'epoch-shared'
  | 'stream-differs'
  | 'stream-ahead'
  | 'history-changed'
  | 'replica-differs'
  | 'snapshot-differs'
  | 'commit-differs'
  | 'store-differs'
  | 'key-used-twice'
  | 'if-match-broken'
  | 'if-match-refused'
  | 'log-stuck';

/** ok: committed as `version`. unknown: no answer came. */
export type Fate =
  | { readonly type: 'ok'; readonly version: number }
  | { readonly type: 'rejected'; readonly code: string }
  | { readonly type: 'unknown' };

export interface SubmitRecord {
  readonly seq: number;
  /** The base as last sent. */
  base: number | undefined;
  op: Wire;
  /** The life of the document to which it was last sent; '' while none is known. */
  history: string;
  fate: Fate;
  /** Number of times it was sent; more than one after a lost connection or an open error. */
  sends: number;
  /**
   * Whether it was sent again with another base or patch: then its last form alone does not determine its
   * commit.
   */
  changed: boolean;
  readonly firstSentAt: number;
  lastSentAt: number;
  /**
   * The newest version that the client had seen when it last sent the submit; -1 for none. A commit at or
   * below it came before that sending.
   */
  seenAtLastSend: number;
  decidedAt: number | undefined;
}

/** One subscription, from an `opened` to its loss. */
export interface StreamRecord {
  readonly history: string;
  readonly kind: KindName;
  /** The version of its snapshot, or its `since`. */
  readonly from: number;
  readonly snapshot: Wire | undefined;
  /** The patches from version from + 1 on. */
  readonly ops: CommittedOp[];
}

export interface ReplicaRecord {
  readonly history: string;
  readonly kind: KindName;
  readonly version: number;
  readonly content: Wire;
}

export interface DocumentRecord {
  readonly doc: string;
  readonly client: string;
  readonly submits: ReadonlyMap<number, SubmitRecord>;
  readonly streams: readonly StreamRecord[];
  readonly violations: readonly Violation[];
  readonly replica: ReplicaRecord | undefined;
}

export interface RecorderOptions {
  /** Whether to keep a replica by applying commits in order. Costs the kind's work for each. */
  readonly replicas: boolean;
  /**
   * Whether to keep snapshots and commits (default true). Without them the order of the versions and the fate
   * of each submit are still checked, and the memory does not grow with the commits of others.
   */
  readonly streams?: boolean;
  readonly now: () => number;
}

/** The records of one client id over all its connections. */
export class Recorder {
  readonly client: string;
  readonly #options: RecorderOptions;
  readonly #notes = new Map<string, DocumentNotes>();

  constructor(client: string, options: RecorderOptions) {
    this.client = client;
    this.#options = options;
  }

  sent(message: ClientMessage): void {
    if (message.type === 'open') this.#of(message.doc).asked(message.since, message.history);
    else if (message.type === 'submit') this.#of(message.doc).submitted(message, this.#options.now());
    else if (message.type === 'close') this.#of(message.doc).closing = true;
  }

  received(message: ServerMessage): void {
    const at = this.#options.now();
    if (message.type === 'opened') this.#of(message.doc).opened(message, at);
    else if (message.type === 'commit') this.#of(message.doc).committed(message.version, message.ops, at);
    else if (message.type === 'ack') this.#of(message.doc).acked(message.seq, message.version, at);
    else if (message.type === 'reject') this.#of(message.doc).rejected(message.seq, message.code, at);
    else if (message.type === 'closed') this.#of(message.doc).ended();
  }

  /** Records a frame that is no message of the contract. */
  malformed(detail: string): void {
    this.#of('').broken('frame-malformed', detail);
  }

  /** Records that the connection is gone, and every subscription with it. */
  lost(): void {
    for (const notes of this.#notes.values()) notes.ended();
  }

  submit(doc: string, seq: number): SubmitRecord | undefined {
    return this.#notes.get(doc)?.submits.get(seq);
  }

  replica(doc: string): Replica | undefined {
    return this.#notes.get(doc)?.replicaNow;
  }

  records(): DocumentRecord[] {
    return [...this.#notes.values()];
  }

  #of(doc: string): DocumentNotes {
    let notes = this.#notes.get(doc);
    if (notes === undefined) {
      notes = new DocumentNotes(doc, this.client, this.#options);
      this.#notes.set(doc, notes);
    }
    return notes;
  }
}

class DocumentNotes implements DocumentRecord {
  readonly doc: string;
  readonly client: string;
  readonly submits = new Map<number, SubmitRecord>();
  readonly streams: StreamRecord[] = [];
  readonly violations: Violation[] = [];
  replicaNow: Replica | undefined;
  closing = false;
  readonly #replicas: boolean;
  readonly #keepsStreams: boolean;
  #stream: StreamRecord | undefined;
  /** Patches received of the stream, whether they are kept or not. */
  #received = 0;
  #history = '';
  #since: { version: number; history: string } | undefined;

  constructor(doc: string, client: string, { replicas, streams = true }: RecorderOptions) {
    this.doc = doc;
    this.client = client;
    this.#replicas = replicas;
    this.#keepsStreams = streams;
  }

  get replica(): ReplicaRecord | undefined {
    const { replicaNow } = this;
    if (replicaNow === undefined) return undefined;
    const { kind, version } = replicaNow;
    return { history: this.#history, kind, version, content: replicaNow.content() };
  }

  asked(since: number | undefined, history: string | undefined): void {
    this.closing = false;
    this.#since = since === undefined || history === undefined ? undefined : { version: since, history };
  }

  opened(message: Opened, at: number): void {
    const { kind, history, version } = message;
    this.#history = history;
    if ('ops' in message) {
      const { since, ops } = message;
      if (
        this.#since?.version !== since ||
        this.#since.history !== history ||
        since + ops.length !== version
      ) {
        this.broken('resume-wrong', `since ${since} with ${ops.length} patches leads to ${version}`);
      }
      this.#begin({ history, kind, from: since, snapshot: undefined, ops: [] });
      for (const entry of ops) this.#take(entry, at);
    } else {
      const snapshot = kind === 'yjs' ? bytes(message.snapshot) : message.snapshot;
      this.#begin({
        history,
        kind,
        from: version,
        snapshot: this.#keepsStreams ? snapshot : undefined,
        ops: [],
      });
      if (this.#replicas) {
        this.#guarded(() => {
          this.replicaNow = replicaOf(kind, snapshot, version);
        });
      }
    }
  }

  submitted(message: Submit, at: number): void {
    const known = this.submits.get(message.seq);
    if (known === undefined) {
      this.submits.set(message.seq, {
        seq: message.seq,
        base: message.base,
        op: message.op,
        history: this.#history,
        fate: { type: 'unknown' },
        sends: 1,
        changed: false,
        firstSentAt: at,
        lastSentAt: at,
        seenAtLastSend: this.#seen,
        decidedAt: undefined,
      });
      return;
    }
    known.sends += 1;
    known.changed ||= known.base !== message.base || known.op !== message.op;
    known.base = message.base;
    known.op = message.op;
    known.history = this.#history;
    known.lastSentAt = at;
    known.seenAtLastSend = this.#seen;
  }

  committed(version: number, ops: readonly CommittedOp[], at: number): void {
    const stream = this.#stream;
    if (stream === undefined) {
      this.broken('commit-unopened', `commit up to ${version}`);
      return;
    }
    const first = version - ops.length + 1;
    const expected = stream.from + this.#received + 1;
    if (first !== expected) {
      this.broken(first > expected ? 'stream-gap' : 'stream-repeat', `${first} follows ${expected - 1}`);
      this.#begin({ ...stream, from: first - 1, snapshot: undefined, ops: [] });
      this.replicaNow = undefined;
    }
    for (const entry of ops) this.#take(entry, at);
  }

  acked(seq: number, version: number, at: number): void {
    const seen = this.#seen;
    if (version > seen) this.broken('ack-early', `ack of seq ${seq} as ${version} at version ${seen}`);
    this.#decide(seq, { type: 'ok', version }, at);
  }

  rejected(seq: number, code: string, at: number): void {
    this.#decide(seq, { type: 'rejected', code }, at);
  }

  ended(): void {
    this.#stream = undefined;
  }

  /** The newest version of the subscription; -1 without one. */
  get #seen(): number {
    return this.#stream === undefined ? -1 : this.#stream.from + this.#received;
  }

  #begin(stream: StreamRecord): void {
    this.#stream = stream;
    this.#received = 0;
    this.streams.push(stream);
  }

  #take(raw: CommittedOp, at: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const entry = stream.kind === 'yjs' ? { ...raw, op: bytes(raw.op) } : raw;
    if (this.#keepsStreams) stream.ops.push(entry);
    this.#received += 1;
    const version = stream.from + this.#received;
    if (entry.client === this.client) this.#decide(entry.seq, { type: 'ok', version }, at);
    const replica = this.replicaNow;
    if (replica === undefined || version <= replica.version) return;
    this.#guarded(() => replica.apply(entry.op));
  }

  /** Drops a replica that cannot apply its input, and records that once. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.replicaNow = undefined;
      this.broken('replica-stuck', error instanceof Error ? error.message : String(error));
    }
  }

  #decide(seq: number, fate: Fate, at: number): void {
    const submit = this.submits.get(seq);
    if (submit === undefined) {
      this.broken('answer-unasked', `seq ${seq} was never sent and is ${told(fate)}`);
      return;
    }
    if (submit.fate.type !== 'unknown' && told(submit.fate) !== told(fate)) {
      this.broken('two-fates', `seq ${seq} was ${told(submit.fate)}, now ${told(fate)}`);
      return;
    }
    submit.fate = fate;
    submit.decidedAt ??= at;
  }

  broken(rule: Rule, detail: string): void {
    this.violations.push({ rule, doc: this.doc, client: this.client, detail });
  }
}

export function told(fate: Fate): string {
  if (fate.type === 'ok') return `committed as ${fate.version}`;
  return fate.type === 'rejected' ? `rejected ${fate.code}` : 'unknown';
}

function bytes(wire: Wire): Uint8Array {
  const found = wireBytes(wire);
  if (found === undefined) throw new TypeError('a yjs patch or snapshot is bytes');
  return found;
}
