// The smallest server that keeps the wire contract, in memory, for tests of load and of the checker. On
// request it breaks the contract, which the checker must notice. Documents flush once a turn; `crash` forgets
// everything that was not flushed. It has no limits, no presence, no authentication.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { DocumentKind, KindLimits } from '../../kinds/kind.ts';
import { KINDS } from '../../kinds/registry.ts';
import { type Codec, jsonCodec, msgpackCodec, wireBytes } from '../../protocol/codec.ts';
import type { FinalSubmitCode } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import type {
  ClientMessage,
  CommittedOp,
  KindName,
  ServerMessage,
  Submit,
  Wire,
} from '../../protocol/messages.ts';
import { SUBPROTOCOL_MSGPACK } from '../../protocol/messages.ts';

export interface FakeFaults {
  /** Commits are told before they are durable. */
  gate?: 'out';
  /** A seq sent again is applied again. */
  duplicates?: 'out';
  /** Patches commit as they came, whatever their base. */
  transform?: 'out';
  /** Every nth commit frame to every second subscriber is left out. */
  dropEvery?: number;
  /** The duration of a flush. Undefined: until the next turn. */
  flushMs?: number;
  /**
   * Every nth submit is lost with its connection. It arrives once it has been sent again, as from a network
   * that held it up.
   */
  holdEvery?: number;
  /** Every nth submit is answered `overloaded`. */
  overloadEvery?: number;
}

export interface FakeServer {
  readonly url: string;
  readonly faults: FakeFaults;
  /** Cuts every socket without a word. */
  cut(): void;
  /** Cuts every socket and forgets everything that is not durable. */
  crash(): void;
  close(): Promise<void>;
}

