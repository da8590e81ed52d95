// Where the log of a node goes: a file descriptor, written to in order and at once, so that the last line before
// an end is there. It never throws, and waits for nobody while the node runs: neither a full disk, nor a terminal
// that is gone, nor a reader that has stopped may hold a node up. What cannot be written is dropped and counted.
// pino's own, written at once, puts the thread to sleep until such a reader goes on; written later, it loses the last lines.
import { writeSync } from 'node:fs';

export interface LogDestinationOptions {
  /** Applied to each text before it is written. */
  readonly mask?: (text: string) => string;
  /** What follows was written, after so many lines were dropped. */
  readonly onResumed?: (dropped: number) => void;
  /** As writeSync, which is the default. */
  readonly write?: (fd: number, bytes: Uint8Array) => number;
}

/** What may wait for a reader that is behind. Past it lines are dropped. */
const WAITING_BYTES = 1_048_576;
const RETRY_MS = 20;
/** How long a reader that is behind is waited for at the end of the process. */
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
  /** The last byte that was written is not a line's last. */
  #isMidLine = false;
  #retry: NodeJS.Timeout | undefined;

  /** `fd` must not block where it is a pipe. `process.stdout` and `process.stderr`, once used, see to it for theirs. */
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
    // A line that was cut off does not spoil the next one.
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

  /** For the end of the process: waits a moment for a reader that is behind. */
  flushSync(): void {
    const until = performance.now() + LAST_MS;
    while (!this.#writeOut() && performance.now() < until) Atomics.wait(NOBODY, 0, 0, LAST_PAUSE_MS);
  }

  /** Whether nothing waits any more. */
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
