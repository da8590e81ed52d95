// The clients whose presence the readers of one document have been told. After a change of owner it knows which of them the new
// owner has not told yet: their node may have ended together with the former owner, and then no owner tells their end. It
// sends nothing.

export class PresentClients {
  readonly #here = new Set<string>();
  /** Clients of which a former owner has told, and the present one has not. */
  readonly #doubted = new Set<string>();
  /** When the latest change of owner began, by the gateway's clock. */
  #doubtedAt = 0;
  /** Changes of owner so far. */
  changes = 0;
  /** A timer runs after which the clients in doubt end. */
  isEnding = false;

  get hasDoubts(): boolean {
    return this.#doubted.size > 0;
  }

  get doubtedAt(): number {
    return this.#doubtedAt;
  }

  /** Takes what an owner tells: client, text or null, client, … */
  take(changes: readonly (string | null)[]): void {
    for (let at = 0; at < changes.length; at += 2) {
      const client = changes[at] ?? '';
      this.#doubted.delete(client);
      if (typeof changes[at + 1] === 'string') this.#here.add(client);
      else this.#here.delete(client);
    }
  }

  /** Takes the names of clients whose presence a reader has been told. */
  add(clients: readonly string[]): void {
    for (const client of clients) {
      this.#doubted.delete(client);
      this.#here.add(client);
    }
  }

  /** The channel has lost its owner. No client counts as told any more, until an owner tells of it again. */
  doubt(now: number): void {
    for (const client of this.#here) this.#doubted.add(client);
    this.#doubtedAt = now;
    this.changes++;
    this.isEnding = false;
  }

  /** The ends of the clients that are still in doubt, as an owner would tell them. */
  endDoubted(): (string | null)[] {
    const ends = [...this.#doubted].flatMap((client) => [client, null]);
    this.take(ends);
    return ends;
  }
}
