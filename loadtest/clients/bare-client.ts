// A client of the wire contract alone, without OT and without optimism. It submits the patches it is given,
// records everything (records.ts), keeps its replica by applying commits in order, reconnects with full
// jitter, and sends unanswered submits again under the same seq. When its node drains, it goes to the next
// node at the time that the node gave. It never chooses an edit or its version.
import { WebSocket } from 'ws';
import { type Codec, jsonCodec, msgpackCodec } from '../../protocol/codec.ts';
import { CLOSE_CODES, CLOSE_WITHOUT_RETRY } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import type {
  ClientMessage,
  CommittedOp,
  ErrorMessage,
  Json,
  KindName,
  Opened,
  ServerMessage,
  Welcome,
} from '../../protocol/messages.ts';
import { Recorder, type SubmitRecord } from '../checker/records.ts';
import { BareDocument } from './bare-document.ts';
import { MalformedMessage, readServerMessage } from './server-message.ts';

export interface BareClientOptions {
  /** `ws://…/v1/socket`. */
  readonly url: string;
  /**
   * URLs of other nodes. Each time a connection is lost, or its node drains, the next of all URLs is dialled.
   */
  readonly others?: readonly string[];
  readonly client: string;
  readonly encoding: 'json' | 'msgpack';
  /** Whether to keep replicas (default true). */
  readonly replicas?: boolean;
  /** Whether the recorder keeps snapshots and commits (default true). */
  readonly streams?: boolean;
  /**
   * Whether to come back with `since` (default true). Without it a client does not receive its missed
   * commits: it sends these submits again, and the server must recognise them.
   */
  readonly resume?: boolean;
  /** A number in [0, 1): spreads reconnects. */
  readonly random: () => number;
  /** Longest wait before the nth reconnect: first × 2ⁿ, up to most. Default 50 and 30,000. */
  readonly backoffFirstMs?: number;
  readonly backoffMostMs?: number;
  readonly token?: string;
  /** Local address of its connections; without it the system chooses. */
  readonly localAddress?: string;
}

/** Called in the order of the frames; a handler must not throw. */
export interface DocumentListener {
  opened?(message: Opened): void;
  /** `version` is the version of the last of `ops`. */
  committed?(version: number, ops: readonly CommittedOp[]): void;
  /** The fate of a submit is known: ok, rejected, or unknown for good (given up). */
  decided?(submit: SubmitRecord): void;
  presence?(states: Record<string, Json>): void;
  error?(message: ErrorMessage): void;
  /** The server ended the subscription. */
  closed?(code: string | undefined): void;
}

type Mode = 'idle' | 'connecting' | 'live' | 'waiting' | 'away' | 'stopped';

/**
 * Modes: idle → connecting → live → waiting → connecting …; away from connecting, live and waiting, and from
 * there to connecting; stopped from anywhere, for good.
 * A close code after which a client must not come back leads to stopped.
 */
export class BareClient {
  readonly recorder: Recorder;
  readonly options: BareClientOptions;
  limits: Limits | undefined;
  /** Bytes of the frames that it has received. */
  receivedBytes = 0;
  /**
   * Connections that were lost, as `closed CODE`, or never made, as `not connected: REASON`. The reason is the
   * system's code of the error (`ECONNREFUSED`) or the HTTP status of the refusal.
   */
  readonly losses = new Map<string, number>();
  /** Errors that the server sent, by code. */
  readonly errors = new Map<string, number>();
  #mode: Mode = 'idle';
  #socket: WebSocket | undefined;
  readonly #codec: Codec;
  readonly #documents = new Map<string, BareDocument>();
  #attempt = 0;
  /** Index of the node that it dials. */
  #place = 0;
  #leaving: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  readonly #welcomes: { resolve(message: Welcome): void; reject(error: Error): void }[] = [];

