// The endpoint `/hocuspocus` for Hocuspocus's providers, unchanged: one socket carries several documents, each with a token
// and a user of its own. It translates frames and ends; conversation.ts does everything else.
//
// A document is begun by its token, or by its step 1, because providers without a token send none. Messages about it that
// come earlier are left out: a provider sends everything again after its step 1. A document that is refused is told so, and
// its provider stops. A document that may be opened later closes the socket after a moment, because a provider comes back
// with its socket only; its other documents come back with it.
import type { Clock } from '../../actors/clock.ts';
import { FrameError } from '../../protocol/codec.ts';
import { CLOSE_CODES } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import { websocketFrame } from '../../protocol/websocket-frame.ts';
import type { ClientConnection } from '../gateway/client-connection.ts';
import type { Receiver } from '../gateway/foreign.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Endpoint } from '../gateway/sockets/endpoint.ts';
import { takeOpen } from '../gateway/sockets/rates.ts';
import { YjsConversation } from './conversation.ts';
import type { ConversationOut, End } from './conversation-out.ts';
import { DocumentConnection } from './document-connection.ts';
import { writeAwareness } from './wire/awareness.ts';
import { awarenessBody } from './wire/body.ts';
import {
  addressPart,
  authenticatedBody,
  closeBody,
  type HocuspocusMessage,
  permissionDeniedBody,
  pongBody,
  readHocuspocus,
  syncStatusBody,
  tokenRequestBody,
} from './wire/hocuspocus.ts';

export interface HocuspocusOptions {
  readonly gateway: Gateway;
  readonly limits: Limits;
  /** The most bytes of an update. */
  readonly updateBytes: number;
  readonly after: Clock['after'];
  /** ms that never go back. */
  readonly now: () => number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const PATHS: ReadonlySet<string> = new Set(['/hocuspocus', '/hocuspocus/']);
const TOKEN_BYTES = 16 * 1024;
/** Time until the socket of a document is closed that may be opened later, ms. It varies at random by up to half. */
const LATER_MS = 1_000;
/** A provider takes a socket on which it hears nothing for 30 s for dead. Looks come about once a second. */
const SILENT_LOOKS = 10;

/** The presence of nobody: a message that changes nothing. */
const NOTHING_NEW = awarenessBody(writeAwareness([]));

/** The ends after which a document may be opened when its client comes back. */
const LATER: ReadonlySet<number> = new Set([CLOSE_CODES.overloaded, CLOSE_CODES.rateLimited]);

export class HocuspocusEndpoint implements Endpoint {
  readonly #options: HocuspocusOptions;

  constructor(options: HocuspocusOptions) {
    this.#options = options;
  }

  takes(path: string): boolean {
    return PATHS.has(path);
  }

  attach(connection: ClientConnection, _path: string, token: string | undefined): void {
    connection.receiver = new HocuspocusSocket(this.#options, connection, token);
  }
}

class HocuspocusSocket implements Receiver {
  readonly #options: HocuspocusOptions;
  readonly #connection: ClientConnection;
  /** The token of the upgrade's query. */
  readonly #token: string | undefined;
  readonly #bounds: { readonly tokenBytes: number; readonly statelessBytes: number };
  /** By address. */
  readonly #documents = new Map<string, HocuspocusDocument>();
  /** See ConversationOut. */
  isAnswered = false;
  /** Looks since something was written. */
  #silentLooks = 0;
  /** Cancels the close that is due. */
  #cancel: (() => void) | undefined;

  constructor(options: HocuspocusOptions, connection: ClientConnection, token: string | undefined) {
    this.#options = options;
    this.#connection = connection;
    this.#token = token;
    this.#bounds = { tokenBytes: TOKEN_BYTES, statelessBytes: options.limits.presenceBytes };
  }

