// Reads the messages of sockets, each no faster than it may be read: a budget of bytes and of this thread's time for
// each socket, a window of patches under way for all together, and costly reads one after the other. It stops
// reading a socket and goes on; it refuses and loses nothing.
import type { Duplex } from 'node:stream';
import type { ClientConnection } from '../client-connection.ts';
import { WholeFrames } from '../node-private/whole-frames.ts';
import { CostlyReads } from './costly-reads.ts';
import { PatchWindow } from './patch-window.ts';
import { ReadBudget } from './read-budget.ts';
import { TimedReads } from './timed-reads.ts';

export interface ReadsOptions {
  readonly maxPayload: number;
  /** Bytes per second that are read of one socket, and ms per second that its frames may take here. */
  readonly readBytes: number;
  readonly readMs: number;
  /**
   * While more bytes of patches than this are under way through the node, sockets that send many are not
   * read.
   */
  readonly patchBytes: number;
  /** `off`: nothing of the folder node-private is used. */
  readonly nodePrivate: 'auto' | 'off';
  /** ms that never go back. A resolution of some hundred ms is enough. */
  readonly now: () => number;
  readonly receive: (connection: ClientConnection, payload: Buffer, isText: boolean) => void;
}

/** Longest time that a socket is held while the patches of others are under way. */
const HOLD_MS = 1_000;

export class Reads {
  readonly #now: () => number;
  readonly #budget: ReadBudget<ClientConnection>;
  readonly window: PatchWindow<ClientConnection>;
  readonly #costly: CostlyReads<ClientConnection>;
  /** Undefined if no private parts of Node are used. */
  readonly #wholeFrames: WholeFrames<ClientConnection> | undefined;
  readonly #timed: TimedReads<ClientConnection>;

  constructor(options: ReadsOptions) {
    const { now, readBytes, readMs, patchBytes } = options;
    this.#now = now;
    const holding = {
      after: (ms: number, call: () => void) => setTimeout(call, ms).unref(),
      hold: (connection: ClientConnection) => connection.pause(),
      letGo: (connection: ClientConnection) => connection.resume(now()),
    };
    const budget = new ReadBudget<ClientConnection>({
      bytesPerSecond: readBytes,
      msPerSecond: readMs,
      now,
      pause: (connection, ms) => this.#rest(connection, ms),
    });
    const window = new PatchWindow<ClientConnection>({ ...holding, bytes: patchBytes, holdMs: HOLD_MS });
    const costly = new CostlyReads<ClientConnection>(holding);
    const spent = (connection: ClientConnection, bytes: number, ms: number): void => {
      budget.spend(connection, bytes, ms);
      window.read(connection);
      costly.read(connection, ms);
    };
    this.#budget = budget;
    this.window = window;
    this.#costly = costly;
    this.#timed = new TimedReads(spent);
    if (options.nodePrivate === 'auto')
      this.#wholeFrames = new WholeFrames(options.maxPayload, options.receive, spent);
  }

  /** Call it when ws listens to the stream already, and before anything has been read from the stream. */
  begin(connection: ClientConnection, stream: Duplex): void {
    Object.assign(connection, this.#budget.full);
    const isTapped = this.#wholeFrames?.tap(stream, connection) === true;
    if (!isTapped) this.#timed.watch(stream, connection);
  }

  closed(connection: ClientConnection): void {
    this.window.closed(connection);
    this.#costly.closed(connection);
  }

  #rest(connection: ClientConnection, ms: number): void {
    if (connection.closed || connection.isResting) return;
    connection.isResting = true;
    connection.pause();
    setTimeout(() => {
      connection.isResting = false;
      connection.resume(this.#now());
    }, ms).unref();
  }
}
