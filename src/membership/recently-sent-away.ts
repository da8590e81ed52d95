// Remembers the clients that were lately sent to another node, so that a client that comes back, having no
// other node to go to, is left alone for a while. This class sends no client away.
import type { Clock } from '../../actors/clock.ts';

/** Clients that are remembered. Beyond it the oldest entries are dropped. */
const MOST_CLIENTS = 100_000;

export class RecentlySentAway {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #againMs: number;
  /** In the order of the times. */
  readonly #sentAt = new Map<string, number>();

  /** A client is remembered for `againMs`. */
  constructor(clock: Pick<Clock, 'now'>, againMs: number) {
    this.#clock = clock;
    this.#againMs = againMs;
  }

  has(client: string): boolean {
    const at = this.#sentAt.get(client);
    return at !== undefined && this.#clock.now() - at <= this.#againMs;
  }

  add(client: string): void {
    const now = this.#clock.now();
    this.#sentAt.delete(client);
    this.#sentAt.set(client, now);
    for (const [first, at] of this.#sentAt) {
      if (this.#sentAt.size <= MOST_CLIENTS && now - at <= this.#againMs) break;
      this.#sentAt.delete(first);
    }
  }
}
