// The events of a run as a hash over every event and every frame to a client, and on request the last lines
// as text. Two runs with the same hash had the same events.

export interface TraceOptions {
  /** The number of lines to keep. 0: no line is made. */
  readonly lines: number;
}

export class Trace {
  readonly #most: number;
  readonly #kept: string[] = [];
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;
  readonly #now: () => number;

  constructor(options: TraceOptions, now: () => number) {
    this.#most = options.lines;
    this.#now = now;
  }

  get isKept(): boolean {
    return this.#most > 0;
  }

  /** The hash: 64 bits, in hex. */
  get hash(): string {
    return [this.#a, this.#b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  number(value: number): void {
    // The hash covers fractions of a millisecond.
    this.#word(value);
    this.#word((value % 1) * 0x1_0000_0000);
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.#word(value.charCodeAt(i));
  }

  bytes(value: Uint8Array): void {
    for (let i = 0; i < value.length; i++) this.#word(value[i] ?? 0);
  }

  /** Adds a line of text, which is made only if lines are kept. */
  line(make: () => string): void {
    if (this.#most === 0) return;
    this.#kept.push(`${(this.#now() / 1000).toFixed(4)} ${make()}`);
    if (this.#kept.length > 2 * this.#most) this.#kept.splice(0, this.#most);
  }

  get lines(): readonly string[] {
    return this.#kept.slice(-this.#most);
  }

  #word(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = Math.imul((this.#b << 5) ^ (this.#b >>> 27) ^ value, 0x85ebca6b);
  }
}
