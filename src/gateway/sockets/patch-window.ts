// Counts the bytes of patches that are under way through this node, from being read to being answered, and
// holds sockets while there are too many. A patch that waits in this process delays the others at each thread
// and in each batch; a patch that waits in TCP delays none. Only sockets with many bytes under way are held,
// so people's typing is always read. This class knows nothing of frames or documents.

/** The fields of a socket that the window uses. */
export interface WindowState {
  /** Bytes of the socket's patches that wait for an answer. */
  unansweredBytes: number;
  /** Bytes expected of a socket that was released and has not been read since. */
  expectedBytes: number;
}

export interface PatchWindowOptions<Socket extends WindowState> {
  /** Sockets are held while more bytes than this are under way. */
  readonly bytes: number;
  /** Longest time that a socket is held, ms. Patches of others may stay unanswered for long. */
  readonly holdMs: number;
  readonly after: (ms: number, call: () => void) => void;
  /** `hold` stops reading the socket, `letGo` starts reading it again. */
  readonly hold: (socket: Socket) => void;
  readonly letGo: (socket: Socket) => void;
}

/** A socket with fewer bytes under way is not held. */
const MUCH_BYTES = 16 * 1024;
/** Bytes expected of a socket that is released. */
const NEXT_BYTES = 64 * 1024;

export class PatchWindow<Socket extends WindowState> {
  readonly #options: PatchWindowOptions<Socket>;
  #bytes = 0;
  /** In the order in which they are released. Each held socket is in the set once. */
  readonly #held = new Set<Socket>();

  constructor(options: PatchWindowOptions<Socket>) {
    this.#options = options;
  }

  /** Bytes of patches under way. */
  get underWay(): number {
    return this.#bytes;
  }

  /** Reports that more bytes of the socket's patches wait for an answer, or fewer. */
  changed(socket: Socket, bytes: number): void {
    socket.unansweredBytes += bytes;
    this.#bytes += bytes;
    if (socket.unansweredBytes === 0) this.#expect(socket, 0);
    if (bytes < 0) this.#letGo();
  }

  /** Reports a read of this socket. */
  read(socket: Socket): void {
    if (socket.expectedBytes > 0) this.#expect(socket, 0);
    if (socket.unansweredBytes < MUCH_BYTES || this.#bytes < this.#options.bytes || this.#held.has(socket))
      return;
    this.#held.add(socket);
    this.#options.hold(socket);
    this.#options.after(this.#options.holdMs, () => {
      if (this.#held.has(socket)) this.#release(socket);
    });
  }

  /** Reports that the socket is closed. Its patches have been subtracted before. */
  closed(socket: Socket): void {
    this.#held.delete(socket);
    this.#expect(socket, 0);
  }

  #letGo(): void {
    for (const socket of this.#held) {
      if (this.#bytes >= this.#options.bytes) return;
      this.#release(socket);
    }
  }

  #release(socket: Socket): void {
    this.#held.delete(socket);
    this.#expect(socket, NEXT_BYTES);
    this.#options.letGo(socket);
  }

  #expect(socket: Socket, bytes: number): void {
    this.#bytes += bytes - socket.expectedBytes;
    socket.expectedBytes = bytes;
  }
}
