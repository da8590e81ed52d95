// The PeerNetwork over TCP, or over TLS with certificates on both ends. `close` ends all that it has opened.
import { randomBytes } from 'node:crypto';
import { checkIdentity } from '../handshake.ts';
import {
  PEER_LIMITS,
  type PeerAddress,
  type PeerIdentity,
  type PeerLimits,
  type PeerNetwork,
  type PeerTarget,
  type ProbeResult,
} from '../network.ts';
import { Peers } from '../peers.ts';
import type { DialResult, WirePair, Wires } from '../wire.ts';
import type { TcpContext } from './tcp-context.ts';
import { TcpDialler } from './tcp-dialler.ts';
import { TcpListener } from './tcp-listener.ts';

export interface TcpNetworkOptions extends Omit<TcpContext, 'limits' | 'randomBytes'> {
  /** In [0, 1), for the back-off. */
  readonly random: () => number;
  readonly limits?: Partial<PeerLimits>;
  /** See `PeersOptions`. */
  readonly onPulseTargets?: (targets: readonly PeerTarget[]) => void;
}

export function createTcpNetwork(options: TcpNetworkOptions): PeerNetwork {
  checkIdentity(options.identity);
  if (!options.credentials.secret && options.credentials.tls === undefined)
    throw new Error('links between nodes need a secret or certificates');
  const limits = { ...PEER_LIMITS, ...options.limits };
  const { clock, random, log, onPulseTargets } = options;
  const wires = new TcpWires({ ...options, limits, randomBytes });
  return new Peers({ wires, clock, random, limits, log, onPulseTargets });
}

class TcpWires implements Wires {
  readonly identity: PeerIdentity;
  readonly #listener: TcpListener;
  readonly #dialler: TcpDialler;

  constructor(context: TcpContext) {
    this.identity = context.identity;
    this.#listener = new TcpListener(context);
    this.#dialler = new TcpDialler(context);
  }

  listen(onPair: (pair: WirePair) => void, onPulse: (run: string) => void): Promise<PeerAddress> {
    return this.#listener.listen(onPair, onPulse);
  }

  dial(target: PeerTarget, timeoutMs: number, done: (result: DialResult) => void): () => void {
    return this.#dialler.dial(target, timeoutMs, done);
  }

  probe(target: PeerTarget, timeoutMs: number, done: (result: ProbeResult) => void): () => void {
    return this.#dialler.probe(target, timeoutMs, done);
  }

  async close(): Promise<void> {
    this.#dialler.close();
    await this.#listener.close();
  }
}
