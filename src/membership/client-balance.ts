// Sends clients to other nodes, a few at a time, while this node has more than its share of the cluster's
// clients. Otherwise the node that is restarted last in a rolling restart would have no clients until new
// ones come. This module decides which clients go and how fast; the clients choose their next node.
import type { Clock } from '../../actors/clock.ts';
import type { ClientShare } from '../../cluster/news/client-directory.ts';
import type { Sockets } from '../gateway/sockets/sockets.ts';
import type { Neighbours } from './ownership.ts';
import { RecentlySentAway } from './recently-sent-away.ts';

export interface ClientBalanceOptions {
  readonly neighbours: Pick<Neighbours, 'tellClients' | 'clientShares'>;
  readonly sockets: Pick<Sockets, 'staying' | 'sendSomeAway'>;
  readonly clock: Clock;
  readonly log: { info(fields: object, message: string): void };
}

const LOOK_MS = 1000;
/**
 * Time for which the set of serving nodes must be unchanged. While nodes come and go, their clients do too.
 */
export const STEADY_MS = 5000;
/**
 * No client is sent away until the node has this factor of its share and FEW clients more. Then sending goes
 * on until the node has its share and FEW clients.
 */
const TOLERANCE = 1.2;
const FEW = 5;
/** Part of the node's clients sent away at each look. */
const AT_ONCE = 0.05;
/** Time over which the sent clients leave. */
const SPREAD_MS = 1000;
/**
 * A client is sent away at most once in this time. A proxy that leads it back here would otherwise have it
 * sent for ever.
 */
const AGAIN_MS = 10 * 60_000;

/**
 * The number of clients above the node's share by weight; 0 if the excess is small. `isSending`: the node is
 * sending clients already.
 */
export function surplus(own: ClientShare, others: readonly ClientShare[], isSending = false): number {
  const all = [own, ...others];
  const clients = all.reduce((sum, share) => sum + share.clients, 0);
  const weights = all.reduce((sum, share) => sum + share.weight, 0);
  const fair = (clients * own.weight) / weights;
  const bearable = (isSending ? fair : fair * TOLERANCE) + FEW;
  return own.clients > bearable ? Math.ceil(own.clients - fair) : 0;
}

/** The returned function stops it. */
export function balanceClients({ neighbours, sockets, clock, log }: ClientBalanceOptions): () => void {
  const away = new RecentlySentAway(clock, AGAIN_MS);
  let nodes: string | undefined;
  let since = 0;
  let isSending = false;
  return clock.every(LOOK_MS, () => {
    neighbours.tellClients(sockets.staying);
    const shares = neighbours.clientShares();
    const now = shares?.others.map(({ node }) => node).join(' ');
    if (shares === undefined || now !== nodes) {
      nodes = now;
      since = clock.now();
      isSending = false;
      return;
    }
    if (clock.now() - since < STEADY_MS) return;
    const above = surplus(shares.own, shares.others, isSending);
    isSending = above > 0;
    if (!isSending) return;
    const most = Math.min(above, Math.ceil(sockets.staying * AT_ONCE));
    // A client without an id of its own cannot be recognised when it comes back.
    const sent = sockets.sendSomeAway(
      most,
      SPREAD_MS,
      (client, { hasOwnId }) => hasOwnId && !away.has(client),
    );
    for (const client of sent) away.add(client);
    if (sent.length > 0) log.info({ clients: sent.length }, 'clients are sent to nodes with fewer clients');
  });
}
