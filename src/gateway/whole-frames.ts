// Messages that come whole, as nearly all do, taken from a socket's bytes before ws gets them: its receiver costs a
// sixteenth of all that a node does for an edit (measured). Everything else is ws's: control frames, fragments, frames in
// several parts, and whatever is wrong, so that it is ws that closes. Here is nothing but where a frame ends.
import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';

/** What is kept of a socket: bytes that ws is still to get of a frame that it has begun. EVERYTHING: it gets all that comes. */
export interface FrameProgress {
  passing: number;
}

/** A data frame's payload, text where it was a text frame, and its bytes. */
export type Taken<Socket> = (socket: Socket, payload: string | Uint8Array, bytes: number) => void;

/** What a socket's bytes cost: how many they were, and how long they took here, ms. */
export type Spent<Socket> = (socket: Socket, bytes: number, ms: number) => void;

const EVERYTHING = -1;
/** Of chunks that are smaller, and hold whole messages alone, the time is not taken: their number is bounded elsewhere. */
const TIMED_BYTES = 1024;
/** What ws takes for a frame at least, ms, and how short a frame is at least: a small chunk may hold that many. */
const WS_FRAME_MS = 0.002;
const LEAST_FRAME_BYTES = 6;

const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const MASKED = 0x80;
const LENGTH = 0x7f;
/** The length stands behind, in two bytes or in eight. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const CONTROL_BYTES = 125;
const MASK_BYTES = 4;

const SOCKET = Symbol('socket');

type Bytes = Buffer<ArrayBuffer>;
type Listener = (this: Duplex, chunk: Bytes) => void;
interface Tapped<Socket> extends Duplex {
  [SOCKET]?: Socket;
}

export class WholeFrames<Socket extends FrameProgress> {
  private readonly maxPayload: number;
  private readonly taken: Taken<Socket>;
  private readonly spent: Spent<Socket>;
  private readonly tapped: Listener & { listener?: unknown };
  /** The one listener of ws, the same for all its sockets. */
  private toWs: Listener | undefined;

  /** `maxPayload`: as ws has it. */
  constructor(maxPayload: number, taken: Taken<Socket>, spent: Spent<Socket> = () => undefined) {
    this.maxPayload = maxPayload;
    this.taken = taken;
    this.spent = spent;
    const data = (stream: Tapped<Socket>, chunk: Bytes): void => this.data(stream, chunk);
    this.tapped = function (chunk) {
      data(this, chunk);
    };
  }

  /**
   * Stands before ws, which listens to the stream already; nothing has been read from it. Where ws listens otherwise than
   * with one function for all its sockets, everything is left to it.
   */
  tap(stream: Duplex, socket: Socket): void {
    const [toWs, ...others] = stream.listeners('data') as Listener[];
    if (toWs === undefined || others.length > 0 || toWs !== (this.toWs ?? toWs)) return;
    this.toWs = toWs;
    (stream as Tapped<Socket>)[SOCKET] = socket;
    stream.removeListener('data', toWs);
    // As `once` does it: when ws takes its listener away, after a close or an error, this one goes.
    this.tapped.listener = toWs;
    stream.on('data', this.tapped);
  }

  private data(stream: Tapped<Socket>, chunk: Bytes): void {
    const socket = stream[SOCKET];
    const isTimed = chunk.length >= TIMED_BYTES;
    const began = isTimed ? performance.now() : 0;
    const toWs = this.split(stream, socket, chunk);
    if (socket === undefined) return;
    const ms = isTimed ? performance.now() - began : (toWs / LEAST_FRAME_BYTES) * WS_FRAME_MS;
    this.spent(socket, chunk.length, ms);
  }

  /** How many of the bytes were left to ws. */
  private split(stream: Tapped<Socket>, socket: Socket | undefined, chunk: Bytes): number {
    let at = 0;
    if (socket !== undefined && socket.passing !== EVERYTHING) {
      if (socket.passing === 0) at = this.take(socket, chunk);
      if (at === chunk.length) return 0;
      // What stands behind a frame of ws's goes to it too: it tells of an error, and lets go of the stream, after the
      // turn. Nothing more is read within it.
      if (socket.passing !== EVERYTHING) socket.passing = this.leftOver(chunk, at + socket.passing);
    }
    this.toWs?.call(stream, at === 0 ? chunk : chunk.subarray(at));
    return chunk.length - at;
  }

  /** Takes the messages that the chunk begins with; returns where they end. */
  private take(socket: Socket, chunk: Bytes): number {
    let at = 0;
    while (at + 2 + MASK_BYTES <= chunk.length) {
      const first = chunk[at];
      const second = chunk[at + 1] ?? 0;
      if ((first !== FINAL_TEXT && first !== FINAL_BINARY) || second < MASKED) break;
      let bytes = second & LENGTH;
      let start = at + 2 + MASK_BYTES;
      if (bytes === LENGTH_64) break;
      if (bytes === LENGTH_16) {
        bytes = chunk.readUInt16BE(at + 2);
        start += 2;
      }
      const end = start + bytes;
      if (end > chunk.length || bytes > this.maxPayload) break;
      mask(chunk, start, end);
      if (first === FINAL_BINARY) this.taken(socket, chunk.subarray(start, end), bytes);
      else {
        const text = chunk.toString('utf8', start, end);
        if (text.includes('\ufffd') && !isUtf8(chunk.subarray(start, end))) {
          mask(chunk, start, end);
          socket.passing = EVERYTHING;
          break;
        }
        this.taken(socket, text, bytes);
      }
      at = end;
    }
    return at;
  }

  /** How far the last of the frames from `at` on reaches beyond the chunk; EVERYTHING where that hangs on what ws makes of them. */
  private leftOver(chunk: Bytes, at: number): number {
    let next = at;
    while (next < chunk.length) {
      const end = this.endOf(chunk, next);
      if (end === undefined) return EVERYTHING;
      next = end;
    }
    return next - chunk.length;
  }

  /** Of a message in one frame, a ping or a pong; undefined: it is none, or its header is not there as a whole. */
  private endOf(chunk: Bytes, at: number): number | undefined {
    const first = chunk[at];
    const second = chunk[at + 1] ?? 0;
    const isData = first === FINAL_TEXT || first === FINAL_BINARY;
    if ((!isData && first !== PING && first !== PONG) || second < MASKED) return undefined;
    let bytes = second & LENGTH;
    let start = at + 2 + MASK_BYTES;
    if (!isData && bytes > CONTROL_BYTES) return undefined;
    if (bytes === LENGTH_16) start += 2;
    else if (bytes === LENGTH_64) start += 8;
    if (start > chunk.length) return undefined;
    if (bytes === LENGTH_16) bytes = chunk.readUInt16BE(at + 2);
    else if (bytes === LENGTH_64) bytes = Number(chunk.readBigUInt64BE(at + 2));
    return bytes > this.maxPayload ? undefined : start + bytes;
  }
}

/** Masks or unmasks a payload in place, with the mask that stands before it. */
function mask(chunk: Bytes, start: number, end: number): void {
  const a = chunk[start - 4] ?? 0;
  const b = chunk[start - 3] ?? 0;
  const c = chunk[start - 2] ?? 0;
  const d = chunk[start - 1] ?? 0;
  let at = start;
  for (; at + 3 < end; at += 4) {
    chunk[at] = (chunk[at] ?? 0) ^ a;
    chunk[at + 1] = (chunk[at + 1] ?? 0) ^ b;
    chunk[at + 2] = (chunk[at + 2] ?? 0) ^ c;
    chunk[at + 3] = (chunk[at + 3] ?? 0) ^ d;
  }
  if (at < end) chunk[at] = (chunk[at] ?? 0) ^ a;
  if (at + 1 < end) chunk[at + 1] = (chunk[at + 1] ?? 0) ^ b;
  if (at + 2 < end) chunk[at + 2] = (chunk[at + 2] ?? 0) ^ c;
}
