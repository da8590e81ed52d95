// The client of an application: one connection, the documents open on it, and the routing of messages between
// them. Owns the client id, its seqs and its share of the server's rates. Never looks into a document.

import { CLOSE_CODES } from '../protocol/errors.ts';
import type { Limits } from '../protocol/limits.ts';
import type { ClientMessage, KindName } from '../protocol/messages.ts';
import { isClientId, parseDocumentName } from '../protocol/names.ts';
import type { ClientEvents, ClientOptions, ClientState, DocumentsByKind, TokenSource } from './api.ts';
import { Connection, type SendResult } from './connection/connection.ts';
import type { ConnectionFailure } from './connection/failure.ts';
import type { DocumentHost, Driven } from './document/document.ts';
import { JsonHold, RichTextHold, YjsHold } from './document/hold.ts';
import { Emitter, type Listenable } from './emitter.ts';
import { knownCode, TroupeError } from './errors.ts';
import { LONGEST_TIMER_MS } from './limits.ts';
import { JsonDocumentOfClient, RichTextDocumentOfClient } from './ot/ot-document.ts';
import { defaultPlatform, defaultWebSocket, type Platform, randomClientId } from './platform.ts';
import { RateGate } from './rate.ts';
import { YjsDocumentOfClient } from './yjs/yjs-document.ts';

const PENDING_BYTES = 8 * 1024 * 1024;

/** The maker of the documents of each kind. */
const DOCUMENTS = {
  'rich-text': RichTextDocumentOfClient,
  json: JsonDocumentOfClient,
  yjs: YjsDocumentOfClient,
} as const satisfies Record<KindName, new (host: DocumentHost, name: string) => Driven>;

type OpenDocuments = { readonly [Kind in KindName]: Map<string, InstanceType<(typeof DOCUMENTS)[Kind]>> };

/**
 * A client of Troupe. Connects when it is made (unless `offline`), and for as long as it is not closed.
 * Throws TypeError for options that can never work.
 */
export class TroupeClient implements Listenable<ClientEvents> {
  /** The id of this client, as others see it in presence and in commits. */
  readonly id: string;
  readonly #platform: Platform;
  readonly #events = new Emitter<ClientEvents>();
  readonly #connection: Connection;
  readonly #host: DocumentHost;
  readonly #open: OpenDocuments = { 'rich-text': new Map(), json: new Map(), yjs: new Map() };
  readonly #submits: RateGate;
  readonly #presences: RateGate;
  readonly #stopListening: () => void;
  readonly #readyTimeoutMs: number | undefined;
  #seq = 0;
  #requests = 0;
  #closed = false;

  constructor(options: ClientOptions) {
    const platform = options.platform ?? defaultPlatform();
    this.#platform = platform;
    const { readyTimeoutMs } = options;
    if (readyTimeoutMs !== undefined && !(readyTimeoutMs > 0 && readyTimeoutMs <= LONGEST_TIMER_MS))
      throw new TypeError(`readyTimeoutMs: above 0, and at most ${LONGEST_TIMER_MS}`);
    this.#readyTimeoutMs = readyTimeoutMs;
    this.id = options.clientId ?? randomClientId(platform);
    if (!isClientId(this.id)) throw new TypeError('clientId: 8 to 64 of A-Z a-z 0-9 _ -');
    this.#connection = new Connection(
      {
        client: this.id,
        urls: options.urls,
        nodes: options.nodes ?? true,
        token: options.token,
        webSocket: options.webSocket ?? defaultWebSocket(),
        platform,
        encoding: () => options.encoding ?? (this.#open.yjs.size > 0 ? 'msgpack' : 'json'),
      },
      {
        state: (state) => this.#stateChanged(state),
        up: () => this.#up(),
        down: (closeCode) => this.#down(closeCode),
        message: (message) => this.#route(message),
        error: (error) => this.#events.emit('error', error),
        failed: (failure) => this.#events.emit('failed', failure),
        draining: (reconnectInMs) => this.#events.emit('draining', { reconnectInMs }),
      },
    );
    this.#submits = new RateGate(this.#connection.limits.submitsPerSecond, () => platform.now());
    this.#presences = new RateGate(this.#connection.limits.presencesPerSecond, () => platform.now());
    this.#host = this.#makeHost(options.pendingBytes ?? PENDING_BYTES);
    this.#stopListening = platform.onReachable(() => this.#connection.hurry());
    if (options.offline !== true) this.#connection.goOnline();
  }

  get state(): ClientState {
    return this.#connection.state;
  }

  /**
   * The latest failure since the client was live, which is why it is not connected; the same object until the
   * next one.
   */
  get failure(): ConnectionFailure | undefined {
    return this.#connection.failure;
  }

