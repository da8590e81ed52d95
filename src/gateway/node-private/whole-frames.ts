// Takes messages that arrive in one piece, as nearly all do, from a socket's bytes before ws gets them,
// because ws's receiver costs a noticeable part of the CPU of an edit. ws handles everything else: control
// frames, fragments, frames in several pieces, and all errors, so that ws closes the socket. This class only
// finds where frames end.
import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { Spent } from '../sockets/read-budget.ts';

/**
 * The state of a socket: the bytes that ws still has to get of a frame that it has begun. EVERYTHING means
 * that ws gets all bytes from now on.
 */
export interface FrameProgress {
  passing: number;
}

/** Called with the payload of a data frame. That of a text frame is valid UTF-8. */
export type Taken<Socket> = (socket: Socket, payload: Buffer, isText: boolean) => void;

const EVERYTHING = -1;
/** Smaller chunks that hold only whole messages are not timed, because their number is bounded elsewhere. */
const TIMED_BYTES = 1024;
/**
 * Lower bounds of the time that ws takes for a frame, ms, and of the size of a frame: a small chunk may hold
 * many frames.
 */
const WS_FRAME_MS = 0.002;
const LEAST_FRAME_BYTES = 6;

const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const MASKED = 0x80;
const LENGTH = 0x7f;
/** The length follows in two bytes or in eight. */
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
  readonly #maxPayload: number;
  readonly #taken: Taken<Socket>;
  readonly #spent: Spent<Socket>;
  readonly #tapped: Listener & { listener?: unknown };
  /** The listener of ws, one function for all its sockets. */
  #toWs: Listener | undefined;

  /** `maxPayload`: the same limit as that of ws. */
  constructor(maxPayload: number, taken: Taken<Socket>, spent: Spent<Socket> = () => undefined) {
    this.#maxPayload = maxPayload;
    this.#taken = taken;
    this.#spent = spent;
    const data = (stream: Tapped<Socket>, chunk: Bytes): void => this.#data(stream, chunk);
    this.#tapped = function (chunk) {
      data(this, chunk);
    };
  }

  /**
   * Puts this listener before that of ws, which listens to the stream already. Nothing has been read from the
   * stream. False if ws does not listen with one function for all its sockets: then all bytes are left to
   * ws, and nothing is reported as spent.
   */
  tap(stream: Duplex, socket: Socket): boolean {
    const [toWs, ...others] = stream.listeners('data') as Listener[];
    if (toWs === undefined || others.length > 0 || toWs !== (this.#toWs ?? toWs)) return false;
    this.#toWs = toWs;
    (stream as Tapped<Socket>)[SOCKET] = socket;
    stream.removeListener('data', toWs);
    // The same property as `once` sets: when ws removes its listener after a close or an error, this listener
    // goes.
    this.#tapped.listener = toWs;
    stream.on('data', this.#tapped);
    return true;
  }

  #data(stream: Tapped<Socket>, chunk: Bytes): void {
    const socket = stream[SOCKET];
    const isTimed = chunk.length >= TIMED_BYTES;
    const began = isTimed ? performance.now() : 0;
    const toWs = this.#split(stream, socket, chunk);
    if (socket === undefined) return;
    const ms = isTimed ? performance.now() - began : (toWs / LEAST_FRAME_BYTES) * WS_FRAME_MS;
    this.#spent(socket, chunk.length, ms);
  }

  /** Returns the number of bytes that were left to ws. */
  #split(stream: Tapped<Socket>, socket: Socket | undefined, chunk: Bytes): number {
    let at = 0;
    if (socket !== undefined && socket.passing !== EVERYTHING) {
      if (socket.passing === 0) at = this.#take(socket, chunk);
      if (at === chunk.length) return 0;
      // Bytes after a frame of ws go to ws too, because it reports an error and lets go of the stream only
      // after this turn. Nothing more is read within the turn.
      if (socket.passing !== EVERYTHING) socket.passing = this.#leftOver(chunk, at + socket.passing);
    }
    this.#toWs?.call(stream, at === 0 ? chunk : chunk.subarray(at));
    return chunk.length - at;
  }

  /** Takes the messages at the start of the chunk, and returns where they end. */
  #take(socket: Socket, chunk: Bytes): number {
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
      if (end > chunk.length || bytes > this.#maxPayload) break;
      mask(chunk, start, end);
      const payload = chunk.subarray(start, end);
      const isText = first === FINAL_TEXT;
      if (isText && !isUtf8(payload)) {
        mask(chunk, start, end);
        socket.passing = EVERYTHING;
        break;
      }
      this.#taken(socket, payload, isText);
      at = end;
    }
    return at;
  }

  /**
   * How far the last of the frames from `at` on reaches beyond the chunk. EVERYTHING if that depends on how
   * ws handles them.
   */
  #leftOver(chunk: Bytes, at: number): number {
    let next = at;
    while (next < chunk.length) {
      const end = this.#endOf(chunk, next);
      if (end === undefined) return EVERYTHING;
      next = end;
    }
    return next - chunk.length;
  }

  /**
   * The end of a message in one frame, a ping or a pong. Undefined for other frames, and for an incomplete
   * header.
   */
  #endOf(chunk: Bytes, at: number): number | undefined {
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
    return bytes > this.#maxPayload ? undefined : start + bytes;
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
