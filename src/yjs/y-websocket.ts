// The endpoint `/yjs/{org}/{doc}` for y-websocket's clients, unchanged: the path names the document, and a socket has this
// one. It translates frames and ends; conversation.ts does everything else.
//
// Versions before 3.1 stop at no close: they come back after 100 ms, or up to 2.5 s if the upgrade has failed. So a client
// that would fail again is told why, and its socket stays for a while before it is closed.
import type { Clock } from '../../actors/clock.ts';
import { FrameError } from '../../protocol/codec.ts';
import { CLOSE_CODES } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/limits.ts';
import { websocketFrame } from '../../protocol/websocket-frame.ts';
import type { ClientConnection } from '../gateway/client-connection.ts';
import type { Receiver } from '../gateway/foreign.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Endpoint } from '../gateway/sockets/endpoint.ts';
import { YjsConversation } from './conversation.ts';
import type { ConversationOut, End } from './conversation-out.ts';
import type { Address } from './shared-frames.ts';
import { writeAwareness } from './wire/awareness.ts';
import { awarenessBody, deniedBody } from './wire/body.ts';
import { readYWebsocket } from './wire/y-websocket.ts';

export interface YWebsocketOptions {
  readonly gateway: Gateway;
  readonly limits: Limits;
  /** See `largestUpdate`. */
  readonly updateBytes: number;
  readonly after: Clock['after'];
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const PATH = '/yjs/';
const NO_ADDRESS: Address = { key: '', part: new Uint8Array() };
/** How long the socket of a client stays that would be refused again, ms. */
const REFUSED_MS = 5_000;
/** The same for a client that may be taken later. It varies at random by up to half. */
const LATER_MS = 1_000;

/** A client takes a socket on which it hears nothing for 30 s for dead. Looks come about once a second. */
const SILENT_LOOKS = 10;
/** A message that changes nothing: the presence of nobody. */
const NOTHING_NEW = websocketFrame(awarenessBody(writeAwareness([])), true);

export class YWebsocketEndpoint implements Endpoint {
  readonly #options: YWebsocketOptions;

  constructor(options: YWebsocketOptions) {
    this.#options = options;
  }

  takes(path: string): boolean {
    return path.startsWith(PATH);
  }

  attach(connection: ClientConnection, path: string, token: string | undefined): void {
    const socket = new YWebsocketSocket(this.#options, connection, documentIn(path));
    connection.receiver = socket;
    socket.begin(token);
  }
}

class YWebsocketSocket implements Receiver, ConversationOut {
  readonly #options: YWebsocketOptions;
  readonly #connection: ClientConnection;
  readonly #conversation: YjsConversation;
  /** Looks since something was written. */
  #silentLooks = 0;
  /** Cancels the close that is due. */
  #cancel: (() => void) | undefined;

  constructor(options: YWebsocketOptions, connection: ClientConnection, doc: string) {
    this.#options = options;
    this.#connection = connection;
    const { gateway, limits, updateBytes, after } = options;
    this.#conversation = new YjsConversation({
      gateway,
      connection,
      doc,
      address: NO_ADDRESS,
      limits,
      updateBytes,
      after,
      out: this,
    });
  }

  begin(token: string | undefined): void {
    this.#conversation.begin(token);
  }

  receive(frame: Uint8Array, isText: boolean): void {
    try {
      if (isText) throw new FrameError('a text frame');
      this.#conversation.receive(readYWebsocket(frame));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#connection.close(CLOSE_CODES.badMessage, error.message);
    }
  }

  leave(afterMs: number): void {
    this.#closeAfter(afterMs, CLOSE_CODES.draining, 'the node is leaving');
  }

  look(): void {
    const wasSilent = !this.#conversation.hasSpoken;
    this.#conversation.hasSpoken = false;
    this.#silentLooks = wasSilent ? this.#silentLooks + 1 : 0;
    if (this.#silentLooks < SILENT_LOOKS) return;
    this.#silentLooks = 0;
    this.#connection.write(NOTHING_NEW);
  }

  disconnected(): void {
    this.#cancel?.();
    this.#conversation.close();
  }

  saved(): void {
    // The client sees its own update come back.
  }

  opened(): void {
    // A client that only reads is told at its first edit: the only message for it reads like an error.
  }

  role(): void {}

  readonly hasSyncStatus = false;
  /** Without a sync status this makes no difference. */
  readonly isAnswered = true;

  comesBack(): void {
    // Its provider counts nothing.
  }

  asksForToken(): boolean {
    return false;
  }

  refusedAsReader(message: string): void {
    this.#deny(message);
  }

  ended({ closeCode, message, isShort }: End): void {
    if (isShort) {
      this.#connection.close(closeCode, message);
      return;
    }
    const { random } = this.#options;
    const isLater = closeCode === CLOSE_CODES.overloaded;
    // Providers show the message as a refusal, which an end that passes is not.
    if (!isLater) this.#deny(message);
    this.#closeAfter(isLater ? LATER_MS * (0.5 + random()) : REFUSED_MS, closeCode, message);
  }

  #deny(reason: string): void {
    this.#connection.write(websocketFrame(deniedBody(reason), true));
  }

  #closeAfter(ms: number, code: number, reason: string): void {
    this.#cancel?.();
    this.#cancel = this.#options.after(ms, () => this.#connection.close(code, reason));
  }
}

/** The document that the path names. It may be no valid name. */
function documentIn(path: string): string {
  const name = path.slice(PATH.length);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
