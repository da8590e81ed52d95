// What one socket may make this thread read: bytes, and the time that its frames take here, both per second. A socket
// that is beyond its budget is not read for a while, so that TCP holds its client back: nothing is refused and nothing is
// lost, and the others go on. It knows no frames and no messages.

/** What is kept of a socket. */
export interface ReadState {
  /** Left of its budgets; below 0: spent ahead. */
  readBytesLeft: number;
  readMsLeft: number;
  /** When they were filled up last, ms by the budget's clock. */
  readFilled: number;
}

export interface ReadBudgetOptions<Socket extends ReadState> {
  readonly bytesPerSecond: number;
  readonly msPerSecond: number;
  /** ms that never go back; may be as coarse as some hundred. */
  readonly now: () => number;
  /** Reads nothing of it for so many ms. */
  readonly pause: (socket: Socket, ms: number) => void;
}

export class ReadBudget<Socket extends ReadState> {
  private readonly options: ReadBudgetOptions<Socket>;

  constructor(options: ReadBudgetOptions<Socket>) {
    this.options = options;
  }

  /** A second's worth, for a new socket. */
  get full(): ReadState {
    const { bytesPerSecond, msPerSecond, now } = this.options;
    return { readBytesLeft: bytesPerSecond, readMsLeft: msPerSecond, readFilled: now() };
  }

  /** So much of it has been read. */
  spend(socket: Socket, bytes: number, ms: number): void {
    socket.readBytesLeft -= bytes;
    socket.readMsLeft -= ms;
    if (socket.readBytesLeft >= 0 && socket.readMsLeft >= 0) return;
    const { bytesPerSecond, msPerSecond, now, pause } = this.options;
    const seconds = Math.max(0, now() - socket.readFilled) / 1000;
    socket.readFilled = now();
    // They were never fuller than a second's worth before this.
    const bytesBefore = socket.readBytesLeft + bytes + seconds * bytesPerSecond;
    const msBefore = socket.readMsLeft + ms + seconds * msPerSecond;
    socket.readBytesLeft = Math.min(bytesPerSecond, bytesBefore) - bytes;
    socket.readMsLeft = Math.min(msPerSecond, msBefore) - ms;
    const short = Math.max(-socket.readBytesLeft / bytesPerSecond, -socket.readMsLeft / msPerSecond);
    if (short > 0) pause(socket, Math.ceil(Math.max(LEAST_MS, 1000 * short)));
  }
}

/** No shorter pause is worth its timer. */
const LEAST_MS = 50;
