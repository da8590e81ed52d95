// Clients learn the addresses of a cluster's other nodes from `welcome`, and from a message `nodes` when
// these change while the clients are connected. A client whose node dies then knows other addresses. This
// module decides when clients are told.
import type { Clock } from '../../actors/clock.ts';
import type { Sockets } from '../gateway/sockets/sockets.ts';
import type { Neighbours } from './ownership.ts';

export interface ToldNodesOptions {
  readonly neighbours: Pick<Neighbours, 'clientUrls'>;
  readonly sockets: Pick<Sockets, 'tellNodes'>;
  readonly clock: Clock;
}

const LOOK_MS = 1_000;

/** The returned function stops it. */
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

/** `listen.publicUrl` in the form for clients: the base URL of a WebSocket, without a slash at its end. */
export function clientUrlOf(publicUrl: string): string {
  const { protocol, host } = new URL(publicUrl);
  return `${protocol.replace(/^http/, 'ws')}//${host}`;
}
