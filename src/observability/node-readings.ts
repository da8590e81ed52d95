// Readings of a node's parts for the metrics and for `troupe cluster status`: its sockets, its place in the
// cluster, and whether it is ready.

import { METRICS } from '../../actors/metrics/metrics.ts';
import type { NodeFigures } from '../../cluster/operator-events.ts';
import type { Ownership } from '../membership/ownership.ts';
import type { EditRate } from './edit-rate.ts';
import type { NodeMetrics, Readings } from './node-metrics.ts';

export interface NodeParts {
  readonly gateway: { readonly subscriptions: number; readonly documents: number };
  readonly sockets: { readonly size: number; readonly patchBytes: number };
  readonly ownership: Pick<Ownership, 'place'>;
  /** Undefined where events are switched off. */
  readonly feed: { readonly size: number } | undefined;
  /** As `/readyz` has it. */
  readonly unready: () => string | undefined;
}

export function nodeReadings({ gateway, sockets, ownership, feed, unready }: NodeParts): Readings {
  return {
    sockets: () => sockets.size,
    subscriptions: () => gateway.subscriptions,
    documentsOpen: () => gateway.documents,
    patchBytes: () => sockets.patchBytes,
    eventReaders: () => feed?.size ?? 0,
    ready: () => (unready() === undefined ? 1 : 0),
    shardsOwned: () => ownership.place()?.shards,
    shardsMoving: () => {
      const moving = ownership.place()?.moving;
      return moving && [...moving.values()].reduce((sum, count) => sum + count, 0);
    },
    shardsUnowned: () => ownership.place()?.unowned,
    members: () => {
      const peers = ownership.place()?.peers;
      return peers && linkStates(peers);
    },
  };
}

function linkStates(
  peers: readonly { readonly connected: boolean }[],
): { labels: { link: string }; value: number }[] {
  const up = peers.filter(({ connected }) => connected).length;
  return [
    { labels: { link: 'up' }, value: up },
    { labels: { link: 'down' }, value: peers.length - up },
  ];
}

/** The figures for an operator who asks for the state of the cluster. */
export function nodeFigures(
  { sockets }: { readonly sockets: { readonly size: number } },
  metrics: Pick<NodeMetrics, 'total'>,
  rate: Pick<EditRate, 'perSecond'>,
): NodeFigures {
  return {
    clients: sockets.size,
    // Unknown until the workers have told it for the first time.
    documents: metrics.total(METRICS.documentsResident) || 0,
    editsPerSecond: rate.perSecond,
    uptimeMs: Math.round(process.uptime() * 1_000),
  };
}
