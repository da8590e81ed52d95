// A server of the wire contract in memory, on virtual time: versions, transforming, duplicates, resuming, and
// all faults of the way. It follows docs/protocol.md and uses the kinds alone, so the SDK is tested against
// the contract and not against this project's own server. Over 400 lines, because it is a whole server: a
// partial one would test the SDK less.
import type { WebSocketConstructor, WebSocketLike } from '../../client/index.ts';
import { jsonKind } from '../../kinds/json/json.ts';
import type { DocumentKind } from '../../kinds/kind.ts';
import { richTextKind } from '../../kinds/rich-text/rich-text.ts';
import { yjsKind } from '../../kinds/yjs/yjs.ts';
import { CODECS, type Codec, jsonCodec, wireBytes } from '../../protocol/codec.ts';
import type { OpenSubmitCode } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import type {
  ClientMessage,
  CommittedOp,
  KindName,
  Open,
  Role,
  ServerMessage,
  Submit,
  Wire,
} from '../../protocol/messages.ts';
import type { VirtualTime } from './virtual-time.ts';

export const SIMULATED_LIMITS: Limits = {
  frameBytes: 1_048_576,
  opBytes: 262_144,
  receiveBytes: 67_108_864,
  documentBytes: 16_777_216,
  openDocuments: 100,
  opensPerSecond: 100,
  submitsPerSecond: 200,
  presencesPerSecond: 20,
  presenceBytes: 4_096,
  inflight: 64,
  depth: 100,
  workMs: 50,
  historyMs: 86_400_000,
  historyOps: 1_000,
  clientMemoryMs: 86_400_000,
  pingMs: 20_000,
  idleMs: 60_000,
};

/** Each chance is per message, in [0, 1]. */
export interface Faults {
  latencyMs: [number, number];
  /** The connection is lost, with all frames under way on it. */
  drop: number;
  /** A submit is answered `overloaded`, `rate-limited` or `unavailable`. */
  openError: number;
  /** A submit gets a final refusal. */
  reject: number;
  /** An `open` is answered `unavailable`. */
  openFails: number;
  /** An `open` that could resume is answered with a snapshot. */
  snapshot: number;
}

export const NO_FAULTS: Faults = {
  latencyMs: [1, 5],
  drop: 0,
  openError: 0,
  reject: 0,
  openFails: 0,
  snapshot: 0,
};

export interface LogEntry extends CommittedOp {
  readonly version: number;
}

/** A kind whose type parameters are hidden. */
interface Engine {
  readonly kind: KindName;
  snapshot(): Wire;
  commit(
    op: unknown,
    base: number,
    limits: Limits,
  ): { ok: true; op: Wire } | { ok: false; code: string; message: string };
  readonly head: number;
}

function engine<State, Op, Undo>(kind: DocumentKind<State, Op, Undo>): Engine {
  const state = kind.create();
  const past: Op[] = [];
  return {
    kind: kind.name,
    get head() {
      return past.length;
    },
    snapshot: () => kind.snapshot(state),
    commit(wire, base, limits) {
      const parsed = kind.parse(wire, limits);
      if (!parsed.ok) return parsed;
      const committed = kind.commit(state, parsed.value, past.slice(base), limits);
      if (!committed.ok) return committed;
      past.push(committed.value.op);
      return { ok: true, op: kind.wire(committed.value.op) };
    },
  };
}

const ENGINES: Record<KindName, () => Engine> = {
  json: () => engine(jsonKind),
  'rich-text': () => engine(richTextKind),
  yjs: () => engine(yjsKind),
};

export class SimulatedDocument {
  engine: Engine;
  history: string;
  readonly log: LogEntry[] = [];
  /** A client can no longer resume or base a patch on versions up to here. */
  trimmed = 0;
  readonly seqs = new Map<string, Map<number, number>>();
  readonly highest = new Map<string, number>();
  readonly subscribers = new Map<SimulatedSocket, { readonly from: number }>();
  /** The seq that an open error has left open on a socket, and that error. */
  readonly leftOpen = new Map<SimulatedSocket, { readonly seq: number; readonly code: OpenSubmitCode }>();
  readonly presence = new Map<string, Wire>();

  constructor(kind: KindName, history: string) {
    this.engine = ENGINES[kind]();
    this.history = history;
  }
}

