// A client's WebSocket in a simulation, both ends: frames go each way in order, with a network's delays,
// until one end closes it or it breaks. The server's end is a real ClientConnection.
import { Duplex } from 'node:stream';
import type { Codec } from '../../../protocol/codec.ts';
import { ClientConnection } from '../../../src/gateway/client-connection.ts';
import type { Gateway } from '../../../src/gateway/gateway.ts';
import { ClientSocket } from '../../../src/gateway/sockets/client-socket.ts';
import { opensAtOnce } from '../../../src/gateway/sockets/rates.ts';
import { Pipe } from '../machines/pipe.ts';
import type { Thread } from '../machines/thread.ts';
import { between, LIMITS, type World } from '../world.ts';

/** The events at the client's end. None comes after `closed`. */
export interface ClientEnd {
  /** Without a codec, `payload` is bytes as they were written: parts of frames, and several frames. */
  /** `sentAtMs`: the time at which the server wrote it. */
  frame(payload: Uint8Array, binary: boolean, sentAtMs: number): void;
  /** Code 1006: the connection broke. */
  closed(code: number): void;
}

const OUTBOX_BYTES = 256 * 1024;

export class Connection {
  readonly #gateway: Gateway;
  readonly #main: Thread;
  readonly #codec: Codec | undefined;
  readonly #attach: ((session: ClientConnection) => void) | undefined;
  readonly #end: ClientEnd;
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  readonly #onOver: () => void;
  #over = false;
  session: ClientConnection | undefined;

  constructor(
    world: World,
    server: { readonly gateway: Gateway; readonly main: Thread; readonly now: () => number },
    /** Undefined: `attach` gives the server's end its protocol. */
    codec: Codec | undefined,
    end: ClientEnd,
    onOver: () => void,
    attach?: (session: ClientConnection) => void,
  ) {
    this.#attach = attach;
    const { scheduler, delays } = world;
    const random = world.random(`connection ${world.counts.get('connections') ?? 0}`);
    world.count('connections');
    const delay = (): number => between(random, delays.client);
    this.#gateway = server.gateway;
    this.#main = server.main;
    this.#codec = codec;
    this.#end = end;
    this.#onOver = onOver;
    this.#toServer = new Pipe(scheduler, server.main, delay);
    this.#toClient = new Pipe(scheduler, undefined, delay);
    this.#toServer.send(() => this.#accept(server.now()));
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    this.#toServer.send(() => {
      if (this.session !== undefined)
        this.#gateway.receive(this.session, Buffer.from(message), typeof message === 'string');
    });
  }

  /** The client closes the connection. */
  close(): void {
    this.#toServer.end(() => this.#disconnected());
    this.#over = true;
  }

  /** The network, or the end of the server's process, has ended the connection. */
  breakOff(share: number): void {
    this.#toServer.breakOff(share, () => this.#disconnected());
    this.#toClient.breakOff(share, () => this.#closed(1006));
  }

  #accept(now: number): void {
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        const sentAtMs = this.#main.scheduler.now();
        this.#toClient.send(() => {
          const payload = this.#codec === undefined ? chunk : payloadOf(chunk);
          if (!this.#over) this.#end.frame(payload, chunk[0] === 0x82, sentAtMs);
        });
        done();
      },
    });
    const socket: SimSocket = Reflect.construct(SimSocket, [null, undefined, {}]);
    socket.onClose = (code) => {
      this.#toClient.end(() => this.#closed(code));
      this.#main.scheduler.soon(() => this.#main.run(() => this.#disconnected()));
    };
    const rates = {
      opens: opensAtOnce(LIMITS),
      submits: LIMITS.submitsPerSecond,
      presences: LIMITS.presencesPerSecond,
    };
    this.session = new ClientConnection(socket, stream, this.#codec, OUTBOX_BYTES, now, rates);
    this.#attach?.(this.session);
  }

  #disconnected(): void {
    if (this.session !== undefined) this.#gateway.disconnected(this.session);
    this.session = undefined;
    this.#onOver();
  }

  #closed(code: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#end.closed(code);
  }
}

/** The server's end, as ClientConnection closes it. */
class SimSocket extends ClientSocket {
  onClose: (code: number) => void = () => undefined;

  override close(code = 1000): void {
    this.onClose(code);
  }
}

/** The message of a frame, without the WebSocket header. */
function payloadOf(frame: Uint8Array): Uint8Array {
  const length = (frame[1] ?? 0) & 0x7f;
  return frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10);
}
