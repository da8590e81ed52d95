// Sends clients away from a node that cannot serve for long: one that is fenced and cannot rejoin, or is cut
// off from all owners. The node takes no clients until it serves again. A node that does not reach some live
// owners sends away only the clients that have open documents there. The module reads whether the node
// serves, and decides nothing else.
import type { Clock } from '../../actors/clock.ts';
import type { ClientConnection } from '../gateway/client-connection.ts';
import type { Sockets } from '../gateway/sockets/sockets.ts';
import type { Neighbours, Ownership } from './ownership.ts';
import { RecentlySentAway } from './recently-sent-away.ts';

export interface SendingAwayOptions {
  readonly ownership: Pick<Ownership, 'isServing'> & {
    readonly neighbours?: Pick<Neighbours, 'unreachedShards'>;
  };
  readonly sockets: Pick<Sockets, 'sendAway' | 'takeAgain' | 'sendSomeAway'>;
  /** True while the node leaves, which sends its clients away itself. */
  readonly isLeaving: () => boolean;
  readonly clock: Clock;
  readonly log: { warn(message: string): void; info(message: string): void };
}

const LOOK_MS = 250;
/**
 * Time before clients are sent away. A change of owner, or a new start after a fence, is a short pause and no
 * reason to go.
 */
export const SEND_AWAY_AFTER_MS = 3000;
/** Time over which the clients go. */
const SPREAD_MS = 2000;
/**
 * A client that came back here, through a proxy or for lack of another URL, is sent away again only after
 * this time.
 */
const AGAIN_MS = 15_000;

/** The returned function stops it. */
export function sendClientsAway({
  ownership,
  sockets,
  isLeaving,
  clock,
  log,
}: SendingAwayOptions): () => void {
  const sent = new RecentlySentAway(clock, AGAIN_MS);
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
    if (clock.now() - unreachedSince < SEND_AWAY_AFTER_MS) return;
    const isOf = hasOpen(new Set(shards));
    const told = sockets.sendSomeAway(
      Number.POSITIVE_INFINITY,
      SPREAD_MS,
      (client, connection) => isOf(connection) && !sent.has(client),
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
      log.info('this node serves its clients again');
      sockets.takeAgain();
      return;
    }
    since ??= clock.now();
    if (away || clock.now() - since < SEND_AWAY_AFTER_MS) return;
    away = true;
    log.warn('clients are sent to other nodes: this one cannot serve them');
    void sockets.sendAway(SPREAD_MS);
  });
}

const hasOpen =
  (shards: ReadonlySet<number>) =>
  (connection: ClientConnection): boolean => {
    for (const { channel } of connection.open.values()) if (shards.has(channel.shard)) return true;
    return false;
  };