  *connections(): Generator<ClientConnection> {
    for (const { connection } of this.#documents.values()) yield connection;
  }

  receive(frame: Uint8Array, isText: boolean): void {
    try {
      if (isText) throw new FrameError('a text frame');
      const { address, document, message } = readHocuspocus(frame, this.#bounds);
      this.#take(address, document, message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#connection.close(CLOSE_CODES.badMessage, error.message);
    }
  }

  leave(afterMs: number): void {
    this.closeAfter(afterMs, CLOSE_CODES.draining, 'the node is leaving');
  }

  look(): void {
    let hasSpoken = false;
    for (const { connection, conversation } of this.#documents.values()) {
      hasSpoken ||= conversation.hasSpoken;
      conversation.hasSpoken = false;
      this.takeClient(connection);
    }
    this.#silentLooks = hasSpoken ? 0 : this.#silentLooks + 1;
    if (this.#silentLooks < SILENT_LOOKS) return;
    const [address = ''] = this.#documents.keys();
    this.#silentLooks = 0;
    this.#write(addressed(addressPart(address), NOTHING_NEW));
  }

  disconnected(): void {
    this.#cancel?.();
    for (const document of [...this.#documents.values()]) document.leave();
  }

  /** The socket counts as a client's from its first document on whose user is known. Other sockets are closed with 4408. */
  takeClient({ client }: ClientConnection): void {
    this.#connection.client ??= client;
  }

  /** Closes the socket. Its client comes back with all documents. */
  closeAfter(ms: number, code: number, reason: string): void {
    this.#cancel?.();
    this.#cancel = this.#options.after(ms, () => this.#connection.close(code, reason));
  }

  forget(address: string, document: HocuspocusDocument): void {
    if (this.#documents.get(address) === document) this.#documents.delete(address);
  }

  #write(frame: Uint8Array): void {
    this.isAnswered = true;
    this.#connection.write(frame);
  }

  #take(address: string, name: string, message: HocuspocusMessage): void {
    if (message.type === 'pong') return;
    if (message.type === 'ping') {
      this.#write(websocketFrame(pongBody(), true));
      return;
    }
    const document = this.#documents.get(address);
    if (document !== undefined) document.receive(message);
    else if (message.type === 'token')
      this.#begin(address, name, message.token || this.#token, message.version !== undefined);
    else if (message.type === 'step-1') this.#begin(address, name, this.#token, false)?.receive(message);
  }

  #begin(
    address: string,
    name: string,
    token: string | undefined,
    tellsVersion: boolean,
  ): HocuspocusDocument | undefined {
    const { limits, now } = this.#options;
    if (this.#documents.size >= limits.openDocuments) {
      const reason = `a socket may have ${limits.openDocuments} documents open`;
      this.#write(addressed(addressPart(address), permissionDeniedBody(reason)));
      return undefined;
    }
    // Each open costs the check of a token.
    if (takeOpen(this.#connection, limits, now()) > 0) {
      this.closeAfter(LATER_MS, CLOSE_CODES.overloaded, 'too many opens');
      return undefined;
    }
    const document = new HocuspocusDocument(
      this.#options,
      this,
      this.#connection,
      address,
      name,
      tellsVersion,
    );
    this.#documents.set(address, document);
    document.conversation.begin(token);
    return document;
  }
}

/** One document of a socket. */
class HocuspocusDocument implements ConversationOut {
  readonly connection: DocumentConnection;
  readonly conversation: YjsConversation;
  readonly hasSyncStatus = true;
  readonly #options: HocuspocusOptions;
  readonly #socket: HocuspocusSocket;
  readonly #address: string;
  readonly #part: Uint8Array;
  #isOpened = false;
  /** The scope that the client was told last. */
  #isReadOnly: boolean | undefined;
  readonly #tellsVersion: boolean;

  constructor(
    options: HocuspocusOptions,
    socket: HocuspocusSocket,
    connection: ClientConnection,
    address: string,
    name: string,
    tellsVersion: boolean,
  ) {
    this.#options = options;
    this.#tellsVersion = tellsVersion;
    this.#socket = socket;
    this.#address = address;
    this.#part = addressPart(address);
    this.connection = new DocumentConnection(connection, () => {
      socket.isAnswered = true;
    });
    this.conversation = new YjsConversation({
      gateway: options.gateway,
      connection: this.connection,
      doc: name,
      address: { key: address, part: this.#part },
      limits: options.limits,
      updateBytes: options.updateBytes,
      after: options.after,
      out: this,
    });
  }

  get isAnswered(): boolean {
    return this.#socket.isAnswered;
  }

  receive(message: HocuspocusMessage): void {
    switch (message.type) {
      case 'token':
        this.conversation.renew(message.token === '' ? undefined : message.token);
        return;
      case 'stateless':
        this.conversation.tell(message.payload);
        return;
      case 'close':
        this.leave();
        return;
      case 'ping':
      case 'pong':
        return;
      default:
        this.conversation.receive(message);
    }
  }

  /** Ends the document without a word: its client has closed it, or the socket is gone. */
  leave(): void {
    this.conversation.close();
    this.#forget();
  }

  saved(isSaved: boolean): void {
    this.#write(syncStatusBody(isSaved));
  }

  opened(isReadOnly: boolean): void {
    this.#isOpened = true;
    this.#socket.takeClient(this.connection);
    if (isReadOnly !== this.#isReadOnly) this.role(isReadOnly);
  }

  role(isReadOnly: boolean): void {
    this.#isReadOnly = isReadOnly;
    this.#write(authenticatedBody(isReadOnly));
  }

  refusedAsReader(): void {
    // The sync status has told it.
  }

  comesBack(): void {
    this.#socket.closeAfter(0, CLOSE_CODES.draining, 'come back to count what is saved');
  }

  /** Providers of version 2 take no notice. They come back with a new token when the socket is closed. */
  asksForToken(): boolean {
    this.#write(tokenRequestBody());
    return true;
  }

  ended({ closeCode, message }: End): void {
    if (LATER.has(closeCode)) {
      const { random } = this.#options;
      this.#socket.closeAfter(LATER_MS * (0.5 + random()), closeCode, message);
    } else {
      this.#write(permissionDeniedBody(message));
      // Version 2 throws at a close message. Only version 4 tells its version.
      if (this.#isOpened && this.#tellsVersion) this.#write(closeBody(message));
    }
    this.#forget();
  }

  #forget(): void {
    const { gateway, after } = this.#options;
    this.#socket.forget(this.#address, this);
    if (this.connection.closed) return;
    this.connection.closed = true;
    // The gateway may be about to go on with this connection.
    after(0, () => gateway.disconnected(this.connection));
  }

  #write(body: Uint8Array): void {
    this.conversation.hasSpoken = true;
    this.connection.write(addressed(this.#part, body));
  }
}

const addressed = (part: Uint8Array, body: Uint8Array): Uint8Array =>
  websocketFrame(Buffer.concat([part, body]), true);
