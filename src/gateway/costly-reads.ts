// Sockets whose frames take this thread long, one after the other. Each has a budget of its own (read-budget.ts); here is
// what they take together: after a costly read its socket is not read, and the sockets that wait so are let go one at a time,
// with pauses of the thread between that are as long as the reads were. It knows no frames and no messages.

export interface CostlyReadsOptions<Socket> {
  readonly after: (ms: number, call: () => void) => void;
  /** Nothing is to be read of it, or it is to be read again. */
  readonly hold: (socket: Socket) => void;
  readonly letGo: (socket: Socket) => void;
}

/** A read that takes longer is costly, ms. */
const COSTLY_MS = 8;
/** So many times as long as a costly read took the thread is left to others. */
const REST = 2;

export class CostlyReads<Socket> {
  private readonly options: CostlyReadsOptions<Socket>;
  /** In the order in which they are let go. */
  private readonly held = new Set<Socket>();
  /** Of reads for which no pause has begun, ms. */
  private owedMs = 0;
  private pausing = false;

  constructor(options: CostlyReadsOptions<Socket>) {
    this.options = options;
  }

  /** Something has been read of it, which took so long. */
  read(socket: Socket, ms: number): void {
    if (ms < COSTLY_MS) return;
    this.owedMs += REST * ms;
    if (!this.held.has(socket)) {
      this.held.add(socket);
      this.options.hold(socket);
    }
    this.pause();
  }

  closed(socket: Socket): void {
    this.held.delete(socket);
  }

  private pause(): void {
    if (this.pausing) return;
    this.pausing = true;
    const ms = this.owedMs;
    this.owedMs = 0;
    this.options.after(ms, () => {
      this.pausing = false;
      const [first] = this.held;
      if (first === undefined) return;
      this.held.delete(first);
      this.options.letGo(first);
      // The next one is let go also where this one has nothing more to say.
      if (this.held.size > 0) this.pause();
    });
  }
}