export class SimulatedServer {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly documents = new Map<string, SimulatedDocument>();
  readonly sockets = new Set<SimulatedSocket>();
  readonly webSocket: WebSocketConstructor;
  faults: Faults = { ...NO_FAULTS };
  limits: Limits = SIMULATED_LIMITS;
  role: Role = 'owner';
  /** A proxy in between closes a connection with 1009 at a frame above this size, whatever the limits say. */
  proxyBytes = Number.POSITIVE_INFINITY;
  /** New sockets fail. */
  unreachable = false;
  /** Sent with every open error. */
  retryAfterMs = 20;
  /** The open error that a submit meets. Undefined: any. */
  openErrorCode: OpenSubmitCode | undefined;
  /** The field `nodes` of each welcome. */
  nodes: string[] | undefined;
  /** URLs at which no server answers. */
  readonly gone = new Set<string>();
  /** Sockets stay open, and no frame comes out of them. */
  silent = false;
  /** The close code with which a `hello` is answered instead of `welcome`. */
  refuse: ((token: string | undefined) => number | undefined) | undefined;
  /** How long each token lasts, as `welcome` tells it. */
  expiresInMs: number | undefined;
  /** Every message of clients, in the order of arrival. */
  readonly received: ClientMessage[] = [];
  connects = 0;
  #histories = 0;

  constructor(time: VirtualTime, random: () => number) {
    this.time = time;
    this.random = random;
    const server = this;
    this.webSocket = class extends SimulatedSocket {
      constructor(url: string, protocols: string[]) {
        super(server, url, protocols);
      }
    };
  }

  document(name: string, kind: KindName): SimulatedDocument {
    let document = this.documents.get(name);
    if (document === undefined) {
      document = new SimulatedDocument(kind, `h${this.#histories++}`);
      this.documents.set(name, document);
    }
    return document;
  }

  /** Takes the document back to `version`, from which it goes on in another history. */
  rewind(name: string, version: number): void {
    const old = this.documents.get(name);
    if (old === undefined) return;
    this.documents.delete(name);
    const document = this.document(name, old.engine.kind);
    for (const entry of old.log.slice(0, version)) {
      const op = old.engine.kind === 'yjs' ? wireBytes(entry.op) : entry.op;
      document.engine.commit(op, document.engine.head, this.limits);
      this.#record(document, entry.client, entry.seq, entry.op);
    }
    this.dropAll(1012);
  }

  dropAll(code = 1006): void {
    for (const socket of [...this.sockets]) socket.die(code);
  }

  /** Sends a message. */
  send(socket: SimulatedSocket, message: ServerMessage): void {
    socket.deliver(message);
  }

  receive(socket: SimulatedSocket, message: ClientMessage): void {
    this.received.push(message);
    if (this.silent) return;
    switch (message.type) {
      case 'hello': {
        const refusal = this.refuse?.(message.token);
        if (refusal !== undefined) {
          socket.die(refusal);
          return;
        }
        socket.client = message.client;
        const { client } = message;
        const nodes = this.nodes === undefined ? {} : { nodes: this.nodes };
        const ends = this.expiresInMs === undefined ? {} : { expiresInMs: this.expiresInMs };
        const time = this.time.now;
        const welcome = { client, node: 'simulated', time, limits: this.limits, ...nodes, ...ends };
        socket.deliver({ type: 'welcome', ...welcome });
        return;
      }
      case 'ping':
        socket.deliver({ type: 'pong' });
        return;
      case 'open':
        this.#open(socket, message);
        return;
      case 'submit':
        this.#submit(socket, message);
        return;
      case 'close': {
        this.#unsubscribe(socket, message.doc);
        const id = message.id === undefined ? {} : { id: message.id };
        socket.deliver({ type: 'closed', doc: message.doc, ...id });
        return;
      }
      case 'presence':
        this.#presence(socket, message.doc, message.data);
    }
  }

  left(socket: SimulatedSocket): void {
    this.sockets.delete(socket);
    for (const name of this.documents.keys()) this.#unsubscribe(socket, name);
  }

