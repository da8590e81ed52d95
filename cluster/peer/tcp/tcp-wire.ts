// A Wire over a socket, plain or TLS. Writes of one turn of the event loop are sent together; reading pauses
// while the wire has not been started. It never decides which nodes may connect.
import type { Socket } from 'node:net';
import type { Timers } from '../../../actors/clock.ts';
import { encodeFrame, FrameReader } from '../frames.ts';
import { HANDSHAKE_FRAME_BYTES } from '../handshake.ts';
import type { Frame, Wire, WireHandlers } from '../wire.ts';

/** The detail of a wire that the other end has closed. */
export const HUNG_UP = 'connection ended';
/** Time limit for sending the waiting frames after `finish`. */
const FINISH_MS = 1000;

export class TcpWire implements Wire {
  readonly #socket: Socket;
  readonly #clock: Timers;
  readonly #reader: FrameReader;
  #handlers: WireHandlers | undefined;
  /** Frames that arrived before `start`; at most those of one chunk. */
  #held: Frame[] = [];
  #ended: { reason: 'lost' | 'violation'; detail: string } | undefined;
  #over = false;
  #corked = false;

  constructor(socket: Socket, clock: Timers) {
    this.#socket = socket;
    this.#clock = clock;
    this.#reader = new FrameReader(HANDSHAKE_FRAME_BYTES, (frame) => this.#arrived(frame));
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (this.#over || this.#ended !== undefined) return;
      if (!this.#reader.push(chunk)) this.#endedThere('violation', `frame above ${this.#reader.limit} bytes`);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#endedThere('lost', error.code ?? error.message),
    );
    socket.on('end', () => this.#endedThere('lost', HUNG_UP));
    socket.on('close', () => this.#endedThere('lost', 'connection closed'));
    socket.pause();
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** The other end has proved its identity, so larger frames are accepted. */
  trust(maxFrameBytes: number): void {
    this.#reader.limit = maxFrameBytes;
  }

  start(handlers: WireHandlers): void {
    this.#handlers = handlers;
    const held = this.#held;
    this.#held = [];
    for (const frame of held) this.#arrived(frame);
    if (this.#over || this.#handlers === undefined) return;
    if (this.#ended === undefined) this.#socket.resume();
    else this.#tellEnd(this.#ended.reason, this.#ended.detail);
  }

  hold(): void {
    this.#handlers = undefined;
    this.#socket.pause();
  }

  send(type: number, stream: number, payload: Uint8Array<ArrayBuffer>): void {
    if (this.#over || this.#ended !== undefined) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(this.#uncork);
    }
    for (const bytes of encodeFrame(type, stream, payload)) this.#socket.write(bytes);
  }

  finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#uncork();
    this.#socket.end();
    this.#socket.resume();
    const cancel = this.#clock.after(FINISH_MS, () => this.#socket.destroy());
    this.#socket.once('close', cancel);
  }

  destroy(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  };

  #arrived(frame: Frame): void {
    if (this.#over) return;
    if (this.#handlers === undefined) this.#held.push(frame);
    else this.#handlers.frame(frame);
  }

  #endedThere(reason: 'lost' | 'violation', detail: string): void {
    if (this.#over || this.#ended !== undefined) return;
    this.#ended = { reason, detail };
    this.#socket.destroy();
    if (this.#handlers !== undefined) this.#tellEnd(reason, detail);
  }

  #tellEnd(reason: 'lost' | 'violation', detail: string): void {
    this.#over = true;
    this.#handlers?.end(reason, detail);
  }
}
