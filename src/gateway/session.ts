// One socket: who is behind it, what it has open, what it may still send, and what waits to be read
// by it. It writes frames; it does not know what they mean.
import type { Duplex } from 'node:stream';
import type { Codec } from '../../protocol/codec.ts';
import { CLOSE } from '../../protocol/errors.ts';
import type { ServerMessage } from '../../protocol/messages.ts';
import { websocketFrame } from '../../protocol/websocket-frame.ts';
import type { Subscription } from './channel.ts';
import type { ClientSocket } from './client-socket.ts';
import type { DirectWrites } from './direct-writes.ts';
import type { PatchWindow } from './patch-window.ts';

const encoder = new TextEncoder();

/** Presence is left out for a reader that is this far behind, of outboxBytes. */
const PRESENCE_SHARE = 1 / 4;
/** A reader that asks for more while this many outboxes wait does not read. */
const ASKED_TOO_MUCH = 4;

/** By name; the one found last is found at once. */
class OpenDocuments extends Map<string, Subscription> {
  private lastDoc = '';
  private last: Subscription | undefined;

  override get(doc: string): Subscription | undefined {
    if (doc === this.lastDoc) return this.last;
    const found = super.get(doc);
    // What is not there may have any name, of any length.
    if (found !== undefined) this.remember(doc, found);
    return found;
  }

  override set(doc: string, subscription: Subscription): this {
    this.remember('', undefined);
    return super.set(doc, subscription);
  }

  override delete(doc: string): boolean {
    this.remember('', undefined);
    return super.delete(doc);
  }

  override clear(): void {
    this.remember('', undefined);
    super.clear();
  }

  private remember(doc: string, subscription: Subscription | undefined): void {
    this.lastDoc = doc;
    this.last = subscription;
  }
}

export class Session {
  // In this order they are in memory: first what each frame to and from it needs.
  readonly stream: Duplex;
  readonly codec: Codec;
  closed = false;
  /** undefined: its stream is to have all. */
  private readonly direct: DirectWrites | undefined;
  /** Bytes of snapshots on their way: a reader may take its time for these. */
  private grace = 0;
  private readonly outboxBytes: number;
  private readonly window: PatchWindow<Session> | undefined;
  /** Clock of the gateway, ms: when it was heard of last. */
  heard: number;
  pinged = false;
  /** Not heard of for so long that others do not see its presence. */
  isHidden = false;
  /** Messages since the gateway's clock last counted afresh, each second. */
  messages = 0;
  /** As `FrameProgress` has it. */
  passing = 0;
  /** As `ReadState` has them. */
  readBytesLeft = 0;
  readMsLeft = 0;
  readFilled = 0;
  /** Set by hello. */
  client: string | undefined;
  /** Documents that it has open. */
  readonly open: Map<string, Subscription> = new OpenDocuments();
  /** Bytes of its patches that wait for an answer. */
  unansweredBytes = 0;
  /** As `WindowState` has it. */
  expectedBytes = 0;
  /** For how many reasons nothing is read of it now. */
  pauses = 0;
  /** It is beyond its read budget. */
  isResting = false;
  submitTokens: number;
  refilled: number;
  openTokens: number;
  presenceTokens: number;
  /** Messages refused for their rate since the last refill. */
  refusals = 0;
  readonly socket: ClientSocket;
  /** It came with its id; otherwise it has another one each time. */
  hasOwnId = false;
  user = '';
  /** Sent to another node: it is closed where it is still here then. By the gateway's clock, ms. */
  goesBy: number | undefined;
  /** When it connected, by the same clock. */
  readonly since: number;

  constructor(
    socket: ClientSocket,
    stream: Duplex,
    codec: Codec,
    outboxBytes: number,
    now: number,
    rates: { opens: number; submits: number; presences: number },
    direct?: DirectWrites,
    window?: PatchWindow<Session>,
  ) {
    this.window = window;
    this.socket = socket;
    this.stream = stream;
    this.direct = direct?.takes(stream) ? direct : undefined;
    this.codec = codec;
    this.outboxBytes = outboxBytes;
    this.since = now;
    this.heard = now;
    this.refilled = now;
    this.openTokens = rates.opens;
    this.submitTokens = rates.submits;
    this.presenceTokens = rates.presences;
  }

  /** A ready-made frame in this session's subprotocol. Closes the socket, 4508, where the reader is too slow. */
  write(frame: Uint8Array): void {
    if (this.closed) return;
    if (this.grace > 0 && this.stream.writableLength === 0) this.grace = 0;
    if (this.direct === undefined || !this.direct.write(this.stream, frame)) this.push(frame);
  }

  /** A snapshot or another large answer that was asked for: it alone is no sign of a slow reader. */
  writeLarge(frame: Uint8Array): void {
    if (this.closed) return;
    const waiting = this.stream.writableLength;
    if (waiting > ASKED_TOO_MUCH * this.outboxBytes) {
      this.close(CLOSE.slowReader, 'reader too slow');
      return;
    }
    this.grace = (waiting === 0 ? 0 : this.grace) + frame.length;
    this.push(frame);
  }

  private push(frame: Uint8Array): void {
    // Below its high-water mark, which is never above the bound, the stream need not be asked.
    if (this.stream.write(frame)) return;
    // What counts is what waited before it: the first large frame of all is no sign of a slow reader.
    if (this.stream.writableLength - frame.length > this.outboxBytes + this.grace) {
      this.close(CLOSE.slowReader, 'reader too slow');
    }
  }

  send(message: ServerMessage): void {
    this.write(this.frame(message));
  }

  /** The message as a frame of this session's subprotocol. */
  frame(message: ServerMessage): Uint8Array {
    const encoded = this.codec.encode(message);
    return websocketFrame(typeof encoded === 'string' ? encoder.encode(encoded) : encoded, this.codec.binary);
  }

  /** Whether others see a presence of it, or did before it was hidden. */
  get hasPresence(): boolean {
    for (const { presence } of this.open.values()) if (presence !== undefined) return true;
    return false;
  }

  /** Whether it is worth sending what may be lost. */
  get keepsUp(): boolean {
    return this.stream.writableLength < this.outboxBytes * PRESENCE_SHARE;
  }

  /** Of its patches so many bytes more wait for an answer, or fewer. */
  countUnanswered(bytes: number): void {
    if (this.window === undefined) this.unansweredBytes += bytes;
    else this.window.changed(this, bytes);
  }

  /** Nothing is written after it. The gateway hears of it by the socket's `close`. */
  close(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close(code, reason);
  }
}