export async function startFakeServer(faults: FakeFaults = {}): Promise<FakeServer> {
  const documents = new Map<string, FakeDocument>();
  const http = createServer((_request, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({
    server: http,
    path: '/v1/socket',
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  sockets.on('connection', (socket) => new Connection(socket, documents, faults));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const cut = () => {
    for (const socket of sockets.clients) socket.terminate();
  };
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/socket`,
    faults,
    cut,
    crash() {
      for (const document of documents.values()) document.forget();
      cut();
    },
    async close() {
      cut();
      sockets.close();
      http.close();
      await once(http, 'close');
    },
  };
}

const LIMITS: Limits = {
  frameBytes: 1 << 20,
  opBytes: 1 << 18,
  receiveBytes: 1 << 25,
  documentBytes: 1 << 24,
  openDocuments: 100,
  opensPerSecond: 100,
  submitsPerSecond: 1e6,
  presencesPerSecond: 1e6,
  presenceBytes: 4096,
  inflight: 64,
  depth: 100,
  workMs: 50,
  historyMs: 1e9,
  historyOps: 1e9,
  clientMemoryMs: 1e9,
  pingMs: 20_000,
  idleMs: 60_000,
};

class Connection {
  client = '';
  readonly opened = new Set<FakeDocument>();
  readonly #socket: WebSocket;
  readonly #codec: Codec;
  readonly #documents: Map<string, FakeDocument>;
  readonly #faults: FakeFaults;

  constructor(socket: WebSocket, documents: Map<string, FakeDocument>, faults: FakeFaults) {
    this.#socket = socket;
    this.#documents = documents;
    this.#faults = faults;
    this.#codec = socket.protocol === SUBPROTOCOL_MSGPACK ? msgpackCodec : jsonCodec;
    socket.on('message', (data, isBinary) => {
      const frame = isBinary ? (data as Buffer) : data.toString();
      this.#take(this.#codec.decode(frame) as object as ClientMessage);
    });
    socket.on('close', () => {
      for (const document of this.opened) document.subscribers.delete(this);
    });
  }

  send(message: ServerMessage): void {
    this.#socket.send(this.#codec.encode(message));
  }

  #take(message: ClientMessage): void {
    switch (message.type) {
      case 'hello':
        this.client = message.client;
        this.send({ type: 'welcome', client: message.client, node: 'fake', time: 0, limits: LIMITS });
        return;
      case 'open': {
        let document = this.#documents.get(message.doc);
        if (document === undefined && message.kind !== undefined) {
          document = createDocument(message.doc, message.kind, this.#faults);
          this.#documents.set(message.doc, document);
        }
        if (document === undefined) {
          const { doc } = message;
          this.send({ type: 'error', code: 'not-found', message: 'no such document', retryable: false, doc });
          return;
        }
        this.opened.add(document);
        document.open(this, message.history === document.history ? message.since : undefined);
        return;
      }
      case 'submit': {
        const document = this.#documents.get(message.doc);
        if (document?.holds(this, message) === true) this.#socket.terminate();
        else document?.submit(this, message);
        return;
      }
      case 'close': {
        const document = this.#documents.get(message.doc);
        if (document !== undefined) this.opened.delete(document);
        document?.subscribers.delete(this);
        this.send({ type: 'closed', doc: message.doc });
        return;
      }
      case 'ping':
        this.send({ type: 'pong' });
        return;
      case 'presence':
        return;
      default:
        message satisfies never;
    }
  }
}

/** A document without the types of its kind. */
interface FakeDocument {
  readonly history: string;
  readonly subscribers: Set<Connection>;
  open(connection: Connection, since: number | undefined): void;
  submit(connection: Connection, message: Submit): void;
  forget(): void;
  /** True if this submit is held up until it comes again. */
  holds(connection: Connection, message: Submit): boolean;
}

function createDocument(doc: string, kind: KindName, faults: FakeFaults): FakeDocument {
  switch (kind) {
    case 'json':
      return new KindDocument(doc, KINDS.json, faults);
    case 'rich-text':
      return new KindDocument(doc, KINDS['rich-text'], faults);
    case 'yjs':
      return new KindDocument(doc, KINDS.yjs, faults);
  }
}

const KIND_LIMITS: KindLimits = {
  documentBytes: LIMITS.documentBytes,
  depth: LIMITS.depth,
  workMs: LIMITS.workMs,
};
let lives = 0;

class KindDocument<State, Op, Undo> implements FakeDocument {
  readonly history = `life${++lives}`;
  readonly subscribers = new Set<Connection>();
  readonly #doc: string;
  readonly #kind: DocumentKind<State, Op, Undo>;
  readonly #faults: FakeFaults;
  #state: State;
  #log: { entry: CommittedOp; op: Op; undo: Undo }[] = [];
  readonly #seqs = new Map<string, { highest: number; readonly versions: Map<number, number> }>();
  #durable = 0;
  #flushing = false;
  #waiting: (() => void)[] = [];
  #frames = 0;
  #submits = 0;
  #arrivals = 0;
  readonly #held = new Map<string, () => void>();

  constructor(doc: string, kind: DocumentKind<State, Op, Undo>, faults: FakeFaults) {
    this.#doc = doc;
    this.#kind = kind;
    this.#faults = faults;
    this.#state = kind.create();
  }

  open(connection: Connection, since: number | undefined): void {
    this.#afterFlush(() => {
      const { history } = this;
      const doc = this.#doc;
      const kind = this.#kind;
      const log = this.#log;
      const version = this.#durable;
      const lastSeq = this.#seqs.get(connection.client)?.highest ?? 0;
      const base = {
        type: 'opened',
        doc,
        kind: kind.name,
        history,
        version,
        role: 'owner',
        lastSeq,
      } as const;
      if (since !== undefined && since <= version) {
        const ops = log.slice(since, version).map(({ entry }) => entry);
        connection.send({ ...base, presence: {}, since, ops });
      } else connection.send({ ...base, presence: {}, snapshot: this.#kind.snapshot(this.#state) });
      this.subscribers.add(connection);
    });
  }

  holds(connection: Connection, message: Submit): boolean {
    this.#arrivals += 1;
    const { holdEvery } = this.#faults;
    const key = `${connection.client} ${message.seq}`;
    if (holdEvery === undefined || this.#arrivals % holdEvery !== 0 || this.#held.has(key)) return false;
    this.#held.set(key, () => this.#arrive(connection, message));
    return true;
  }

  submit(connection: Connection, message: Submit): void {
    this.#arrive(connection, message);
    const key = `${connection.client} ${message.seq}`;
    const late = this.#held.get(key);
    this.#held.delete(key);
    late?.();
  }

  #arrive(connection: Connection, message: Submit): void {
    const code = this.#refusal(connection, message);
    const doc = this.#doc;
    const { seq } = message;
    if (code !== undefined) {
      this.#afterFlush(() => connection.send({ type: 'reject', doc, seq, code, message: code }));
    }
  }

  /** Commits the submit, or returns the reason for a refusal. */
  #refusal(connection: Connection, message: Submit): FinalSubmitCode | undefined {
    const doc = this.#doc;
    const { seq } = message;
    this.#submits += 1;
    if (this.#faults.overloadEvery !== undefined && this.#submits % this.#faults.overloadEvery === 0) {
      const text = { code: 'overloaded', message: 'come back', retryable: true, retryAfterMs: 1 } as const;
      connection.send({ type: 'error', ...text, doc, seq });
      return undefined;
    }
    const own = this.#seqs.get(connection.client) ?? { highest: 0, versions: new Map<number, number>() };
    this.#seqs.set(connection.client, own);
    const before = own.versions.get(seq);
    if (this.#faults.duplicates !== 'out') {
      if (before !== undefined) {
        this.#afterFlush(() => connection.send({ type: 'ack', doc, seq, version: before }));
        return undefined;
      }
      if (own.highest > seq) return 'seq-used';
    }
    const base = this.#kind.name === 'yjs' ? this.#log.length : (message.base ?? this.#log.length);
    if (base > this.#log.length) return 'version-unknown';
    const wire: Wire = this.#kind.name === 'yjs' ? (wireBytes(message.op) ?? message.op) : message.op;
    const parsed = this.#kind.parse(wire, KIND_LIMITS);
    if (!parsed.ok) return parsed.code;
    const since = this.#log.slice(base);
    const past = this.#faults.transform === 'out' ? [] : since.map(({ op }) => op);
    const undos = since.map(({ undo }) => undo);
    const committed = this.#kind.commit(this.#state, parsed.value, past, KIND_LIMITS, { undos });
    // Histories here are too short for a base that is too old, and all undos are kept.
    if (!committed.ok)
      return committed.code === 'version-too-old' || committed.code === 'needs-base'
        ? 'conflict'
        : committed.code;
    const { op, undo } = committed.value;
    this.#log.push({ entry: { client: connection.client, seq, op: this.#kind.wire(op) }, op, undo });
    own.versions.set(seq, this.#log.length);
    own.highest = Math.max(own.highest, seq);
    if (this.#faults.gate === 'out') this.#tell(this.#log.length - 1);
    this.#afterFlush(() => undefined);
    return undefined;
  }

  forget(): void {
    this.#state = this.#kind.create();
    this.#log = this.#log.slice(0, this.#durable).map((logged) => {
      const applied = this.#kind.apply(this.#state, logged.op);
      if (!applied.ok) throw new Error(`a committed patch does not apply: ${applied.message}`);
      return { ...logged, undo: applied.value.undo };
    });
    this.#waiting = [];
    for (const own of this.#seqs.values()) {
      for (const [seq, version] of own.versions) if (version > this.#durable) own.versions.delete(seq);
      own.highest = Math.max(0, ...own.versions.keys());
    }
  }

  /** Runs after the flush of this turn, on which the output depends. */
  #afterFlush(run: () => void): void {
    this.#waiting.push(run);
    if (this.#flushing) return;
    this.#flushing = true;
    const { flushMs } = this.#faults;
    const later = (run: () => void) => (flushMs === undefined ? setImmediate(run) : setTimeout(run, flushMs));
    later(() => {
      this.#flushing = false;
      const from = this.#durable;
      this.#durable = this.#log.length;
      if (this.#faults.gate !== 'out') this.#tell(from);
      for (const waiting of this.#waiting.splice(0)) waiting();
    });
  }

  #tell(from: number): void {
    const ops = this.#log.slice(from).map(({ entry }) => entry);
    if (ops.length === 0) return;
    this.#frames += 1;
    const { dropEvery } = this.#faults;
    const drops = dropEvery !== undefined && this.#frames % dropEvery === 0;
    for (const [place, connection] of [...this.subscribers].entries()) {
      if (drops && place % 2 === 0) continue;
      connection.send({ type: 'commit', doc: this.#doc, version: this.#log.length, ops });
    }
  }
}
