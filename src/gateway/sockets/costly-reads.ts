// Bounds the time that costly frames of all sockets together take of this thread; read-budget.ts bounds each
// socket. After a costly read its socket is held, and the held sockets are released one at a time. Before
// each release the thread rests in proportion to the time of the costly reads. This class knows nothing of
// frames or messages.

export interface CostlyReadsOptions<Socket> {
  readonly after: (ms: number, call: () => void) => void;
  /** `hold` stops reading the socket, `letGo` starts reading it again. */
  readonly hold: (socket: Socket) => void;
  readonly letGo: (socket: Socket) => void;
}

/** A read that takes longer than this many ms is costly. */
const COSTLY_MS = 8;
/** Length of a pause, as a multiple of the time of the costly read. */
const REST = 2;

export class CostlyReads<Socket> {
  readonly #options: CostlyReadsOptions<Socket>;
  /** In the order in which they are released. */
  readonly #held = new Set<Socket>();
  /** Pauses due for reads since the last pause began, ms. */
  #owedMs = 0;
  #pausing = false;

  constructor(options: CostlyReadsOptions<Socket>) {
    this.#options = options;
  }

  /** Reports a read of this socket and its time. */
  read(socket: Socket, ms: number): void {
    if (ms < COSTLY_MS) return;
    this.#owedMs += REST * ms;
    if (!this.#held.has(socket)) {
      this.#held.add(socket);
      this.#options.hold(socket);
    }
    this.#pause();
  }

  closed(socket: Socket): void {
    this.#held.delete(socket);
  }

  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    const ms = this.#owedMs;
    this.#owedMs = 0;
    this.#options.after(ms, () => {
      this.#pausing = false;
      const [first] = this.#held;
      if (first === undefined) return;
      this.#held.delete(first);
      this.#options.letGo(first);
      // The next socket is released even if this one sends nothing more.
      if (this.#held.size > 0) this.#pause();
    });
  }
}
