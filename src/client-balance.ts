// A node that has more than its share of a cluster's clients sends some to the others, a few at a time: after a rolling
// restart the node that was restarted last would otherwise be without clients until they come by themselves. It says
// who is too many and how fast they go; where they go is up to them.
import type { Clock } from '../actors/clock.ts';
import type { ClientShare } from '../cluster/controller.ts';
import { AwayMemory } from './gateway/away-memory.ts';
import type { Sockets } from './gateway/sockets.ts';
import type { Neighbours } from './ownership.ts';

export interface ClientBalanceOptions {
  readonly neighbours: Pick<Neighbours, 'tellClients' | 'clientShares'>;
  readonly sockets: Pick<Sockets, 'staying' | 'sendSomeAway'>;
  readonly clock: Clock;
  readonly log: { info(fields: object, message: string): void };
}

const LOOK_MS = 1000;
/** As long as the same nodes have served; while some come and go their clients do, too. */
export const STEADY_MS = 5000;
/** Nobody is sent away for less than this above the share, and so many clients; once some are, it goes on to so many above it. */
const TOLERANCE = 1.2;
const FEW = 5;
/** Of a node's clients, at each look. */
const AT_ONCE = 0.05;
/** Over which they go. */
const SPREAD_MS = 1000;
/** Nobody is told so twice within this time: who is led back here by a proxy would be told for ever. */
const AGAIN_MS = 10 * 60_000;

/** How many clients of a node are above its share, by weight; 0 where that is little. `isSending`: it sends some away already. */
export function surplus(own: ClientShare, others: readonly ClientShare[], isSending = false): number {
  const all = [own, ...others];
  const clients = all.reduce((sum, share) => sum + share.clients, 0);
  const weights = all.reduce((sum, share) => sum + share.weight, 0);
  const fair = (clients * own.weight) / weights;
  const bearable = (isSending ? fair : fair * TOLERANCE) + FEW;
  return own.clients > bearable ? Math.ceil(own.clients - fair) : 0;
}

/** The function that comes back ends it. */
export function balanceClients({ neighbours, sockets, clock, log }: ClientBalanceOptions): () => void {
  const away = new AwayMemory(clock, AGAIN_MS);
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
    // Who has no id of its own cannot be told from others when it comes back.
    const sent = sockets.sendSomeAway(
      most,
      SPREAD_MS,
      (client, { hasOwnId }) => hasOwnId && !away.has(client),
    );
    for (const client of sent) away.add(client);
    if (sent.length > 0) log.info({ clients: sent.length }, 'clients are sent to nodes that have fewer');
  });
}
