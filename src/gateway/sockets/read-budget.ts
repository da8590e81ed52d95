// The budget of one socket for reading: bytes, and the time that its frames take of this thread, both per
// second. A socket beyond its budget is not read for a while, so that TCP holds its client back: nothing is
// refused or lost, and other sockets go on. This class knows nothing of frames or messages.

/** The fields of a socket that the budget uses. */
export interface ReadState {
  /** The rest of the two budgets. Below 0: spent in advance. */
  readBytesLeft: number;
  readMsLeft: number;
  /** When the budgets were last filled up, in ms by the budget's clock. */
  readFilled: number;
}

export interface ReadBudgetOptions<Socket extends ReadState> {
  readonly bytesPerSecond: number;
  readonly msPerSecond: number;
  /** ms that never go back. A resolution of some hundred ms is enough. */
  readonly now: () => number;
  /** Stops reading the socket for so many ms. */
  readonly pause: (socket: Socket, ms: number) => void;
}

/** Called after a read of a socket, with its bytes and the ms that they took of this thread. */
export type Spent<Socket> = (socket: Socket, bytes: number, ms: number) => void;

export class ReadBudget<Socket extends ReadState> {
  readonly #options: ReadBudgetOptions<Socket>;

  constructor(options: ReadBudgetOptions<Socket>) {
    this.#options = options;
  }

  /** The budgets of a new socket: one second's worth. */
  get full(): ReadState {
    const { bytesPerSecond, msPerSecond, now } = this.#options;
    return { readBytesLeft: bytesPerSecond, readMsLeft: msPerSecond, readFilled: now() };
  }

  /** Reports a read of this socket, with its bytes and time. */
  spend(socket: Socket, bytes: number, ms: number): void {
    socket.readBytesLeft -= bytes;
    socket.readMsLeft -= ms;
    if (socket.readBytesLeft >= 0 && socket.readMsLeft >= 0) return;
    const { bytesPerSecond, msPerSecond, now, pause } = this.#options;
    const seconds = Math.max(0, now() - socket.readFilled) / 1000;
    socket.readFilled = now();
    // Before this read the budgets held at most one second's worth.
    const bytesBefore = socket.readBytesLeft + bytes + seconds * bytesPerSecond;
    const msBefore = socket.readMsLeft + ms + seconds * msPerSecond;
    socket.readBytesLeft = Math.min(bytesPerSecond, bytesBefore) - bytes;
    socket.readMsLeft = Math.min(msPerSecond, msBefore) - ms;
    const short = Math.max(-socket.readBytesLeft / bytesPerSecond, -socket.readMsLeft / msPerSecond);
    if (short > 0) pause(socket, Math.ceil(Math.max(LEAST_MS, 1000 * short)));
  }
}

/** A shorter pause is not worth its timer. */
const LEAST_MS = 50;
