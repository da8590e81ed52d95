// One socket: its client, its open documents, its rates, and the frames that wait for its reader. It writes
// frames; it does not know their meaning.
import type { Duplex } from 'node:stream';
import { CLOSE_REASONS, METRICS } from '../../actors/metrics/metrics.ts';
import type { ThreadCounts } from '../../actors/metrics/thread-counts.ts';
import type { Codec } from '../../protocol/codec.ts';
import { CLOSE_CODES, type ErrorCode } from '../../protocol/errors.ts';
import type { ServerMessage } from '../../protocol/messages.ts';
import { websocketFrame } from '../../protocol/websocket-frame.ts';
import type { User } from '../identity/user.ts';
import type { Conversation, Receiver } from './foreign.ts';
import type { HeldDocuments } from './held-documents.ts';
import type { DirectWrites } from './node-private/direct-writes.ts';
import { OpenDocuments } from './open-documents.ts';
import type { Quota } from './quotas/quota.ts';
import type { ClientSocket } from './sockets/client-socket.ts';
import type { PatchWindow } from './sockets/patch-window.ts';

const encoder = new TextEncoder();

/**
 * Providers of Yjs stop at codes from 4400 to 4499. These are for clients that may come back, so such a provider gets another
 * code.
 */
const COMES_BACK: ReadonlyMap<number, number> = new Map([
  [CLOSE_CODES.rateLimited, CLOSE_CODES.overloaded],
  [CLOSE_CODES.noHello, CLOSE_CODES.overloaded],
]);

/** Presence is left out while more than this part of outboxBytes waits for the reader. */
const PRESENCE_SHARE = 1 / 4;
/** A reader that asks for more while this many outboxes wait is not reading. */
const ASKED_TOO_MUCH = 4;

/** Tokens of one second. */
interface Rates {
  readonly opens: number;
  readonly submits: number;
  readonly presences: number;
}

export interface HeldFrames {
  readonly frames: { readonly frame: Uint8Array; readonly isText: boolean }[];
  bytes: number;
}

export class ClientConnection {
  // The fields are in this order in memory, first those that each frame needs.
  readonly stream: Duplex;
  /** Undefined if the socket speaks another protocol than the contract's. */
  readonly codec: Codec | undefined;
  closed = false;
  /** Undefined if all frames go through the stream. */
  readonly #direct: DirectWrites | undefined;
  /** Bytes of snapshots under way, for which a reader may take its time. */
  #grace = 0;
  /**
   * A large answer that waits for its turn, as its parts, and everything that comes behind it. Undefined if
   * nothing is held back.
   */
  #heldBack: (Uint8Array | readonly Uint8Array[])[] | undefined;
  /** Bytes held back behind large answers. */
  #heldBytes = 0;
  readonly #outboxBytes: number;
  readonly #window: PatchWindow<ClientConnection> | undefined;
  readonly #counts: ThreadCounts | undefined;
  readonly #rates: Rates;
  /** When the socket last gave a sign of life, in ms of the gateway's clock. */
  heard: number;
  pinged = false;
  /** The socket has been silent for so long that others do not see its presence. */
  isHidden = false;
  /** Messages since the gateway last reset this count, each second. */
  messages = 0;
  /** See `FrameProgress`. */
  passing = 0;
  /** See `ReadState`. */
  readBytesLeft = 0;
  readMsLeft = 0;
  readFilled = 0;
  /** Takes the frames of a socket that speaks another protocol. */
  receiver: Receiver | undefined;
  /** Is told, in another protocol, what is about a document. */
  conversation: Conversation | undefined;
  /** Set by hello. */
  client: string | undefined;
  /** The documents that the socket has open. */
  readonly open = new OpenDocuments();
  /** Bytes of the socket's patches that wait for an answer. */
  unansweredBytes = 0;
  /** See `WindowState`. */
  expectedBytes = 0;
  /** The number of reasons for which the socket is not read now. */
  pauses = 0;
  /** The socket is beyond its read budget. */
  isResting = false;
  submitTokens: number;
  refilled: number;
  openTokens: number;
  presenceTokens: number;
  /** Messages refused for their rate since the last refill. */
  refusals = 0;
  readonly socket: ClientSocket;
  /** The client sent its own id. Otherwise it gets another id at each connect. */
  hasOwnId = false;
  /** Set by the first hello. Later ones may bring the same user with other rights. */
  user: User | undefined;
  /** The rates that all sockets of the user share. Undefined if nothing is limited. */
  quota: Quota | undefined;
  /** The address of the client, if addresses are limited. */
  address: string | undefined;
  /** The token of the upgrade, until the hello. */
  bearer: string | undefined;
  /** The cookie of a login that the upgrade carried, until the hello. */
  cookie: string | undefined;
  /** The user's token has ended, and a new one is awaited. */
  hasEnded = false;
  /** Cancels the wait for the end of the token, or the wait for a new one. */
  cancelEnd: (() => void) | undefined;
  /** Documents whose roles are being asked for, or whose close waits, with the frames behind that. */
  waiting: HeldDocuments | undefined;
  /** Frames that wait while a token of this socket is being checked. */
  held: HeldFrames | undefined;
  /**
   * The client was sent to another node, and is closed if it is still here at this time, in ms of the
   * gateway's clock.
   */
  goesBy: number | undefined;
  /** When the socket connected, by the same clock. */
  readonly since: number;

