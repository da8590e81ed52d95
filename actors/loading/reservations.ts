// A bound on the memory for history that is read for documents in one worker. A reader reserves the bytes
// of the largest answer first. If they are not free, the reader waits for its turn, in the order of asking.
// If too many wait already, it is refused.

interface Asked<Asker> {
  readonly asker: Asker;
  readonly bytes: number;
  readonly then: (release: () => void) => void;
}

export class Reservations<Asker> {
  #free: number;
  readonly #total: number;
  readonly #mostWaiting: number;
  #waiting: Asked<Asker>[] = [];
  readonly #held = new Map<Asker, Set<() => void>>();

  constructor(bytes: number, mostWaiting: number) {
    this.#total = bytes;
    this.#free = bytes;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * Calls `then` once the bytes are reserved, at once if they are free. They stay reserved until the given
   * `release` is called. False if too many wait. A request for more bytes than the total reserves the
   * total.
   */
  ask(asker: Asker, bytes: number, then: (release: () => void) => void): boolean {
    const asked = { asker, bytes: Math.min(bytes, this.#total), then };
    if (this.#waiting.length === 0 && asked.bytes <= this.#free) {
      this.#grant(asked);
      return true;
    }
    if (this.#waiting.length >= this.#mostWaiting) return false;
    this.#waiting.push(asked);
    return true;
  }

  /** Drops an asker that is gone: frees its reservations and forgets its requests. */
  forget(asker: Asker): void {
    this.#waiting = this.#waiting.filter((asked) => asked.asker !== asker);
    for (const release of [...(this.#held.get(asker) ?? [])]) release();
  }

  #grant({ asker, bytes, then }: Asked<Asker>): void {
    this.#free -= bytes;
    const held = this.#held.get(asker) ?? new Set();
    this.#held.set(asker, held);
    const release = (): void => {
      if (!held.delete(release)) return;
      if (held.size === 0) this.#held.delete(asker);
      this.#free += bytes;
      for (let first = this.#waiting[0]; first !== undefined && first.bytes <= this.#free; ) {
        this.#waiting.shift();
        this.#grant(first);
        first = this.#waiting[0];
      }
    };
    held.add(release);
    then(release);
  }
}
