// Clients learn the addresses of a cluster's other nodes from `welcome`, and from a message `nodes` when these change
// while they are connected, so that a client whose node dies knows where else to go. It decides when they are told.
import type { Clock } from '../actors/clock.ts';
import type { Sockets } from './gateway/sockets.ts';
import type { Neighbours } from './ownership.ts';

export interface ToldNodesOptions {
  readonly neighbours: Pick<Neighbours, 'clientUrls'>;
  readonly sockets: Pick<Sockets, 'tellNodes'>;
  readonly clock: Clock;
}

const LOOK_MS = 1_000;

/** The function that comes back ends it. */
export function tellChangedNodes({ neighbours, sockets, clock }: ToldNodesOptions): () => void {
  const key = (nodes: readonly string[] | undefined): string => JSON.stringify(nodes ?? []);
  let told = key(neighbours.clientUrls());
  return clock.every(LOOK_MS, () => {
    const nodes = neighbours.clientUrls();
    if (key(nodes) === told) return;
    told = key(nodes);
    sockets.tellNodes(nodes ?? []);
  });
}

/** A `listen.publicUrl` as clients are told it: the base URL of a WebSocket, without a slash at its end. */
export function clientUrlOf(publicUrl: string): string {
  const { protocol, host } = new URL(publicUrl);
  return `${protocol.replace(/^http/, 'ws')}//${host}`;
}
