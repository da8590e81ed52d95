// A node that cannot serve for long, fenced without a database to come back to, or cut off from all owners, sends its
// clients to the other nodes, and takes no more until it can. One that does not reach some owners, though they live,
// sends away who has documents there. It is asked whether it can, and decides nothing else.
import type { Clock } from '../actors/clock.ts';
import { AwayMemory } from './gateway/away-memory.ts';
import type { Session } from './gateway/session.ts';
import type { Sockets } from './gateway/sockets.ts';
import type { Neighbours, Ownership } from './ownership.ts';

export interface UnservedOptions {
  readonly ownership: Pick<Ownership, 'isServing'> & {
    readonly neighbours?: Pick<Neighbours, 'unreachedShards'>;
  };
  readonly sockets: Pick<Sockets, 'sendAway' | 'takeAgain' | 'sendSomeAway'>;
  /** It leaves: its clients are sent away as it does. */
  readonly isLeaving: () => boolean;
  readonly clock: Clock;
  readonly log: { warn(message: string): void; info(message: string): void };
}

const LOOK_MS = 250;
/** What a change of owner or a new start after a fence takes is a pause for clients, and no reason to go. */
export const UNSERVED_MS = 3000;
/** Over which they go. */
const SPREAD_MS = 2000;
/** Who has come back here, led by a proxy or for want of another URL, tries again after this. */
const AGAIN_MS = 15_000;

/** The function that comes back ends it. */
export function sendAwayUnserved({ ownership, sockets, isLeaving, clock, log }: UnservedOptions): () => void {
  const sent = new AwayMemory(clock, AGAIN_MS);
  let since: number | undefined;
  let unreachedSince: number | undefined;
  let away = false;
  const lookAtOthers = (): void => {
    const shards = ownership.neighbours?.unreachedShards() ?? [];
    if (shards.length === 0) {
      unreachedSince = undefined;
      return;
    }
    unreachedSince ??= clock.now();
    if (clock.now() - unreachedSince < UNSERVED_MS) return;
    const isOf = hasOpen(new Set(shards));
    const told = sockets.sendSomeAway(
      Number.POSITIVE_INFINITY,
      SPREAD_MS,
      (client, session) => isOf(session) && !sent.has(client),
    );
    for (const client of told) sent.add(client);
    if (told.length > 0)
      log.warn(`${told.length} clients are sent to other nodes: this one does not reach their owners`);
  };
  return clock.every(LOOK_MS, () => {
    if (isLeaving()) return;
    if (ownership.isServing) {
      since = undefined;
      lookAtOthers();
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

const hasOpen =
  (shards: ReadonlySet<number>) =>
  (session: Session): boolean => {
    for (const { channel } of session.open.values()) if (shards.has(channel.shard)) return true;
    return false;
  };
