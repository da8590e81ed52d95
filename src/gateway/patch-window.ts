// The bytes of patches that are on their way through this node, from being read to being answered, and the sockets that
// are not read for a while because these are too many. A patch that waits here costs the others time at each thread and in
// each batch, one that waits in TCP costs nobody anything. Only sockets with much on its way are held: what a person types
// is always read. It knows no frames and no documents.

/** The window's own fields of a socket. */
export interface WindowState {
  /** Bytes of its patches that wait for an answer. */
  unansweredBytes: number;
  /** It was let go, and nothing has been read of it since: bytes that are expected of it. */
  expectedBytes: number;
}

export interface PatchWindowOptions<Socket extends WindowState> {
  /** Bytes on their way above which sockets are held. */
  readonly bytes: number;
  /** Longest time that a socket is held, ms: patches of others may be without an answer for long. */
  readonly holdMs: number;
  readonly after: (ms: number, call: () => void) => void;
  /** Nothing is to be read of it, or it is to be read again. */
  readonly hold: (socket: Socket) => void;
  readonly letGo: (socket: Socket) => void;
}

/** A socket with fewer bytes on their way is not held. */
const MUCH_BYTES = 16 * 1024;
/** Expected of a socket that is let go. */
const NEXT_BYTES = 64 * 1024;

export class PatchWindow<Socket extends WindowState> {
  private readonly options: PatchWindowOptions<Socket>;
  private bytes = 0;
  /** In the order in which they are let go. A held socket is in it once. */
  private readonly held = new Set<Socket>();

  constructor(options: PatchWindowOptions<Socket>) {
    this.options = options;
  }

  /** So many bytes more of its patches wait for an answer, or fewer. */
  changed(socket: Socket, bytes: number): void {
    socket.unansweredBytes += bytes;
    this.bytes += bytes;
    if (socket.unansweredBytes === 0) this.expect(socket, 0);
    if (bytes < 0) this.letGo();
  }

  /** Something has been read of it. */
  read(socket: Socket): void {
    if (socket.expectedBytes > 0) this.expect(socket, 0);
    if (socket.unansweredBytes < MUCH_BYTES || this.bytes < this.options.bytes || this.held.has(socket))
      return;
    this.held.add(socket);
    this.options.hold(socket);
    this.options.after(this.options.holdMs, () => {
      if (this.held.has(socket)) this.release(socket);
    });
  }

  /** It is closed; its patches have been counted out. */
  closed(socket: Socket): void {
    this.held.delete(socket);
    this.expect(socket, 0);
  }

  private letGo(): void {
    for (const socket of this.held) {
      if (this.bytes >= this.options.bytes) return;
      this.release(socket);
    }
  }

  private release(socket: Socket): void {
    this.held.delete(socket);
    this.expect(socket, NEXT_BYTES);
    this.options.letGo(socket);
  }

  private expect(socket: Socket, bytes: number): void {
    this.bytes += bytes - socket.expectedBytes;
    socket.expectedBytes = bytes;
  }
}
