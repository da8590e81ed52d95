// Which clients were sent to another node lately, so that who comes back to this one, having nowhere else to go, is
// left alone for a while. It sends nobody away.
import type { Clock } from '../../actors/clock.ts';

/** Beyond it the first are forgotten. */
const MOST_CLIENTS = 100_000;

export class AwayMemory {
  private readonly clock: Pick<Clock, 'now'>;
  private readonly againMs: number;
  /** In the order of when. */
  private readonly sentAt = new Map<string, number>();

  /** A client is remembered for `againMs`. */
  constructor(clock: Pick<Clock, 'now'>, againMs: number) {
    this.clock = clock;
    this.againMs = againMs;
  }

  has(client: string): boolean {
    const at = this.sentAt.get(client);
    return at !== undefined && this.clock.now() - at <= this.againMs;
  }

  add(client: string): void {
    const now = this.clock.now();
    this.sentAt.delete(client);
    this.sentAt.set(client, now);
    for (const [first, at] of this.sentAt) {
      if (this.sentAt.size <= MOST_CLIENTS && now - at <= this.againMs) break;
      this.sentAt.delete(first);
    }
  }
}