  /** The limits of the last connected server; the contract's defaults before. */
  get limits(): Limits {
    return this.#connection.limits;
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Subscribes to a document, which is created if it does not exist and the role allows. Each call returns a
   * hold of its own. Holds share content, pending edits, undo and presence; closing the last hold leaves the
   * document. Throws TroupeError: `bad-name`, `wrong-kind` (open as another kind), `not-open` (client
   * closed).
   */
  open<Kind extends KindName>(name: string, kind: Kind): DocumentsByKind[Kind];
  open(name: string, kind: KindName): DocumentsByKind[KindName] {
    if (this.#closed) throw new TroupeError('not-open', 'the client is closed');
    if (parseDocumentName(name) === undefined)
      throw new TroupeError('bad-name', `not a document's name: ${name}`);
    for (const [other, documents] of Object.entries(this.#open)) {
      if (other !== kind && documents.has(name)) {
        throw new TroupeError('wrong-kind', `${name} is open as ${other} already`);
      }
    }
    switch (kind) {
      case 'rich-text':
        return new RichTextHold(
          this.#opened(this.#open[kind], name, () => new RichTextDocumentOfClient(this.#host, name)),
          this.#readyTimeoutMs,
        );
      case 'json':
        return new JsonHold(
          this.#opened(this.#open[kind], name, () => new JsonDocumentOfClient(this.#host, name)),
          this.#readyTimeoutMs,
        );
      case 'yjs':
        return new YjsHold(
          this.#opened(this.#open[kind], name, () => new YjsDocumentOfClient(this.#host, name)),
          this.#readyTimeoutMs,
        );
      default:
        throw new TypeError(`no such kind: ${String(kind satisfies never)}`);
    }
  }

  /** For a user's switch: drops the connection. Edits are kept until `goOnline()`. */
  goOffline(): void {
    this.#connection.goOffline();
  }

  /** Connects again, after `goOffline()` or a refusal. */
  goOnline(): void {
    if (!this.#closed) this.#connection.goOnline();
  }

  /** Connects now, instead of waiting for the next attempt; also after `goOffline()` or a refusal. */
  connect(): void {
    if (this.#closed) return;
    this.#connection.goOnline();
    this.#connection.hurry();
  }

  /** Takes a new token: sends it to the server if connected, and connects if the old one was refused. */
  setToken(token: TokenSource): void {
    this.#connection.setToken(token);
  }

  /** Closes every document and the connection, for good. Pending edits are given up. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    for (const document of this.#documents()) document.session.close();
    this.#connection.end();
  }

  #opened<Document extends Driven>(
    documents: Map<string, Document>,
    name: string,
    make: () => Document,
  ): Document {
    const known = documents.get(name);
    if (known !== undefined) return known;
    const document = make();
    documents.set(name, document);
    if (this.state === 'live') document.session.up();
    return document;
  }

  #makeHost(pendingBytes: number): DocumentHost {
    return {
      client: this.id,
      platform: this.#platform,
      pendingBytes,
      clientState: () => this.#connection.state,
      limits: () => this.#connection.limits,
      send: (message: ClientMessage): SendResult => this.#connection.send(message),
      measure: (message: ClientMessage) => this.#connection.measure(message),
      nextSeq: (known: number) => {
        this.#seq = Math.max(this.#seq, known) + 1;
        return this.#seq;
      },
      requestId: () => {
        this.#requests++;
        return `r${this.#requests}`;
      },
      takeSubmit: () => this.#submits.take(),
      takePresence: () => this.#presences.take(),
      whyNot: () => this.failure?.message,
      forget: (name: string) => {
        for (const documents of Object.values(this.#open)) documents.delete(name);
      },
    };
  }

  #documents(): Driven[] {
    return Object.values(this.#open).flatMap((documents: Map<string, Driven>) => [...documents.values()]);
  }

  #find(name: string): Driven | undefined {
    return this.#open['rich-text'].get(name) ?? this.#open.json.get(name) ?? this.#open.yjs.get(name);
  }

  #stateChanged(state: ClientState): void {
    this.#events.emit('state', state);
    for (const document of this.#documents()) document.session.refresh();
  }

  #up(): void {
    this.#submits.perSecond = this.#connection.limits.submitsPerSecond;
    this.#presences.perSecond = this.#connection.limits.presencesPerSecond;
    for (const document of this.#documents()) document.session.up();
  }

  /** A frame that the server found too large must not be sent again: it was the largest that awaited its answer. */
  #down(closeCode: number | undefined): void {
    const documents = this.#documents();
    const largest = Math.max(0, ...documents.map((document) => document.session.awaitedBytes));
    let blamed = closeCode !== CLOSE_CODES.frameTooLarge || largest === 0;
    for (const document of documents) {
      const tooLarge: boolean = !blamed && document.session.awaitedBytes === largest;
      if (tooLarge) blamed = true;
      document.session.down(tooLarge);
    }
  }

  #route(message: Record<string, unknown>): void {
    if (typeof message.doc === 'string') {
      this.#find(message.doc)?.session.receive(message);
    } else if (message.type === 'error') {
      const text = typeof message.message === 'string' ? message.message : 'the server reports an error';
      this.#events.emit('error', new TroupeError(knownCode(message.code), text, message.retryable === true));
    }
  }
}
