// The destination of a node's log: a file descriptor, written in order and at once, so that the last line
// before an end is written. It never throws and never waits while the node runs: a full disk, a terminal that
// is gone, or a reader that has stopped must not hold up the node. Lines that cannot be written are dropped
// and counted.
// pino's own destination does not serve: in its synchronous mode the thread sleeps until such a reader
// continues, and in its asynchronous mode the last lines are lost.
import { writeSync } from 'node:fs';

export interface LogDestinationOptions {
  /** Applied to each text before it is written. */
  readonly mask?: (text: string) => string;
  /** Called when lines are written again after `dropped` lines were lost. */
  readonly onResumed?: (dropped: number) => void;
  /** Same as writeSync, which is the default. */
  readonly write?: (fd: number, bytes: Uint8Array) => number;
}

/** Bytes that may wait for a slow reader. Past it lines are dropped. */
const WAITING_BYTES = 1_048_576;
const RETRY_MS = 20;
/** Time for a slow reader at the end of the process. */
const LAST_MS = 200;
const LAST_PAUSE_MS = 5;

export class LogDestination {
  readonly #fd: number;
  readonly #onResumed: (dropped: number) => void;
  readonly #mask: (text: string) => string;
  readonly #writeSync: (fd: number, bytes: Uint8Array) => number;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** True if the last written byte did not end a line. */
  #isMidLine = false;
  #retry: NodeJS.Timeout | undefined;

  /**
   * If `fd` is a pipe, it must not block. `process.stdout` and `process.stderr` set that for theirs once they
   * are used.
   */
  constructor(
    fd: number,
    { mask = (text) => text, onResumed = () => undefined, write = writeSync }: LogDestinationOptions = {},
  ) {
    this.#fd = fd;
    this.#mask = mask;
    this.#onResumed = onResumed;
    this.#writeSync = write;
  }

  /** `text`: whole lines. */
  write(text: string): void {
    // A line that was cut off must not spoil the next one.
    const isCut = this.#isMidLine && this.#waiting.length === 0;
    const masked = this.#mask(text);
    const bytes = Buffer.from(isCut ? `\n${masked}` : masked);
    if (this.#waitingBytes + bytes.length > WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#retry === undefined) this.#writeOut();
  }

  /** For the end of the process: waits a short time for a slow reader. */
  flushSync(): void {
    const until = performance.now() + LAST_MS;
    while (!this.#writeOut() && performance.now() < until) Atomics.wait(NOBODY, 0, 0, LAST_PAUSE_MS);
  }

  /** True if nothing waits any more. */
  #writeOut(): boolean {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    let goesThrough = false;
    for (let [line] = this.#waiting; line !== undefined; [line] = this.#waiting) {
      try {
        const written = this.#writeSync(this.#fd, line);
        goesThrough = true;
        this.#isMidLine = written < line.length;
        this.#waitingBytes -= written;
        if (this.#isMidLine) this.#waiting[0] = line.subarray(written);
        else this.#waiting.shift();
      } catch (error) {
        if (isBehind(error)) {
          this.#retry = setTimeout(() => this.#writeOut(), RETRY_MS).unref();
          return false;
        }
        goesThrough = false;
        this.#waiting.shift();
        this.#waitingBytes -= line.length;
        this.#dropped++;
      }
    }
    if (goesThrough && this.#dropped > 0) {
      const dropped = this.#dropped;
      this.#dropped = 0;
      this.#onResumed(dropped);
    }
    return true;
  }
}

const NOBODY = new Int32Array(new SharedArrayBuffer(4));

const isBehind = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EAGAIN';