  constructor(options: BareClientOptions) {
    this.options = options;
    this.#codec = options.encoding === 'json' ? jsonCodec : msgpackCodec;
    this.recorder = new Recorder(options.client, {
      replicas: options.replicas ?? true,
      streams: options.streams ?? true,
      now: () => performance.now(),
    });
  }

  get live(): boolean {
    return this.#mode === 'live';
  }

  /** Connects, and keeps trying. Fulfilled at the first welcome, rejected if the client stops before. */
  connect(): Promise<Welcome> {
    if (this.#mode === 'stopped') return Promise.reject(new Error('the client was stopped'));
    const welcomed = new Promise<Welcome>((resolve, reject) => this.#welcomes.push({ resolve, reject }));
    if (this.#mode === 'idle') this.#dial();
    return welcomed;
  }

  /** Subscribes now and after every reconnect. `kind` creates the document if it is missing. */
  open(
    doc: string,
    options: {
      kind?: KindName;
      since?: { version: number; history: string };
      listener?: DocumentListener;
    } = {},
  ): BareDocument {
    if (this.#documents.has(doc)) throw new Error(`${doc} is open`);
    const document = new BareDocument(doc, options, {
      recorder: this.recorder,
      inflight: () => this.limits?.inflight ?? 1,
      send: (message) => this.send(message),
      closed: () => this.#documents.delete(doc),
      isLive: () => this.#mode === 'live',
      resume: this.options.resume ?? true,
    });
    this.#documents.set(doc, document);
    if (this.#mode === 'live') document.subscribe();
    return document;
  }

  /** Cuts the connection without a close frame, as a lost network does; the client comes back by itself. */
  drop(): void {
    this.#socket?.terminate();
  }

  /** Cuts the connection without a close frame, and stays away until comeBack(). Counts as no loss. */
  goAway(): void {
    if (this.#mode === 'idle' || this.#mode === 'stopped' || this.#mode === 'away') return;
    const socket = this.#socket;
    this.#socket = undefined;
    clearTimeout(this.#retry);
    this.#disconnected(false);
    this.#leave('away');
    socket?.terminate();
  }

  comeBack(): void {
    if (this.#mode === 'away') this.#dial();
  }

  /** Stops the client. Submits without an answer stay unknown. */
  stop(): void {
    this.#leave('stopped');
    clearTimeout(this.#retry);
    clearTimeout(this.#leaving);
    this.#socket?.close(1000);
    this.#socket = undefined;
    for (const document of this.#documents.values()) document.abandon();
    for (const { reject } of this.#welcomes.splice(0)) reject(new Error('the client was stopped'));
  }

  send(message: ClientMessage): void {
    if (this.#mode !== 'live' && message.type !== 'hello') return;
    this.recorder.sent(message);
    this.#socket?.send(this.#codec.encode(message));
  }

  #dial(): void {
    this.#leave('connecting');
    const { client, token, localAddress } = this.options;
    const socket = new WebSocket(this.url, this.#codec.subprotocol, {
      perMessageDeflate: false,
      maxPayload: RECEIVE_BYTES,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.#socket = socket;
    /** `undefined` once the connection is made. */
    let refusal: string | undefined = 'no answer';
    socket.on('open', () => {
      refusal = undefined;
      if (this.#socket === socket)
        this.send({ type: 'hello', client, ...(token === undefined ? {} : { token }) });
    });
    socket.on('message', (data, isBinary) => {
      if (this.#socket === socket && this.#mode !== 'stopped') this.#frame(data as Buffer, isBinary);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (refusal !== undefined) refusal = reasonOf(error);
    });
    socket.on('close', (code) => {
      if (this.#socket === socket) this.#lost(code, refusal);
    });
  }

  /** The URL of the node that it is connected to, or dials next. */
  get url(): string {
    const { url, others = [] } = this.options;
    return [url, ...others][this.#place % (1 + others.length)] ?? url;
  }

  /** Returns to the first of its nodes. */
  goHome(): void {
    const { others = [] } = this.options;
    if (this.#place % (1 + others.length) !== 0) this.#moveTo(0);
  }

  /** Moves to another node without waiting for the old socket's end. */
  #moveTo(place: number): void {
    const socket = this.#socket;
    if (socket === undefined || this.#mode !== 'live') return;
    this.#disconnected(false);
    this.#place = place;
    socket.close(1000);
    this.#dial();
  }

  #anotherPlace(): number {
    const { others = [], random } = this.options;
    return others.length === 0 ? 0 : this.#place + 1 + Math.floor(random() * others.length);
  }

  #disconnected(tooLarge: boolean): void {
    clearTimeout(this.#leaving);
    this.#leaving = undefined;
    this.#place = this.#anotherPlace();
    this.recorder.lost();
    for (const document of this.#documents.values()) document.lost(tooLarge);
  }

  #lost(code: number, refusal: string | undefined): void {
    const loss = refusal === undefined ? `closed ${code}` : `not connected: ${refusal}`;
    this.losses.set(loss, (this.losses.get(loss) ?? 0) + 1);
    this.#disconnected(code === CLOSE_CODES.frameTooLarge);
    if (this.#mode === 'stopped') return;
    if (CLOSE_WITHOUT_RETRY.has(code)) {
      this.stop();
      return;
    }
    this.#leave('waiting');
    const { random, backoffFirstMs = 50, backoffMostMs = 30_000 } = this.options;
    const most = Math.min(backoffMostMs, backoffFirstMs * 2 ** Math.min(this.#attempt, 20));
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#dial(), random() * most);
  }

  #frame(data: Buffer, isBinary: boolean): void {
    let message: ServerMessage | undefined;
    this.receivedBytes += data.length;
    try {
      if (isBinary !== this.#codec.binary) throw new Error('a frame of the other subprotocol');
      message = readServerMessage(this.#codec.decode(isBinary ? data : data.toString('utf8')));
    } catch (error) {
      this.recorder.malformed(error instanceof MalformedMessage ? error.message : String(error));
    }
    if (message !== undefined) this.#take(message);
  }

  #take(message: ServerMessage): void {
    this.recorder.received(message);
    switch (message.type) {
      case 'welcome':
        this.#welcomed(message);
        return;
      case 'error':
        this.errors.set(message.code, (this.errors.get(message.code) ?? 0) + 1);
        if (message.doc !== undefined) this.#documents.get(message.doc)?.failed(message);
        return;
      case 'opened':
      case 'commit':
      case 'ack':
      case 'reject':
      case 'presence':
      case 'closed':
        this.#documents.get(message.doc)?.take(message);
        return;
      case 'draining':
        this.#leaving ??= setTimeout(() => this.#moveTo(this.#anotherPlace()), message.reconnectInMs);
        return;
      case 'role':
      case 'nodes':
      case 'pong':
        return;
      default:
        message satisfies never;
    }
  }

  #welcomed(message: Welcome): void {
    this.#leave('live');
    this.#attempt = 0;
    this.limits = message.limits;
    this.#heartbeat = setInterval(() => this.send({ type: 'ping' }), message.limits.pingMs);
    for (const { resolve } of this.#welcomes.splice(0)) resolve(message);
    for (const document of this.#documents.values()) document.subscribe();
  }

  #leave(next: Mode): void {
    clearInterval(this.#heartbeat);
    if (this.#mode !== 'stopped') this.#mode = next;
  }
}

/** The HTTP status of the refusal, which the library `ws` tells in its message alone, or the system's code. */
const reasonOf = ({ code, message }: NodeJS.ErrnoException): string =>
  /^Unexpected server response: (\d{3})$/.exec(message)?.[1] ?? code ?? 'no answer';

/** Largest frame that is accepted; above the size of any document. */
const RECEIVE_BYTES = 256 * 1024 * 1024;