  #unsubscribe(socket: SimulatedSocket, name: string): void {
    const document = this.documents.get(name);
    document?.leftOpen.delete(socket);
    if (document?.subscribers.delete(socket) !== true) return;
    this.#presence(socket, name, null);
  }

  #presence(socket: SimulatedSocket, doc: string, data: Wire): void {
    const document = this.documents.get(doc);
    if (document === undefined) return;
    if (data === null) document.presence.delete(socket.client);
    else document.presence.set(socket.client, data);
    for (const other of document.subscribers.keys()) {
      if (other === socket) continue;
      other.deliver({ type: 'presence', doc, states: { [socket.client]: data as never } });
    }
  }

  #open(socket: SimulatedSocket, message: Open): void {
    const { doc } = message;
    const id = message.id === undefined ? {} : { id: message.id };
    if (this.#chance(this.faults.openFails)) {
      socket.deliver({ type: 'error', code: 'unavailable', message: 'not now', retryable: true, doc, ...id });
      return;
    }
    const known = this.documents.get(doc);
    if (known === undefined && message.kind === undefined) {
      socket.deliver({
        type: 'error',
        code: 'not-found',
        message: 'no such document',
        retryable: false,
        doc,
        ...id,
      });
      return;
    }
    const document = known ?? this.document(doc, message.kind ?? 'json');
    if (message.kind !== undefined && message.kind !== document.engine.kind) {
      socket.deliver({
        type: 'error',
        code: 'wrong-kind',
        message: 'it is not',
        retryable: false,
        doc,
        ...id,
      });
      return;
    }
    const head = document.log.length;
    const { since } = message;
    const resumes =
      since !== undefined &&
      message.history === document.history &&
      since >= document.trimmed &&
      since <= head &&
      !this.#chance(this.faults.snapshot);
    // A resumed subscription may begin below the head. The rest follows as commits.
    const version = resumes ? since + Math.floor(this.random() * (head - since + 1)) : head;
    const remembered = document.seqs.has(socket.client) || document.trimmed === 0;
    const base = {
      type: 'opened',
      doc,
      kind: document.engine.kind,
      history: document.history,
      version,
      role: this.role,
      lastSeq: remembered ? (document.highest.get(socket.client) ?? 0) : null,
      presence: Object.fromEntries(
        [...document.presence].filter(([client]) => client !== socket.client),
      ) as Record<string, never>,
      ...id,
    } as const;
    document.subscribers.set(socket, { from: version });
    document.leftOpen.delete(socket);
    if (resumes) {
      socket.deliver({ ...base, since, ops: document.log.slice(since, version).map(plain) });
      if (version < head) {
        socket.deliver({ type: 'commit', doc, version: head, ops: document.log.slice(version).map(plain) });
      }
    } else {
      socket.deliver({ ...base, snapshot: document.engine.snapshot() });
    }
  }

  #submit(socket: SimulatedSocket, message: Submit): void {
    const { doc, seq } = message;
    const document = this.documents.get(doc);
    if (document?.subscribers.has(socket) !== true) {
      socket.deliver({ type: 'error', code: 'not-open', message: 'not open', retryable: false, doc, seq });
      return;
    }
    const version = document.seqs.get(socket.client)?.get(seq);
    if (version !== undefined) {
      socket.deliver({ type: 'ack', doc, seq, version });
      return;
    }
    const later = (code: OpenSubmitCode) => {
      const why = { code, message: 'later', retryable: true, retryAfterMs: this.retryAfterMs } as const;
      socket.deliver({ type: 'error', ...why, doc, seq });
    };
    const open = document.leftOpen.get(socket);
    if (open !== undefined && seq > open.seq) {
      later(open.code);
      return;
    }
    document.leftOpen.delete(socket);
    if (this.#chance(this.faults.openError)) {
      const codes = ['overloaded', 'rate-limited', 'unavailable'] as const;
      const code = this.openErrorCode ?? codes[Math.floor(this.random() * codes.length)] ?? 'overloaded';
      document.leftOpen.set(socket, { seq, code });
      later(code);
      return;
    }
    const reject = (code: string, why: string) =>
      socket.deliver({ type: 'reject', doc, seq, code: code as 'conflict', message: why });
    if (seq <= (document.highest.get(socket.client) ?? 0)) {
      reject('seq-used', 'not above the highest');
      return;
    }
    if (this.#chance(this.faults.reject)) {
      reject('conflict', 'refused by chance');
      return;
    }
    const head = document.log.length;
    const base = message.base ?? head;
    if (base > head) {
      reject('version-unknown', 'above the head');
      return;
    }
    if (base < document.trimmed) {
      document.leftOpen.set(socket, { seq, code: 'version-too-old' });
      later('version-too-old');
      return;
    }
    const op = document.engine.kind === 'yjs' ? wireBytes(message.op) : message.op;
    const committed = document.engine.commit(op, base, this.limits);
    if (!committed.ok) {
      reject(committed.code, committed.message);
      return;
    }
    const entry = this.#record(document, socket.client, seq, committed.op);
    for (const subscriber of document.subscribers.keys()) {
      subscriber.deliver({ type: 'commit', doc, version: entry.version, ops: [plain(entry)] });
    }
  }

  #record(document: SimulatedDocument, client: string, seq: number, op: Wire): LogEntry {
    const entry = { client, seq, op, version: document.log.length + 1 };
    document.log.push(entry);
    const seqs = document.seqs.get(client) ?? new Map<number, number>();
    document.seqs.set(client, seqs.set(seq, entry.version));
    document.highest.set(client, seq);
    return entry;
  }

  #chance(chance: number): boolean {
    return chance > 0 && this.random() < chance;
  }
}

