// The presence that slow readers of one document have missed. A reader that does not keep up is told of no
// changes. Once it keeps up again it is told the newest state of each client that has changed meanwhile, so
// that it shows no cursor of a client that is gone. Nothing is kept while no reader is slow.
import type { ClientConnection } from '../client-connection.ts';

/** Most clients whose newest state is kept. The states themselves are bounded by the owner. */
export const CLIENTS_KEPT = 4096;

export class MissedPresence {
  /** The newest state of each client that has changed, the oldest change first. */
  readonly #states = new Map<string, { readonly change: number; readonly data: string | null }>();
  /** Slow readers, with the number of the last change that each of them knows. */
  readonly #slow = new Map<ClientConnection, number>();
  /** A timer looks whether slow readers keep up again. */
  isWatched = false;
  /** Number of changes so far. */
  #changes = 0;
  /** The latest change among those that are no longer kept. */
  #forgotten = 0;

  get isEmpty(): boolean {
    return this.#slow.size === 0;
  }

  get readers(): IterableIterator<ClientConnection> {
    return this.#slow.keys();
  }

  has(reader: ClientConnection): boolean {
    return this.#slow.has(reader);
  }

  /** Notes that the reader is told of no changes that are added from now on. */
  begin(reader: ClientConnection): void {
    if (!this.#slow.has(reader)) this.#slow.set(reader, this.#changes);
  }

  /** @param states client, JSON text of its state or null for a client that has left, client, … */
  add(states: readonly (string | null)[]): void {
    for (let at = 0; at < states.length; at += 2) {
      const client = states[at] ?? '';
      this.#states.delete(client);
      this.#states.set(client, { change: ++this.#changes, data: states[at + 1] ?? null });
    }
    for (const [client, { change }] of this.#states) {
      if (this.#states.size <= CLIENTS_KEPT) break;
      this.#states.delete(client);
      this.#forgotten = change;
    }
  }

  /** Ends the reader's absence. Returns what it has missed, or undefined if that is no longer known. */
  end(reader: ClientConnection): (string | null)[] | undefined {
    const known = this.#slow.get(reader) ?? this.#changes;
    const missed: (string | null)[] = [];
    for (const [client, { change, data }] of this.#states) if (change > known) missed.push(client, data);
    const isComplete = known >= this.#forgotten;
    this.forget(reader);
    return isComplete ? missed : undefined;
  }

  /** Call it when the reader has left or is shown all states. */
  forget(reader: ClientConnection): void {
    this.#slow.delete(reader);
    if (this.#slow.size > 0) return;
    this.#states.clear();
    this.#forgotten = 0;
  }
}
