// A node that cannot serve for long, fenced without a database to come back to, or cut off from all owners, sends its
// clients to the other nodes, and takes no more until it can. It is asked whether it can, and decides nothing else.
import type { Clock } from '../actors/clock.ts';
import type { Sockets } from './gateway/sockets.ts';
import type { Ownership } from './ownership.ts';

export interface UnservedOptions {
  readonly ownership: Pick<Ownership, 'isServing'>;
  readonly sockets: Pick<Sockets, 'sendAway' | 'takeAgain'>;
  readonly clock: Clock;
  readonly log: { warn(message: string): void; info(message: string): void };
}

const LOOK_MS = 250;
/** What a change of owner or a new start after a fence takes is a pause for clients, and no reason to go. */
export const UNSERVED_MS = 3000;
/** Over which they go. */
const SPREAD_MS = 2000;

/** The function that comes back ends it. */
export function sendAwayUnserved({ ownership, sockets, clock, log }: UnservedOptions): () => void {
  let since: number | undefined;
  let away = false;
  return clock.every(LOOK_MS, () => {
    if (ownership.isServing) {
      since = undefined;
      if (!away) return;
      away = false;
      log.info('serving again');
      sockets.takeAgain();
      return;
    }
    since ??= clock.now();
    if (away || clock.now() - since < UNSERVED_MS) return;
    away = true;
    log.warn('clients are sent to other nodes: this one cannot serve them');
    void sockets.sendAway(SPREAD_MS);
  });
}