const plain = ({ client, seq, op }: LogEntry): CommittedOp => ({ client, seq, op });

/**
 * One connection as the client sees it. Frames of one document keep their order; frames of different
 * documents may not.
 */
export class SimulatedSocket implements WebSocketLike {
  binaryType = 'blob';
  readyState = 0;
  protocol = '';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  client = '';
  readonly url: string;
  readonly #server: SimulatedServer;
  #codec: Codec = jsonCodec;
  /** The times at which the last frame of each stream arrives, so that streams keep their order. */
  readonly #arrivals = new Map<string, number>();

  constructor(server: SimulatedServer, url: string, protocols: string[]) {
    this.#server = server;
    this.url = url;
    server.connects++;
    server.time.after(this.#latency(), () => {
      if (this.readyState !== 0) return;
      if (server.unreachable || server.gone.has(url)) {
        this.#closed(1006);
        return;
      }
      this.#codec = CODECS.find((codec) => codec.subprotocol === protocols[0]) ?? jsonCodec;
      this.protocol = this.#codec.subprotocol;
      this.readyState = 1;
      server.sockets.add(this);
      this.onopen?.({} as never);
    });
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 1) throw new Error('not open');
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data).length : data.length;
    this.#after('out', () => {
      if (this.readyState !== 1) return;
      if (bytes > Math.min(this.#server.limits.frameBytes, this.#server.proxyBytes)) {
        this.die(1009);
        return;
      }
      if (this.#lost()) return;
      this.#server.receive(this, this.#codec.decode(data) as never);
    });
  }

  close(): void {
    this.readyState = 3;
    this.#server.left(this);
  }

  /** Sends a message from the server. */
  deliver(message: ServerMessage): void {
    const frame = this.#codec.encode(message);
    this.#after('doc' in message && message.doc !== undefined ? message.doc : '', () => {
      if (this.readyState !== 1 || this.#lost()) return;
      const data = typeof frame === 'string' ? frame : frame.slice().buffer;
      this.onmessage?.({ data } as never);
    });
  }

  /** Hands any data to the client as a frame. */
  raw(data: unknown): void {
    if (this.readyState === 1) this.onmessage?.({ data } as never);
  }

  /** Ends the connection for both sides. */
  die(code: number): void {
    if (this.readyState === 3) return;
    this.#server.left(this);
    this.#closed(code);
  }

  #closed(code: number): void {
    this.readyState = 3;
    this.onerror?.({} as never);
    this.onclose?.({ code } as never);
  }

  #lost(): boolean {
    const { faults, random } = this.#server;
    if (faults.drop === 0 || random() >= faults.drop) return false;
    this.die(1006);
    return true;
  }

  #after(stream: string, run: () => void): void {
    const { time } = this.#server;
    const at = Math.max(time.now + this.#latency(), this.#arrivals.get(stream) ?? 0);
    this.#arrivals.set(stream, at);
    time.after(at - time.now, run);
  }

  #latency(): number {
    const [least, most] = this.#server.faults.latencyMs;
    return least + this.#server.random() * (most - least);
  }
}
