// Writes signs of life of a worker, and the document at which it is working, into memory that it shares with its
// supervisor. After a crash the memory names the cause.

const MAX_NAME = 272;

export class Progress {
  readonly #signs: Int32Array;
  readonly #bytes: Uint8Array;
  #last = '';

  /** @param memory shared memory of at least `Progress.BYTES` */
  constructor(memory: SharedArrayBuffer) {
    this.#signs = new Int32Array(memory, 0, 1);
    this.#bytes = new Uint8Array(memory, Int32Array.BYTES_PER_ELEMENT);
  }

  static readonly BYTES = Int32Array.BYTES_PER_ELEMENT + MAX_NAME + 2;

  /** The worker's event loop turns. */
  beat(): void {
    Atomics.add(this.#signs, 0, 1);
  }

  /** A number that changes with each beat. */
  get beats(): number {
    return Atomics.load(this.#signs, 0);
  }

  /** Document names are ASCII. */
  enter(name: string): void {
    if (name === this.#last) return;
    this.#last = name;
    this.#bytes[0] = name.length >> 8;
    this.#bytes[1] = name.length & 0xff;
    for (let i = 0; i < name.length; i++) this.#bytes[i + 2] = name.charCodeAt(i);
  }

  clear(): void {
    this.#last = '';
    this.#bytes[0] = 0;
    this.#bytes[1] = 0;
  }

  /** The document at which the worker was working. Undefined if there was none. */
  current(): string | undefined {
    const length = ((this.#bytes[0] ?? 0) << 8) | (this.#bytes[1] ?? 0);
    return length === 0 ? undefined : String.fromCharCode(...this.#bytes.slice(2, 2 + length));
  }
}