  constructor(
    socket: ClientSocket,
    stream: Duplex,
    codec: Codec | undefined,
    outboxBytes: number,
    now: number,
    rates: Rates,
    direct?: DirectWrites,
    window?: PatchWindow<ClientConnection>,
    counts?: ThreadCounts,
  ) {
    this.#counts = counts;
    this.#window = window;
    this.socket = socket;
    this.stream = stream;
    this.#direct = direct?.takes(stream) ? direct : undefined;
    this.codec = codec;
    this.#outboxBytes = outboxBytes;
    this.since = now;
    this.heard = now;
    this.refilled = now;
    this.#rates = rates;
    this.openTokens = rates.opens;
    this.submitTokens = rates.submits;
    this.presenceTokens = rates.presences;
  }

  /** Gives the arguments of a further connection over the same socket. It has rates of its own. */
  another(): ConstructorParameters<typeof ClientConnection> {
    const { socket, stream, codec, heard } = this;
    return [
      socket,
      stream,
      codec,
      this.#outboxBytes,
      heard,
      this.#rates,
      this.#direct,
      undefined,
      this.#counts,
    ];
  }

  /**
   * Writes a ready-made frame in this connection's subprotocol. Closes the socket with 4508 if the reader is too
   * slow.
   */
  write(frame: Uint8Array): void {
    if (this.closed || (this.#grace > 0 && this.#goesBehind(frame))) return;
    if (this.#direct === undefined || !this.#direct.write(this.stream, frame)) this.#push(frame);
  }

  /**
   * Writes the parts of a snapshot or of another large answer that was asked for. Alone it is no sign of a
   * slow reader.
   */
  writeLarge(parts: readonly Uint8Array[], bytes: number): void {
    if (this.closed) return;
    const waiting = this.stream.writableLength;
    if (waiting > ASKED_TOO_MUCH * this.#outboxBytes) {
      this.close(CLOSE_CODES.slowReader, 'reader too slow');
      return;
    }
    this.#grace = (waiting === 0 ? 0 : this.#grace) + bytes;
    const { stream } = this;
    // The parts become one write, and are judged together: no frame ends in the middle.
    stream.cork();
    for (const part of parts) stream.write(part);
    stream.uncork();
    this.#judge(bytes);
  }

  get isHeldBack(): boolean {
    return this.#heldBack !== undefined;
  }

  /** Holds a large answer back, and everything that is written after it, until `writeHeldBack`. */
  holdBack(parts: readonly Uint8Array[], bytes: number): void {
    if (this.closed) return;
    this.#heldBack ??= [];
    this.#heldBack.push(parts);
    this.#grace += bytes;
  }

  /**
   * Writes the large answer that was held back first, and everything behind it up to the next one. Returns
   * the bytes of the answer.
   */
  writeHeldBack(): number {
    const [answer, ...rest] = this.#heldBack ?? [];
    if (this.closed || !Array.isArray(answer)) return 0;
    const parts: readonly Uint8Array[] = answer;
    const next = rest.findIndex((held) => Array.isArray(held));
    const behind = next < 0 ? rest : rest.slice(0, next);
    this.#heldBack = next < 0 ? undefined : rest.slice(next);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#grace -= bytes;
    this.writeLarge(parts, bytes);
    for (const frame of behind) {
      if (!(frame instanceof Uint8Array)) continue;
      this.#heldBytes -= frame.length;
      if (!this.closed) this.#push(frame);
    }
    return bytes;
  }

  /** True if the frame has to wait behind a large answer that is held back. */
  #goesBehind(frame: Uint8Array): boolean {
    if (this.#heldBack === undefined) {
      if (this.stream.writableLength === 0) this.#grace = 0;
      return false;
    }
    this.#heldBack.push(frame);
    this.#heldBytes += frame.length;
    // The stream may hold as much as this. It counts what waits, and closes the socket of a slow reader.
    if (this.#heldBytes > this.#outboxBytes) this.#writeAllHeldBack();
    return true;
  }

  #writeAllHeldBack(): void {
    while (this.#heldBack !== undefined && !this.closed) this.writeHeldBack();
  }

  #push(frame: Uint8Array): void {
    // While the stream is below its high-water mark, which is never above the bound, it need not be asked.
    if (!this.stream.write(frame)) this.#judge(frame.length);
  }

  /**
   * Closes the socket if its reader is too slow. Only bytes that waited before the last `bytes` count, so a
   * first frame that is large is no sign of a slow reader.
   */
  #judge(bytes: number): void {
    if (this.stream.writableLength - bytes > this.#outboxBytes + this.#grace)
      this.close(CLOSE_CODES.slowReader, 'reader too slow');
  }

  send(message: ServerMessage): void {
    if (this.codec !== undefined) this.write(frameOf(this.codec, message));
    else if (message.type === 'draining') this.receiver?.leave(message.reconnectInMs);
    else this.conversation?.told(message);
  }

  /** True if others see a presence of this connection, or did before it was hidden. */
  get hasPresence(): boolean {
    for (const { presence } of this.open.values()) if (presence !== undefined) return true;
    for (const { hasPresence } of this.receiver?.connections?.() ?? []) if (hasPresence) return true;
    return false;
  }

  /** Bytes that wait for the reader. */
  get waitingBytes(): number {
    return this.stream.writableLength + this.#heldBytes;
  }

  /** True if messages that may be lost are worth sending. */
  get keepsUp(): boolean {
    return this.#heldBack === undefined && this.stream.writableLength < this.#outboxBytes * PRESENCE_SHARE;
  }

  /** Reports that more bytes of the connection's patches wait for an answer, or fewer. */
  countUnanswered(bytes: number): void {
    if (this.#window === undefined) this.unansweredBytes += bytes;
    else this.#window.changed(this, bytes);
  }

  /** Stops reading the socket, until `resume` has been called once for each call. */
  pause(): void {
    if (this.pauses++ === 0) this.socket.pause();
  }

  /** `now`: ms of the gateway's clock. */
  resume(now: number): void {
    if (--this.pauses > 0) return;
    // Messages that came meanwhile have not been read yet.
    this.heard = now;
    this.socket.resume();
  }

  /** Closes a socket that is not accepted. A client of another protocol may have to be told first. */
  turnAway(code: ErrorCode, closeCode: number, reason: string): void {
    if (this.conversation === undefined) this.close(closeCode, reason);
    else this.conversation.turnedAway(code, reason);
  }

  /**
   * Closes the socket. Nothing is written after this. The gateway learns of it by the socket's `close` event.
   */
  close(code: number, reason: string): void {
    if (this.closed) return;
    this.#writeAllHeldBack();
    if (this.closed) return;
    this.closed = true;
    this.#counts?.countAs(METRICS.socketsClosed, CLOSE_REASONS.get(code) ?? '');
    this.socket.close(this.codec === undefined ? (COMES_BACK.get(code) ?? code) : code, reason);
  }
}

/** The message as a frame of the subprotocol. */
export function frameOf(codec: Codec, message: ServerMessage): Uint8Array {
  const encoded = codec.encode(message);
  return websocketFrame(typeof encoded === 'string' ? encoder.encode(encoded) : encoded, codec.binary);
}
