// Writes the document at which a worker is working into memory that it shares with its supervisor. After a
// crash the memory names the cause.

const MAX_NAME = 272;

export class Progress {
  private readonly bytes: Uint8Array;
  private last = '';

  /** @param memory shared memory of at least `Progress.BYTES` */
  constructor(memory: SharedArrayBuffer) {
    this.bytes = new Uint8Array(memory);
  }

  static readonly BYTES = MAX_NAME + 2;

  /** Document names are ASCII. */
  enter(name: string): void {
    if (name === this.last) return;
    this.last = name;
    this.bytes[0] = name.length >> 8;
    this.bytes[1] = name.length & 0xff;
    for (let i = 0; i < name.length; i++) this.bytes[i + 2] = name.charCodeAt(i);
  }

  clear(): void {
    this.last = '';
    this.bytes[0] = 0;
    this.bytes[1] = 0;
  }

  /** The document at which the worker was working. Undefined if there was none. */
  current(): string | undefined {
    const length = ((this.bytes[0] ?? 0) << 8) | (this.bytes[1] ?? 0);
    return length === 0 ? undefined : String.fromCharCode(...this.bytes.slice(2, 2 + length));
  }
}
